"""Batches of labelled images for a classifier, and the part that is held out for validation."""

import keras
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from melanet.images._transform import resize


def network_input(samples, shape):
    """Turn encoded images into what a network takes.

    Parameters
    ----------
    samples : ndarray of shape (n, height, width, channels), float32
        In [-1, 1].
    shape : (int, int, int)
        Height, width and channels of the network's input.

    Returns
    -------
    ndarray of shape (n, *shape), float32
        In [0, 1]. One channel is repeated where the network takes three.

    Raises
    ------
    ValueError
        If the channels do not fit.
    """
    *size, channels = shape
    if samples.shape[-1] != channels and (samples.shape[-1], channels) != (1, 3):
        raise ValueError(
            f"X must hold images of {channels} channels, as the network takes. "
            f"Received: {samples.shape[-1]} channels"
        )
    samples = (resize(samples, tuple(size)) + 1) / 2
    return np.repeat(samples, channels // samples.shape[-1], axis=-1)


def hold_out(codes, fraction, seed, groups=None):
    """Choose the rows that validate, a stratified part of all.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Classes 0 .. n_classes - 1, each with at least two rows.
    fraction : float in (0, 1)
        Part of each class, rounded; at least one row and at most all but one.
    seed : int
        Seed of the choice.
    groups : ndarray of shape (n,) or None, default=None
        What must stay on one side: then the classes' parts are as near to `fraction` as whole
        groups allow, and `fraction` is rounded to one over a whole number of at least 2.

    Returns
    -------
    training, validation : ndarray of int
        Rows in ascending order; both sides hold every class.

    Raises
    ------
    ValueError
        If no division of the groups leaves every class on both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.classifier._dataset import hold_out
    >>> codes = np.array([0] * 8 + [1] * 4)
    >>> training, validation = hold_out(codes, 0.25, seed=0)
    >>> np.bincount(codes[validation]).tolist()
    [2, 1]
    """
    if groups is not None:
        return _hold_out_groups(codes, fraction, seed, groups)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(codes), bool)
    for code in range(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == code))
        chosen[rows[: np.clip(round(fraction * len(rows)), 1, len(rows) - 1)]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _hold_out_groups(codes, fraction, seed, groups):
    counts = np.bincount(codes)
    n_groups = len(np.unique(groups))
    n_folds = min(max(2, round(1 / fraction)), n_groups, counts.min())
    if n_folds >= 2:
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        for training, validation in folds.split(codes, codes, groups):
            if all(len(np.unique(codes[rows])) == len(counts) for rows in (training, validation)):
                return training, validation
    raise ValueError(
        "groups cannot be divided so that every class is in the training part and in the "
        f"validation part. Received: {n_groups} groups for classes of {counts.tolist()} samples. "
        "Each class needs samples in two groups or more; or give validation_data"
    )


class LabelledImages(keras.utils.PyDataset):
    """Batches of images, one-hot targets and weights, for the ``fit`` of a classifier.

    What batch i of epoch e holds depends on `seed`, e and i alone.

    Parameters
    ----------
    read : callable
        ``read(rows) -> images`` of shape (n, height, width, channels), float32 in [0, 1].
    codes : ndarray of int of shape (n,)
        Classes 0 .. n_classes - 1.
    class_weights : ndarray of shape (n_classes,)
        Weight of a sample's loss, by its class.
    batch_size : int
        Images in a batch; the last of an epoch may be smaller.
    seed : int or None, default=None
        Seed of order and augmentation; None keeps the order and changes nothing.
    augment : callable or None, default=None
        ``augment(images, rng) -> images`` in [-1, 1], such as
        `melanet.images.Augmentation`.
    """

    def __init__(self, read, codes, class_weights, batch_size, *, seed=None, augment=None):
        super().__init__()
        self.read, self.augment = read, augment
        self.targets = np.eye(len(class_weights), dtype="float32")[codes]
        self.weights = np.asarray(class_weights, "float32")[codes]
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self._draw_order()

    def _draw_order(self):
        n = len(self.targets)
        self._order = np.arange(n)
        if self.seed is not None:
            self._order = np.random.default_rng([self.seed, self.epoch]).permutation(n)

    def __len__(self):
        return -(-len(self.targets) // self.batch_size)

    def __getitem__(self, index):
        """Return batch `index` of the present epoch: images, targets, weights."""
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.read(rows)
        if self.augment is not None:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            images = (self.augment(images * 2 - 1, rng) + 1) / 2
        return images, self.targets[rows], self.weights[rows]

    def on_epoch_end(self):
        """Draw the next epoch's order."""
        self.epoch += 1
        self._draw_order()
