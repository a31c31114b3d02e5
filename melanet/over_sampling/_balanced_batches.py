"""Folders and balanced batches, out of core: pictures are read when they are needed."""

import threading

import keras
import numpy as np

from melanet.gan._cyclegan import CycleGAN
from melanet.gan._unpaired_dataset import balanced_draws
from melanet.over_sampling._generation import check_fits
from melanet.over_sampling._guard import Guard
from melanet.over_sampling._presets import PRESETS
from melanet.over_sampling._translator import matching_of
from melanet.preprocessing._image_form import PictureFiles


class BalancedBatches(keras.utils.PyDataset):
    """Batches in which all classes are equally frequent, for training a classifier.

    As if rare classes had been over-sampled, but nothing is stored: an epoch shows every picture
    of the largest class once; of a class with a CycleGAN every picture once, and translations of
    pictures of the largest other class for the rest, made while the batch before is trained on;
    of a class without one its pictures again and again. What batch i of epoch e holds depends on
    `seed`, e and i alone.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Picture files.
    y : array-like of shape (n,)
        Their labels.
    cyclegans : dict
        label -> CycleGAN that translates into the class, its "B", or what
        `melanet.CycleGAN.from_pretrained` takes.
    batch_size : int, default=32
        Pictures in a batch.
    size : int, (int, int) or None, default=None
        Side, or height and width; None takes that of the first CycleGAN. All must have it.
    seed : int, default=0
        Seed of order, sources and augmentation.
    augment : callable or None, default=None
        ``augment(images, rng) -> images`` in [-1, 1], applied to real and translated pictures
        alike, such as `melanet.images.Augmentation`.
    match : bool, default=True
        Whether translations get the sharpness and the pixel values of the class's real pictures,
        as those of `melanet.GANOversampler` do (see `melanet.over_sampling.Matching`).
    guard : bool, default=True
        Whether translations that hardly differ from their source, or are of one value, are
        replaced by real pictures of the class.
    **kwargs
        Passed to ``keras.utils.PyDataset``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the targets' columns.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or a CycleGAN is for a class that is not there or
        for another size.

    See Also
    --------
    melanet.over_sampling.oversample_files : Writes translations to files, once.

    Notes
    -----
    A batch is ``(x, y)``: images in [0, 1] of shape (batch_size, height, width, 3), float32, and
    one-hot targets of shape (batch_size, n_classes), float32. Compare with training without
    translations; results are no basis for a diagnosis.

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
        paths,
        y,
        cyclegans,
        batch_size=32,
        *,
        size=None,
        seed=0,
        augment=None,
        match=True,
        guard=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self._rows = [np.flatnonzero(codes == code) for code in range(len(self.classes_))]
        if len(self._rows) < 2 or len(codes) != len(paths):
            raise ValueError(
                "y must hold a label for each of the paths, of two classes or more. Received: "
                f"{len(codes)} labels, {len(paths)} paths, classes {self.classes_.tolist()}"
            )
        models = {label: CycleGAN.from_pretrained(gan) for label, gan in cyclegans.items()}
        if size is None:
            size = next((gan.sample_shape[:2] for gan in models.values()), 256)
        self.files = PictureFiles(paths, size)
        self._gans = {}
        for label, gan in models.items():
            check_fits(label, gan, self.classes_, self.files.sample_shape)
            self._gans[int(np.flatnonzero(self.classes_ == label)[0])] = gan
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.epoch, self._lock = 0, threading.Lock()
        self._guards = {code: self._guard(code) for code in self._gans} if guard else {}
        self._matchings = {code: self._matching(code) for code in self._gans} if match else {}
        self._draw_order()

    def _sources(self, code):
        others = [rows for other, rows in enumerate(self._rows) if other != code]
        return max(others, key=len)

    def _guard(self, code):
        rng = np.random.default_rng([self.seed, code])
        sources, own = self._sources(code), self._rows[code]
        return Guard(self.files.few(sources, rng), self.files.few(own, rng))

    def _matching(self, code):
        rng = np.random.default_rng([self.seed, code, 1])
        sources, own = self.files.drawn(self._sources(code), rng), self._rows[code]
        gan, read = self._gans[code], self.files.read
        return matching_of(PRESETS["default"], gan, read, sources, self.files.few(own, rng))[0]

    def _draw_order(self):
        most = max(map(len, self._rows))
        self._order = []
        for code, rows in enumerate(self._rows):
            rng = np.random.default_rng([self.seed, self.epoch, code])
            if code not in self._gans:
                chosen, made = rows[balanced_draws(len(rows), most, rng)], np.zeros(most, bool)
            else:
                sources, n = self._sources(code), most - len(rows)
                chosen = np.concatenate([rows, sources[balanced_draws(len(sources), n, rng)]])
                mixed = rng.permutation(most)
                chosen, made = chosen[mixed], mixed >= len(rows)
            self._order.append((chosen, made))

    def __len__(self):
        return -(-len(self._rows) * max(map(len, self._rows)) // self.batch_size)

    def __getitem__(self, index):
        """Return batch `index` of the present epoch as ``(x, y)``."""
        rng = np.random.default_rng([self.seed, self.epoch, index, len(self._rows)])
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        codes, places = places % len(self._rows), places // len(self._rows)
        picked = [self._order[code] for code in codes]
        # The last batch of an epoch is filled up from the epoch's start.
        chosen = np.array([rows[place % len(rows)] for (rows, _), place in zip(picked, places)])
        made = np.array([flags[place % len(flags)] for (_, flags), place in zip(picked, places)])
        images = self.files.read(chosen)
        for code in np.unique(codes[made]):
            part = np.flatnonzero(made & (codes == code))
            images[part] = self._translated(code, images[part], rng)
        if self.augment is not None:
            images = self.augment(images, rng)
        return (images + 1) / 2, np.eye(len(self._rows), dtype="float32")[codes]

    def _translated(self, code, images, rng):
        with self._lock:
            made = self._gans[code].translate(images, to="B", batch_size=len(images))
        failed = np.zeros(0, int)
        if code in self._guards:
            failed = np.flatnonzero(~self._guards[code].passes(made, images))
        if code in self._matchings:
            made = self._matchings[code](made)
        if len(failed):
            made[failed] = self.files.read(rng.choice(self._rows[code], len(failed)))
        return made

    def on_epoch_end(self):
        """Draw the next epoch's order and sources."""
        self.epoch += 1
        self._draw_order()
