"""Tables of image files and labels."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from melanet.utils._files import read_csv
from melanet.utils._labels import label_text, merge_spellings
from melanet.utils._paths import check_distinct_files
from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names


def load_image_table(path: PathLike) -> Bunch:
    r"""List the images that a CSV file names.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header line and the columns ``path`` (absolute, or relative to
        the file's folder) and ``label``; other columns are ignored. White space at the ends of
        a cell does not count.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), in the order of the rows; `load_images` decodes
          them
        - ``labels``: ndarray of str of shape (n,), names of their classes, stripped

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
    rows = [
        (f"line {number}", row["path"].strip(), row["label"].strip())
        for number, row in read_csv(path, ("path", "label"))
    ]
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
    return Bunch(paths=np.array(files), labels=np.array(labels))
