"""Batches of two unpaired sets for `CycleGAN.fit`."""

from numbers import Integral

import keras
import numpy as np

from melanet.images._augmentation import FLIPS, flip_images
from melanet.preprocessing._image_form import PictureFiles


def balanced_draws(n, n_draws, rng):
    """Draw from n places, each as often as the others, in an order that is new for each round.

    Parameters
    ----------
    n, n_draws : int
        Number of places and of draws.
    rng : numpy.random.Generator
        Source of the order.

    Returns
    -------
    ndarray of int of shape (n_draws,)
    """
    rounds = [rng.permutation(n) for _ in range(-(-n_draws // n))]
    return np.concatenate([np.zeros(0, int), *rounds])[:n_draws]


class UnpairedSets(keras.utils.PyDataset):
    """What batches of two unpaired sets have in common, wherever the samples are.

    Parameters
    ----------
    A, B : sized
        The two sets, of which `_read` takes samples.
    batch_size, seed, steps, flip, augment
        As of `UnpairedImages`.
    **kwargs
        Passed to ``keras.utils.PyDataset``.
    """

    def __init__(self, A, B, batch_size, seed, *, steps, flip, augment, **kwargs):
        super().__init__(**kwargs)
        self.A, self.B = A, B
        for name, value in (("batch_size", batch_size), ("steps", steps)):
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ValueError(f"{name} must be a positive integer. Received: {name}={value!r}")
        if flip is not None and flip not in FLIPS:
            raise ValueError(f"flip must be None or one of {FLIPS}. Received: flip={flip!r}")
        self.batch_size = batch_size
        self.seed = seed
        self.steps = steps or -(-min(len(self.A), len(self.B)) // batch_size)
        self.flip = flip
        self.augment = augment
        self.epoch = 0
        self._draw_order()

    def _draw_order(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        draws = self.steps * self.batch_size
        self._order = [balanced_draws(len(samples), draws, rng) for samples in (self.A, self.B)]

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        """Return batch `index` of the present epoch as ``((a, b),)``."""
        rng = np.random.default_rng([self.seed, self.epoch, index])
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        a, b = (self._read(x, order[rows]) for x, order in zip((self.A, self.B), self._order))
        if self.flip is not None:
            # Side by side in the channels, the two of a pair take one toss.
            both = flip_images(np.concatenate([a, b], axis=-1), self.flip, rng)
            a, b = np.split(both, 2, axis=-1)
        if self.augment is not None:
            a, b = self.augment(a, rng), self.augment(b, rng)
        return ((a, b),)

    def on_epoch_end(self):
        """Draw the next epoch's order."""
        self.epoch += 1
        self._draw_order()

    def _read(self, samples, rows):
        raise NotImplementedError


class UnpairedImages(UnpairedSets):
    """Batches that pair samples of two sets at random, for ``CycleGAN.fit``.

    An epoch shows every sample of the smaller set; each sample of the larger set has the same
    chance. What batch i of epoch e holds depends on `seed`, e and i alone.

    Parameters
    ----------
    A, B : array-like of shape (n_a, ...) and (n_b, ...)
        The two sets, in [-1, 1], of samples of one shape: images
        ``(height, width, channels)`` or rows ``(n_features,)``.
    batch_size : int, default=1
        Pairs in a batch; the paper's value is 1. All batches have this size: where an epoch
        does not divide, a set starts again in a new order.
    seed : int, default=0
        Seed of order, flips and augmentation.
    steps : int or None, default=None
        Batches in an epoch; by default as many as show the smaller set once.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror both samples of a pair together with probability one half ("horizontal" is the
        paper's).
    augment : callable or None, default=None
        ``augment(images, rng) -> images`` applied to both sets, such as
        `melanet.images.Augmentation`.
    **kwargs
        Passed to ``keras.utils.PyDataset``.

    Raises
    ------
    ValueError
        If a set is empty or not in [-1, 1], the samples' shapes differ, or a parameter is out of
        range.

    Notes
    -----
    TensorFlow keeps what it was trained on in memory while the process lives. If the images must
    not stay there, set ``A`` and ``B`` to None after the training.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet import UnpairedImages
    >>> batches = UnpairedImages(np.zeros((9, 8, 8, 1)), np.ones((4, 8, 8, 1)), batch_size=2)
    >>> len(batches)
    2
    >>> ((a, b),) = batches[0]
    >>> a.shape, b.shape
    ((2, 8, 8, 1), (2, 8, 8, 1))
    """

    def __init__(
        self, A, B, batch_size=1, seed=0, *, steps=None, flip=None, augment=None, **kwargs
    ):
        A, B = np.asarray(A, "float32"), np.asarray(B, "float32")
        for name, value in (("A", A), ("B", B)):
            if value.ndim < 2 or not len(value):
                raise ValueError(
                    f"{name} must hold at least one sample, as an array of shape (n, height, "
                    f"width, channels) or (n, n_features). Received: shape {value.shape}"
                )
            # Written so that NaN fails, too.
            if not (value.min() >= -1.001 and value.max() <= 1.001):
                raise ValueError(
                    f"{name} must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - "
                    f"1). Received values from {value.min()} to {value.max()}"
                )
        if A.shape[1:] != B.shape[1:]:
            raise ValueError(
                "A and B must hold samples of the same shape. "
                f"Received: {A.shape[1:]} and {B.shape[1:]}"
            )
        if flip is not None and A.ndim != 4:
            raise ValueError(
                f"flip needs images of shape (n, height, width, channels). Received: {A.shape}"
            )
        super().__init__(A, B, batch_size, seed, steps=steps, flip=flip, augment=augment, **kwargs)

    def _read(self, samples, rows):
        return samples[rows]


class UnpairedFiles(UnpairedSets):
    """Batches that pair picture files of two sets at random, for ``CycleGAN.fit``.

    The batches are those of `melanet.UnpairedImages` on the same pictures with the same
    parameters, but the pictures are read from their files for each batch, by threads, while the
    batch before is trained on. Memory does not grow with the sets.

    Parameters
    ----------
    A, B : sequence of str or path-like
        Picture files of the two sets.
    size : int or (int, int)
        Side, or height and width, that pictures are resized to.
    batch_size, seed : int, default=1, 0
        As of `melanet.UnpairedImages`, like the following.
    steps : int or None, default=None
        Batches in an epoch.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror both pictures of a pair together.
    augment : callable or None, default=None
        Applied to both sets.
    workers : int, default=2
        Threads that read.
    **kwargs
        Passed to ``keras.utils.PyDataset``.

    Raises
    ------
    ValueError
        If a set is empty, or a parameter is out of range; while training, if a file cannot be
        read.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.gan import UnpairedFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, f"{i}.png") for i in range(5)]
    ...     for path in paths:
    ...         Image.new("RGB", (8, 8)).save(path)
    ...     batches = UnpairedFiles(paths[:3], paths[3:], 8, batch_size=2)
    ...     ((a, b),) = batches[0]
    >>> a.shape, len(batches)
    ((2, 8, 8, 3), 1)
    """

    def __init__(
        self,
        A,
        B,
        size,
        batch_size=1,
        seed=0,
        *,
        steps=None,
        flip=None,
        augment=None,
        workers=2,
        **kwargs,
    ):
        A, B = PictureFiles(A, size), PictureFiles(B, size)
        for name, files in (("A", A), ("B", B)):
            if not len(files):
                raise ValueError(f"{name} must hold at least one file. Received: none")
        options = {"steps": steps, "flip": flip, "augment": augment, "workers": workers}
        super().__init__(A, B, batch_size, seed, **options, **kwargs)

    def _read(self, files, rows):
        return files.read(rows, 1)
