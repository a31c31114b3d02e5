"""Groups of rows that belong together, such as the photographs of one lesion or patient."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from melanet.utils._labels import label_text, label_texts
from melanet.utils._validation import check_unmasked


def check_groups(groups: ArrayLike | None, n: int) -> NDArray[np.str_] | None:
    """Return the texts of groups as an array of one entry per sample, or None.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        Group of each sample; compared by its text, see `melanet.utils._labels`.
    n : int
        Number of samples.

    Raises
    ------
    ValueError
        If the shape is wrong, a group is missing, or the array is masked.

    Examples
    --------
    >>> from melanet.utils._groups import check_groups
    >>> check_groups([7, 7.0, "b"], 3).tolist()
    ['7', '7', 'b']
    """
    if groups is None:
        return None
    check_unmasked("groups", groups)
    shape = np.shape(groups)
    if shape != (n,):
        raise ValueError(
            f"groups must have one entry for each sample, shape ({n},). Received: shape {shape}"
        )
    return np.array(label_texts("groups", np.asarray(groups)))


_Texts = Sequence[str] | NDArray[np.str_]


def join_groups(names: _Texts, *columns: _Texts) -> NDArray[np.str_]:
    """Return a group for each row, which rows share that share a value in any column.

    Parameters
    ----------
    names : sequence of str of length n
        Name of each row, each once.
    *columns : sequence of str of length n
        Values, such as patients and lesions; missing ones ("" or "nan") are shared by no rows.

    Returns
    -------
    ndarray of str of shape (n,)
        Name of the first row of the group.

    Examples
    --------
    Rows 0 and 1 show one patient, and rows 1 and 2 one lesion; of row 3 nothing is known:

    >>> from melanet.utils._groups import join_groups
    >>> join_groups(["a", "b", "c", "d"], ["P1", "P1", "", ""], ["L1", "L2", "L2", ""]).tolist()
    ['a', 'a', 'a', 'd']
    """
    n = len(names)
    rows, values = [], []
    known: dict[tuple[int, str], int] = {}
    for k, column in enumerate(columns):
        for row, value in enumerate(column):
            if text := label_text(value):
                rows.append(row)
                values.append(n + known.setdefault((k, text), len(known)))
    nodes = n + len(known)
    links = sparse.coo_array((np.ones(len(rows), bool), (rows, values)), (nodes, nodes))
    _, parts = sparse.csgraph.connected_components(links, directed=False)
    _, first, codes = np.unique(parts[:n], return_index=True, return_inverse=True)
    return np.array(names, dtype=str)[first[codes]]
