"""Tables of image files and labels."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from melanet.utils._files import read_csv
from melanet.utils._groups import join_groups
from melanet.utils._labels import label_text, merge_spellings
from melanet.utils._paths import check_distinct_files
from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_GROUPS = ("group", "patient_id", "lesion_id")  # columns that are read as groups if they are there


def load_image_table(path: PathLike, *, groups: str | None = None) -> Bunch:
    r"""List the images that a CSV file names.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header line and the columns ``path`` (absolute, or relative to
        the file's folder) and ``label``, and perhaps columns of groups; others are ignored. White
        space at the ends of a cell does not count.
    groups : str or None, default=None
        Column of the lesion or patient that each image shows. None takes the column ``group`` or,
        if there is none, ``patient_id`` and ``lesion_id`` together, as far as they are there.
        Images without an entry are groups of their own.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), in the order of the rows; `load_images` decodes
          them
        - ``labels``: ndarray of str of shape (n,), names of their classes, stripped
        - ``groups``: ndarray of str of shape (n,), equal for images that share an entry in one of
          the columns; None if there are no such columns
        - ``group_columns``: dict of str -> ndarray of str of shape (n,), the columns that were
          read and their cells, stripped

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If a column is missing or occurs twice, a row lacks a value or has too many, a file is
        named twice (by any path, under any label), or the CSV file is not UTF-8 text.

    Warns
    -----
    UserWarning
        If a label is spelt in several ways, such as 1 and 1.0, which are one class.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.datasets import load_image_table
    >>> table = Path(tempfile.mkdtemp(), "lesions.csv")
    >>> _ = table.write_text("path,label\na.jpg,benign\n")
    >>> found = load_image_table(table)
    >>> Path(found.paths[0]).name, found.labels.tolist()
    ('a.jpg', ['benign'])
    """
    path = Path(path)
    cells = read_csv(
        path,
        ("path", "label") if groups is None else ("path", "label", groups),
        optional=_GROUPS if groups is None else (),
    )
    rows = [(f"line {number}", row["path"].strip(), row["label"].strip()) for number, row in cells]
    places = [place for place, _, _ in rows]
    empty = [place for place, name, label in rows if not name or not label_text(label)]
    if empty or not rows:
        raise ValueError(
            f"{path} must have a path and a label in every row. Received: none in "
            f"{join_names(empty, 20) or 'the whole file, which is only a header'}"
        )
    files = [str(path.parent / name) for _, name, _ in rows]
    check_distinct_files(
        str(path), files, [f"{place} ({name}, {label!r})" for place, name, label in rows]
    )
    labels = merge_spellings(f"The labels of {path}", [label for _, _, label in rows], places)
    found = [groups] if groups is not None else [name for name in _GROUPS if name in cells[0][1]]
    names = found[:1] if "group" in found else found
    columns = {name: np.array([row[name].strip() for _, row in cells]) for name in names}
    joined = join_groups(files, *columns.values())
    return Bunch(
        paths=np.array(files),
        labels=np.array(labels),
        groups=joined if columns else None,
        group_columns=columns,
    )
