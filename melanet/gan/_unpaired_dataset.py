"""Batches of two unpaired sets for `CycleGAN.fit`."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from melanet.images import Depth, check_paths
from melanet.images._augmentation import FLIPS, flip_images
from melanet.preprocessing import PictureFiles
from melanet.utils._paths import check_distinct_files
from melanet.utils._typing import Augment, PathLike
from melanet.utils._validation import as_symmetric, check_batch, check_positive_integer


def balanced_draws(n: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from ``range(n)``, each number as often as the others, in a new order each round.

    Parameters
    ----------
    n, n_draws : int
        Size of the range and number of draws.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    ndarray of int of shape (n_draws,)
    """
    rounds = [rng.permutation(n) for _ in range(-(-n_draws // n))]
    return np.concatenate([np.zeros(0, int), *rounds])[:n_draws]


class UnpairedDataset(keras.utils.PyDataset):
    """Base of the data sets that pair samples of two sets at random.

    Parameters
    ----------
    A, B : sized
        The two sets, from which `_read` takes samples.
    batch_size : int
        Pairs per batch.
    seed : int
        Seed of order, flips and augmentation.
    steps : int or None
        Batches per epoch; None shows the smaller set once.
    flip : {"horizontal", "vertical", "both"} or None
        Mirror both samples of a pair together.
    augment : callable or None
        Applied to both sets.
    **kwargs
        Passed to ``keras.utils.PyDataset``.
    """

    def __init__(
        self,
        A: Any,
        B: Any,
        batch_size: int,
        seed: int,
        *,
        steps: int | None,
        flip: str | None,
        augment: Augment | None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.A, self.B = A, B
        check_positive_integer("batch_size", batch_size)
        check_positive_integer("steps", steps, optional=True)
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

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self.steps

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, np.ndarray]]:
        """Return batch `index` of the current epoch as ``((a, b),)``."""
        check_batch(index, self)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        a, b = (self._read(x, order[rows]) for x, order in zip((self.A, self.B), self._order))
        if self.flip is not None:
            # Concatenated by channel, the two images of a pair are flipped alike.
            both = flip_images(np.concatenate([a, b], axis=-1), self.flip, rng)
            a, b = np.split(both, 2, axis=-1)
        if self.augment is not None:
            a, b = self.augment(a, rng), self.augment(b, rng)
        return ((a, b),)

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        self.epoch += 1
        self._draw_order()

    def _read(self, samples, rows):
        return samples[rows]


class UnpairedImages(UnpairedDataset):
    """Pair samples of two sets at random, in batches for ``CycleGAN.fit``.

    An epoch shows every sample of the smaller set; each sample of the larger set is equally
    likely. The content of batch i in epoch e depends only on `seed`, e and i.

    Parameters
    ----------
    A, B : array-like of shape (n_a, ...) and (n_b, ...)
        Samples of the two sets, in [-1, 1] and of one shape: images
        ``(height, width, channels)`` or rows ``(n_features,)``.
    batch_size : int, default=1
        Pairs per batch; the paper's value is 1. All batches have this size: at the end of an
        epoch, a set starts again in a new order.
    seed : int, default=0
        Seed of order, flips and augmentation.
    steps : int or None, default=None
        Batches per epoch; None shows the smaller set once.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror both samples of a pair together with probability 1/2; the paper uses
        "horizontal".
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
    TensorFlow keeps a training data set in memory for the life of the process. Set ``A`` and
    ``B`` to None after the training to free the images.

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
        self,
        A: ArrayLike,
        B: ArrayLike,
        batch_size: int = 1,
        seed: int = 0,
        *,
        steps: int | None = None,
        flip: str | None = None,
        augment: Augment | None = None,
        **kwargs: Any,
    ):
        A, B = as_symmetric("A", A), as_symmetric("B", B)
        for name, value in (("A", A), ("B", B)):
            if value.ndim < 2 or not len(value):
                raise ValueError(
                    f"{name} must hold at least one sample, as an array of shape (n, height, "
                    f"width, channels) or (n, n_features). Received: shape {value.shape}"
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


class ConditionalImages(UnpairedImages):
    """Pair samples of a set with samples of several classes, for a `ConditionalCycleGAN`.

    A batch holds samples of one class. Classes take turns, in a new order each round, and the
    samples of a class as well: all classes are seen equally often, and all samples of a class.
    An epoch without `steps` shows the smaller of A and all classes together.

    Parameters
    ----------
    A : array-like of shape (n_a, ...)
        Samples of the common set, in [-1, 1].
    classes : sequence of array-like of shape (n_b, ...)
        Samples of each class.
    **options
        As in `UnpairedImages`.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.gan._unpaired_dataset import ConditionalImages
    >>> classes = [np.full((n, 2), value) for n, value in ((3, 0.0), (9, 1.0))]
    >>> batches = ConditionalImages(np.zeros((9, 2)), classes, batch_size=4, steps=2)
    >>> sorted(batches[i][0][2].tolist() for i in range(2))
    [[0, 0, 0, 0], [1, 1, 1, 1]]
    """

    def __init__(self, A: ArrayLike, classes: Sequence[ArrayLike], **options: Any):
        ends = np.cumsum([len(np.asarray(samples)) for samples in classes])
        self._rows = np.split(np.arange(ends[-1]), ends[:-1])
        super().__init__(A, np.concatenate([np.asarray(x) for x in classes]), **options)

    def _draw_order(self):
        super()._draw_order()
        rng = np.random.default_rng([self.seed, self.epoch, 1])
        self._classes = balanced_draws(len(self._rows), self.steps, rng)
        order = np.empty((self.steps, self.batch_size), int)
        for code, rows in enumerate(self._rows):
            turns = np.flatnonzero(self._classes == code)
            draws = balanced_draws(len(rows), len(turns) * self.batch_size, rng)
            order[turns] = rows[draws].reshape(-1, self.batch_size)
        self._order[1] = order.ravel()

    def __getitem__(self, index: int) -> Any:
        """Return batch `index` of the current epoch as ``((a, b, classes),)``."""
        ((a, b),) = super().__getitem__(index)
        return ((a, b, np.full(len(a), self._classes[index], "int32")),)


class UnpairedFiles(UnpairedDataset):
    """Pair image files of two sets at random, in batches for ``CycleGAN.fit``.

    The batches equal those of `melanet.UnpairedImages` on the same images with the same
    parameters, but images are read batch by batch, by threads, while the previous batch trains.
    Memory does not grow with the sets.

    Parameters
    ----------
    A, B : sequence of str or path-like
        Image files of the two sets.
    size : int or (int, int)
        Side, or height and width, that images are resized to.
    batch_size : int, default=1
        Pairs per batch, as in `melanet.UnpairedImages`.
    seed : int, default=0
        Seed of order, flips and augmentation.
    steps : int or None, default=None
        Batches per epoch; None shows the smaller set once.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror both images of a pair together.
    augment : callable or None, default=None
        Applied to both sets.
    value_range : (float, float) or None, default=None
        Limits of the values of grey files of more than 8 bits, see `melanet.datasets.load_images`.
    channels : {3, 1}, default=3
        Channels of the images: colours, or grey.
    workers : int, default=2
        Number of reading threads.
    **kwargs
        Passed to ``keras.utils.PyDataset``.

    Raises
    ------
    ValueError
        If a set is empty, a file is named twice, or a parameter is out of range; while training,
        if a file cannot be read.

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
        A: Sequence[PathLike],
        B: Sequence[PathLike],
        size: int | Sequence[int],
        batch_size: int = 1,
        seed: int = 0,
        *,
        steps: int | None = None,
        flip: str | None = None,
        augment: Augment | None = None,
        value_range: Iterable[float] | None = None,
        channels: int = 3,
        workers: int = 2,
        **kwargs: Any,
    ):
        A, B = check_paths(A, "A"), check_paths(B, "B")
        depth = Depth(len(A) + len(B))
        a, b = (PictureFiles(paths, size, value_range, depth, channels) for paths in (A, B))
        for name, files in (("A", a), ("B", b)):
            if not len(files):
                raise ValueError(f"{name} must hold at least one file. Received: none")
        places = [
            f"{name}[{i}] ({p})" for name, x in (("A", a), ("B", b)) for i, p in enumerate(x.paths)
        ]
        check_distinct_files("A and B", [*a.paths, *b.paths], places)
        super().__init__(
            a,
            b,
            batch_size,
            seed,
            steps=steps,
            flip=flip,
            augment=augment,
            workers=workers,
            **kwargs,
        )

    def _read(self, files, rows):
        return files.read(rows, 1)  # the workers read in parallel
