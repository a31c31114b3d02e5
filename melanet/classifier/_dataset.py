"""Batches of labelled images for a classifier, and the validation split."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from melanet.images import resize
from melanet.preprocessing import ImageForm
from melanet.utils._typing import Augment

# Rows -> images of shape (n, height, width, channels), float32 in [0, 1].
ReadRows = Callable[[NDArray[np.intp]], np.ndarray]


def network_input(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Convert encoded images to the input of a network.

    Parameters
    ----------
    samples : ndarray of shape (n, height, width, channels), float32
        Images in [-1, 1].
    shape : (int, int, int)
        Height, width and channels of the network's input.

    Returns
    -------
    ndarray of shape (n, *shape), float32
        Images in [0, 1]. One channel is repeated if the network takes three.

    Raises
    ------
    ValueError
        If the channels do not fit.
    """
    height, width, channels = shape
    if samples.shape[-1] != channels and (samples.shape[-1], channels) != (1, 3):
        raise ValueError(
            f"X must hold images of {channels} channels to fit the network. "
            f"Received: {samples.shape[-1]} channels"
        )
    samples = (resize(samples, (height, width)) + 1) / 2
    return np.repeat(samples, channels // samples.shape[-1], axis=-1)


class ImageSubset(NamedTuple):
    """Images in the user's form, with their classes: the training or the validation part.

    Parameters
    ----------
    form : ImageForm
        Form of `X`.
    X : ndarray of shape (n, ...)
        Images.
    codes : ndarray of int of shape (n,)
        Classes 0 .. n_classes - 1.
    weights : ndarray of shape (n,) or None, default=None
        Weight of each; None stands for ones.
    """

    form: ImageForm
    X: np.ndarray
    codes: NDArray[np.intp]
    weights: NDArray[np.float64] | None = None

    def take(self, rows: NDArray[np.intp]) -> "ImageSubset":
        """Return the images of some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return ImageSubset(self.form, self.X[rows], self.codes[rows], weights)

    def reader(self, shape: tuple[int, ...]) -> ReadRows:
        """Return a function from rows to network inputs of `shape`.

        Raises
        ------
        ValueError
            If a value is outside the form's range, or the channels do not fit `shape`.
        """

        def read(rows):
            return network_input(self.form.encode(self.X[rows]), shape)

        flat = self.X.reshape(len(self.X), -1)
        read([flat.min(axis=1).argmin(), flat.max(axis=1).argmax()])  # fails now, not in training
        return read

    def class_shares(self) -> NDArray[np.float64]:
        """Return the share of each class, of the weights; no class is missing."""
        totals = np.bincount(self.codes, self.weights)
        return totals / totals.sum()


def hold_out(
    codes: NDArray[np.intp],
    fraction: float,
    seed: int,
    groups: NDArray[Any] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split rows into a training part and a stratified validation part.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Classes 0 .. n_classes - 1, each with at least two rows.
    fraction : float in (0, 1)
        Share of each class to hold out, rounded to rows; at least one and at most all but one.
    seed : int
        Seed of the split.
    groups : ndarray of shape (n,) or None, default=None
        Groups that stay on one side. Then `fraction` is rounded to one over a whole number of at
        least 2, and each class's share is as close to it as whole groups allow.

    Returns
    -------
    training, validation : ndarray of int
        Rows in ascending order; both parts hold every class.

    Raises
    ------
    ValueError
        If no split of the groups leaves every class on both sides.

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
    held = np.zeros(len(codes), bool)
    for code in range(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == code))
        held[rows[: np.clip(round(fraction * len(rows)), 1, len(rows) - 1)]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


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
        "groups cannot be split so that both the training and the validation part hold every "
        f"class. Received: {n_groups} groups for classes of {counts.tolist()} samples. Each class "
        "needs samples in two groups or more; otherwise pass validation_data"
    )


class LabelledImages(keras.utils.PyDataset):
    """Batches of images, one-hot targets and sample weights for ``keras.Model.fit``.

    Batch i of epoch e depends on `seed`, e and i alone.

    Parameters
    ----------
    read : callable
        ``read(rows) -> images`` of shape (n, height, width, channels), float32 in [0, 1].
    codes : ndarray of int of shape (n,)
        Classes 0 .. n_classes - 1.
    class_weights : array-like of shape (n_classes,)
        Weight of a sample's loss, by its class.
    batch_size : int
        Images per batch; the last batch of an epoch may be smaller.
    sample_weight : ndarray of shape (n,) or None, default=None
        Weights that those of the classes are multiplied by.
    seed : int or None, default=None
        Seed of order and augmentation; None keeps the order and augments nothing.
    augment : callable or None, default=None
        ``augment(images, rng) -> images`` in [-1, 1], such as `melanet.images.Augmentation`.
    """

    def __init__(
        self,
        read: ReadRows,
        codes: NDArray[np.intp],
        class_weights: ArrayLike,
        batch_size: int,
        *,
        sample_weight: NDArray[np.float64] | None = None,
        seed: int | None = None,
        augment: Augment | None = None,
    ):
        super().__init__()
        weights = np.asarray(class_weights, "float32")
        self.read: ReadRows | None = read
        self.augment = augment
        self.targets = (np.asarray(codes)[:, None] == np.arange(len(weights))).astype("float32")
        self.weights = weights[codes]
        if sample_weight is not None:
            self.weights = (self.weights * sample_weight).astype("float32")
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self._draw_order()

    def _draw_order(self):
        n = len(self.targets)
        self._order = np.arange(n)
        if self.seed is not None:
            self._order = np.random.default_rng([self.seed, self.epoch]).permutation(n)

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        """Return batch `index` of the current epoch: images, targets, weights."""
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        if self.read is None:
            raise RuntimeError("These batches were released after training.")
        images = self.read(rows)
        if self.augment is not None and self.seed is not None:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            images = (self.augment(images * 2 - 1, rng) + 1) / 2
        return images, self.targets[rows], self.weights[rows]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.epoch += 1
        self._draw_order()

    def release(self) -> None:
        """Drop the images; TensorFlow keeps a reference to its data sets after training."""
        self.read = None
