"""Folders of labelled images, read for the commands, and histories as rows of a table."""

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
    from melanet.datasets import load_image_folder, load_images

    if not any((Path(path) / f"test{side}").is_dir() for side in "AB"):
        subset = "train"  # a folder for each class has no other part
    found = load_image_folder(path, subset=subset)
    y = np.asarray(found.target_names)[np.asarray(found.target)]
    return load_images(found.paths, size), y, [Path(file) for file in found.paths]


def two_or_more(y, path):
    """Return class -> number of images, by name; refuse a folder of one class."""
    names, counts = np.unique(y, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"{path} must hold images of two classes or more, a folder for each. "
            f"Received: {names.tolist()}"
        )
    return dict(zip(names.tolist(), counts.tolist()))


def history_rows(history):
    """Turn a Keras history, name -> values by epoch, into one dict for each epoch."""
    n_epochs = max(map(len, history.values()), default=0)
    return [
        {"epoch": i + 1, **{name: values[i] for name, values in history.items()}}
        for i in range(n_epochs)
    ]
