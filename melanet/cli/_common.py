"""Folders of labelled images, read for the commands, and histories as rows of a table."""

import csv
from pathlib import Path

import numpy as np


def read_folder(path, size, *, subset="train"):
    """Read a folder of labelled images into memory.

    Parameters
    ----------
    path : str or path-like
        A folder with one folder for each class, or one of trainA, trainB, testA and testB.
    size : int or (int, int)
        Side, or height and width, that images are resized to.
    subset : {"train", "test"}, default="train"
        Which part of a folder of the second kind.

    Returns
    -------
    X : ndarray of shape (n, height, width, 3), uint8
        Images in [0, 255].
    y : ndarray of str of shape (n,)
        Names of their classes.
    paths : list of Path
        Their files.

    Raises
    ------
    ValueError, OSError
        If there are no images, or some cannot be read.
    """
    from melanet.images._io import load_images

    paths, y = list_folder(path, subset=subset)
    return load_images(paths, size), y, [Path(file) for file in paths]


def list_folder(path, *, subset="train"):
    """List a folder of labelled images; see `read_folder`.

    Returns
    -------
    paths, y : ndarray of str of shape (n,)
        Files, and names of their classes.
    """
    from melanet.datasets._folders import load_image_folder

    if not any((Path(path) / f"test{side}").is_dir() for side in "AB"):
        subset = "train"  # a folder for each class has no other part
    found = load_image_folder(path, subset=subset)
    return found.paths, np.asarray(found.target_names)[np.asarray(found.target)]


def list_table(path):
    r"""List the images that a CSV file names.

    Parameters
    ----------
    path : str or path-like
        Has a header line and the columns ``path`` (absolute, or as seen from the CSV's folder) and
        ``label``; others are passed over.

    Returns
    -------
    paths, y : ndarray of str of shape (n,)
        Files, and names of their classes.

    Raises
    ------
    ValueError
        If a column is missing, a row lacks a value, a file comes twice, or it is no UTF-8 text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.cli._common import list_table
    >>> table = Path(tempfile.mkdtemp(), "lesions.csv")
    >>> _ = table.write_text("path,label\na.jpg,benign\n")
    >>> paths, y = list_table(table)
    >>> Path(paths[0]).name, y.tolist()
    ('a.jpg', ['benign'])
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row.get("path"), row.get("label")) for row in reader]
            columns = reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file of UTF-8 text ({error})") from error
    if not {"path", "label"} <= set(columns):
        raise ValueError(f"{path} must have the columns path and label. Received: {columns}")
    empty = [f"line {number}" for number, *values in rows if not all(values)]
    if empty or not rows:
        raise ValueError(
            f"{path} must have a path and a label in every row. Received: none in "
            f"{', '.join(empty[:20]) or 'the whole file, which is a header alone'}"
        )
    files = [str(path.parent / name) for _, name, _ in rows]
    if len(set(files)) < len(files):
        double = next(name for name in files if files.count(name) > 1)
        raise ValueError(f"{path} must name every file once. Received: {double!r} again")
    return np.array(files), np.array([label for _, _, label in rows])


def two_or_more(y, path):
    """Return class -> number of images, by name; refuse a folder of one class."""
    names, counts = np.unique(y, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"{path} must hold images of two classes or more, a folder for each. "
            f"Received: {names.tolist()}"
        )
    return dict(zip(names.tolist(), counts.tolist()))
