"""Balanced batches of image files, with translations made as they are needed."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from melanet.gan import CycleGAN
from melanet.gan._unpaired_dataset import balanced_draws
from melanet.over_sampling._generation import ClassGenerator
from melanet.over_sampling._plans import (
    check_sample_shapes,
    load_cyclegans,
    open_pictures,
    plan_classes,
)
from melanet.over_sampling._presets import resolve_recipe
from melanet.utils._labels import check_spelling
from melanet.utils._paths import check_distinct_files
from melanet.utils._typing import Augment, PathLike
from melanet.utils._validation import check_batch, check_positive_integer, check_unmasked


class BalancedBatches(keras.utils.PyDataset):
    """Batches in which all classes are equally frequent, for training a classifier.

    The effect is that of over-sampling, but nothing is stored. An epoch shows every image of the
    largest class once. Of a class with a CycleGAN it shows every image once, and for the rest
    translations of images of the largest other class, made while the previous batch trains. Of
    a class without one it repeats the images. The content of batch i in epoch e depends only on
    `seed`, e and i.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Image files, or pictures in an HDF5 file as ``<file>.hdf5/<name>``.
    y : array-like of shape (n,)
        Labels.
    cyclegans : dict
        label -> CycleGAN that translates into the class, its "B", or a source for
        `melanet.CycleGAN.from_pretrained`.
    batch_size : int, default=32
        Images per batch.
    size : int, (int, int) or None, default=None
        Side, or height and width, that images are resized to; None takes that of the first
        CycleGAN. All must have it.
    seed : int, default=0
        Seed of order, sources and augmentation.
    augment : callable or None, default=None
        ``augment(images, rng) -> images`` in [-1, 1], applied to real and translated images
        alike, such as `melanet.images.Augmentation`.
    match : bool, default=True
        Whether translations get the sharpness and the pixel values of the class's real images
        (see `melanet.over_sampling.Matching`).
    guard : bool, default=True
        Whether translations that hardly differ from their source, are constant, or all look
        alike are replaced by copies of real images of the class, of which every second is
        changed, see `copies` of `melanet.GANOversampler`.
    value_range : (float, float) or None, default=None
        Limits of the values of grey files of more than 8 bits, see `melanet.datasets.load_images`.
    **kwargs
        Passed to ``keras.utils.PyDataset``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the targets' columns.

    Raises
    ------
    ValueError
        If there are fewer than two classes, a file is named twice, or a CycleGAN is for an
        unknown class or another size.

    See Also
    --------
    melanet.over_sampling.oversample_files : Write translations to files, once.

    Notes
    -----
    A batch is ``(x, y)``: images in [0, 1] of shape (batch_size, height, width, 3), float32, and
    one-hot targets of shape (batch_size, n_classes), float32. Compare with training without
    translations. Not for diagnosis.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet import CycleGAN
    >>> from melanet.over_sampling import BalancedBatches
    >>> gan = CycleGAN.from_shape((8, 8, 3), filters=2, discriminator_filters=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, f"{i}.png") for i in range(6)]
    ...     for path in paths:
    ...         Image.new("RGB", (8, 8)).save(path)
    ...     labels = ["benign"] * 4 + ["malignant"] * 2
    ...     batches = BalancedBatches(paths, labels, {"malignant": gan}, 4, guard=False)
    ...     x, y = batches[0]
    >>> x.shape, y.sum(axis=0).tolist(), len(batches)
    ((4, 8, 8, 3), [2.0, 2.0], 2)
    """

    def __init__(
        self,
        paths: Sequence[PathLike],
        y: ArrayLike,
        cyclegans: Mapping[Any, PathLike | CycleGAN],
        batch_size: int = 32,
        *,
        size: int | tuple[int, int] | None = None,
        seed: int = 0,
        augment: Augment | None = None,
        match: bool = True,
        guard: bool = True,
        value_range: Iterable[float] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_positive_integer("batch_size", batch_size)
        check_unmasked("y", y)
        y = np.asarray(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._rows = [np.flatnonzero(codes == code) for code in range(len(self.classes_))]
        if len(self._rows) < 2 or len(codes) != len(paths):
            raise ValueError(
                "y must hold a label for each of the paths, of two classes or more. Received: "
                f"{len(codes)} labels, {len(paths)} paths, classes {self.classes_.tolist()}"
            )
        check_spelling("y", y)
        check_distinct_files("paths", paths)
        models = load_cyclegans(cyclegans, "cyclegans", y)
        self.files = open_pictures(paths, size, value_range, models)
        shape = self.files.sample_shape
        check_sample_shapes(models, "cyclegans", shape, "Leave size out, or give the model's")
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.epoch, self._lock = 0, threading.Lock()
        self._size = max(map(len, self._rows))  # images of each class in an epoch
        recipe = resolve_recipe("default", shape, match=match, guard=guard, reject=False, copies=0)
        needs = {label: self._size - int((y == label).sum()) for label in models}
        self._generators = {
            plan.code: ClassGenerator(self.files, plan, models[plan.label], recipe)
            for plan in plan_classes(y, needs, seed)
        }
        self._draw_order()

    def _draw_order(self):
        """Draw, for each class, the row or, as -1 - place, the synthetic sample of each turn."""
        self._order = []
        for code, rows in enumerate(self._rows):
            seed = [self.seed, self.epoch, code]
            rng = np.random.default_rng(seed)
            if code in self._generators:
                self._generators[code].draw(seed)
                places = np.arange(self._size - len(rows))
                turns = rng.permutation(np.concatenate([rows, -1 - places]))
            else:
                turns = rows[balanced_draws(len(rows), self._size, rng)]
            self._order.append(turns)

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return -(-len(self._rows) * self._size // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index` of the current epoch as ``(x, y)``."""
        check_batch(index, self)
        rng = np.random.default_rng([self.seed, self.epoch, index, len(self._rows)])
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        codes, turns = places % len(self._rows), places // len(self._rows)
        # The last batch of an epoch is completed from its start.
        rows = np.array([self._order[code][turn % self._size] for code, turn in zip(codes, turns)])
        images = np.empty((len(rows), *self.files.sample_shape), "float32")
        images[rows >= 0] = self.files[rows[rows >= 0]]
        for code in np.unique(codes[rows < 0]):
            synthetic = np.flatnonzero((rows < 0) & (codes == code))
            synthetic = synthetic[np.argsort(-1 - rows[synthetic])]
            images[synthetic] = self._generate(code, -1 - rows[synthetic])
        images = np.repeat(images, 3 // images.shape[-1], axis=-1)  # grey ones, too
        if self.augment is not None:
            images = self.augment(images, rng)
        return (images + 1) / 2, np.eye(len(self._rows), dtype="float32")[codes]

    def _generate(self, code, places):
        generator = self._generators[code]
        sources = generator.read(places)
        with self._lock:  # Keras' workers share the network
            return generator.generate(places, sources, n_copies=int(places[0])).samples

    def on_epoch_end(self) -> None:
        """Draw the order and the sources of the next epoch."""
        self.epoch += 1
        self._draw_order()
