"""Tables of image files and labels."""

import csv
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from melanet.utils._typing import PathLike


def load_image_table(path: PathLike) -> Bunch:
    r"""List the images that a CSV file names.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header line and the columns ``path`` (absolute, or relative to
        the file's folder) and ``label``; other columns are ignored.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), in the order of the rows; `load_images` decodes
          them
        - ``labels``: ndarray of str of shape (n,), names of their classes

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If a column is missing, a row lacks a value, a file is named twice, or the file is not
        UTF-8 text.

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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row.get("path"), row.get("label")) for row in reader]
            columns = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a CSV file of UTF-8 text. Received: {error}") from error
    if not {"path", "label"} <= set(columns):
        raise ValueError(f"{path} must have the columns path and label. Received: {columns}")
    empty = [f"line {number}" for number, *values in rows if not all(values)]
    if empty or not rows:
        raise ValueError(
            f"{path} must have a path and a label in every row. Received: none in "
            f"{', '.join(empty[:20]) or 'the whole file, which is only a header'}"
        )
    files = [str(path.parent / str(name)) for _, name, _ in rows]
    if len(set(files)) < len(files):
        twice = next(name for name in files if files.count(name) > 1)
        raise ValueError(f"{path} must name every file once. Received: {twice!r} again")
    return Bunch(paths=np.array(files), labels=np.array([label for _, _, label in rows]))
