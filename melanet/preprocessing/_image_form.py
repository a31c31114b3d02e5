"""Images as the user holds them, and what range their values span."""

import numpy as np

from melanet.images._io import check_paths, check_size, load_images
from melanet.preprocessing._containers import dense
from melanet.utils._chunks import samples_that_fit

_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_SLACK = 1e-3  # of a range's width, by which rounding may leave it
_BLOCK_BYTES = 1 << 20  # of numbers that are converted at a time, so that they stay in the cache


def infer_value_range(X):
    """Tell the range that an array's values were scaled to, from its dtype and limits.

    Booleans span [0, 1] and integers of 8 or 16 bits their dtype's range. Floats that lie within
    [0, 1], [-1, 1] or [0, 255], but for rounding, take that range, in this order. Integers of 32
    or 64 bits, whose dtype's range no picture fills, take [0, 255] if they lie within. The data's
    own minimum and maximum are never used: a model that is trained on one set must see the next
    one on the same scale.

    Parameters
    ----------
    X : ndarray
        Images of any shape, not empty.

    Returns
    -------
    tuple of float
        (low, high).

    Raises
    ------
    ValueError
        If the values fit none of the ranges: the user has to say.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._image_form import infer_value_range
    >>> infer_value_range(np.zeros((1, 8, 8), "uint8"))
    (0.0, 255.0)
    >>> infer_value_range(np.array([[-0.5, 0.5]]))
    (-1.0, 1.0)
    """
    if X.dtype == bool:
        return 0.0, 1.0
    if X.dtype.kind in "iu" and X.dtype.itemsize <= 2:
        limits = np.iinfo(X.dtype)
        return float(limits.min), float(limits.max)
    low, high = X.min(), X.max()
    candidates = _FLOAT_RANGES if X.dtype.kind == "f" else _FLOAT_RANGES[-1:]
    for start, stop in candidates:
        slack = _SLACK * (stop - start)
        if start - slack <= low and high <= stop + slack:
            return start, stop
    raise ValueError(
        "value_range cannot be told from X: its values lie within none of "
        f"{', '.join(f'[{a:g}, {b:g}]' for a, b in candidates)}. Received: dtype {X.dtype}, "
        f"values from {low:g} to {high:g}. Give value_range=(low, high), the limits that "
        "pixels can take."
    )


class ImageForm:
    """Images as the user holds them: layout, dtype and value range.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample in the user's array: (H, W), (H, W, C), or (H * W * C,) for rows.
    image_shape : tuple of int
        (H, W, C).
    dtype : str
        The user's dtype.
    value_range : (float, float)
        Limits that pixels can take.
    """

    kind = "images"

    def __init__(self, sample_shape, image_shape, dtype, value_range):
        self.sample_shape = tuple(sample_shape)
        self.image_shape = tuple(image_shape)
        self.dtype = np.dtype(dtype)
        self.value_range = tuple(float(v) for v in value_range)

    @property
    def tensor_shape(self):
        """Tuple of int: shape of one encoded sample."""
        return self.image_shape

    def check(self, X):
        """Raise ValueError if the samples' shape differs or a value is outside the value range."""
        if X.shape[1:] != self.sample_shape:
            shape = ", ".join(map(str, self.sample_shape))
            raise ValueError(
                f"X must have the shape (n, {shape}), n samples as in fit; one alone is X[None]. "
                f"Received: shape {X.shape}"
            )
        if (X.dtype.kind == "f") != (self.dtype.kind == "f"):
            raise ValueError(
                f"X must hold the kind of numbers that were given to fit, {self.dtype}, on the "
                f"same scale. Received: {X.dtype}"
            )
        low, high = self.value_range
        slack = _SLACK * (high - low) if X.dtype.kind == "f" else 0.0
        if X.size and not (X.min() >= low - slack and X.max() <= high + slack):
            raise ValueError(
                f"X has values outside value_range=({low:g}, {high:g}). "
                f"Received: values from {X.min():g} to {X.max():g}"
            )

    def encode(self, X):
        """Return ``(n, H, W, C)`` float32 in [-1, 1]; X must be of this form.

        Raises
        ------
        ValueError
            As `check` does.
        """
        X = dense(X)
        self.check(X)
        low, high = self.value_range
        tensor = np.empty((len(X), *self.image_shape), "float32")
        for part in self._blocks(len(X)):
            block = X[part].astype(self._precision).reshape(-1, *self.image_shape)
            block -= low
            block *= 2.0 / (high - low)
            block -= 1.0
            tensor[part] = np.clip(block, -1.0, 1.0, out=block)
        return tensor

    def decode(self, tensor):
        """Return samples in the user's layout, dtype and range; floats in between are rounded."""
        low, high = self.value_range
        X = np.empty((len(tensor), *self.sample_shape), self.dtype)
        for part in self._blocks(len(X)):
            block = np.clip(tensor[part], -1.0, 1.0).astype(self._precision)
            block += 1.0
            block *= (high - low) / 2.0
            block += low
            if self.dtype == bool:
                block = block > 0.5
            elif self.dtype.kind in "iu":
                np.rint(block, out=block)
            X[part] = np.clip(block, low, high).reshape(-1, *self.sample_shape)
        return X

    @property
    def _precision(self):
        # Float32 does not hold the ends of wide integers.
        return "float64" if self.dtype.itemsize > 2 and self.dtype.kind in "iu" else "float32"

    def _blocks(self, n):
        step = max(1, _BLOCK_BYTES // (4 * int(np.prod(self.image_shape))))
        return [slice(start, start + step) for start in range(0, n, step)]

    def to_config(self):
        """Return what JSON can hold of it."""
        return {
            "kind": self.kind,
            "sample_shape": self.sample_shape,
            "image_shape": self.image_shape,
            "dtype": self.dtype.str,
            "value_range": self.value_range,
        }


class EncodedImages:
    """Images that are encoded when some are asked for, so that no second set is held.

    Parameters
    ----------
    form : ImageForm
        Of the images.
    X : array-like of shape (n, *form.sample_shape)
        The images.

    Raises
    ------
    ValueError
        If X is not of the form.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._image_form import EncodedImages, ImageForm
    >>> images = np.full((3, 8, 8), 255, "uint8")
    >>> samples = EncodedImages(ImageForm((8, 8), (8, 8, 1), "uint8", (0, 255)), images)
    >>> samples.shape, float(samples[[0, 2]].min())
    ((3, 8, 8, 1), 1.0)
    """

    def __init__(self, form, X):
        self._form, self._X = form, dense(X)
        form.check(self._X)
        self.shape = (len(self._X), *form.tensor_shape)

    def __len__(self):
        return len(self._X)

    def __getitem__(self, rows):
        """Return some of them, of a slice or an array of rows, as `ImageForm.encode` does."""
        return self._form.encode(self._X[rows])


class PictureFiles:
    """Picture files as samples in [-1, 1], read when they are asked for.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Picture files of any kind that Pillow reads.
    size : int or (int, int)
        Side, or height and width, that pictures are resized to.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.preprocessing._image_form import PictureFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "white.png")
    ...     Image.new("RGB", (9, 9), (255, 255, 255)).save(path)
    ...     samples = PictureFiles([path], 8).read([0, 0])
    >>> samples.shape, float(samples.min())
    ((2, 8, 8, 3), 1.0)
    """

    def __init__(self, paths, size):
        self.paths = np.array(check_paths(paths))
        self.sample_shape = (*check_size(size), 3)
        self.form = ImageForm(self.sample_shape, self.sample_shape, "uint8", (0, 255))

    def __len__(self):
        return len(self.paths)

    def read(self, rows, n_jobs=None):
        """Return the samples of some rows.

        Parameters
        ----------
        rows : sequence of int
            Positions in `paths`.
        n_jobs : int or None, default=None
            Threads; None takes one for each processor.

        Returns
        -------
        ndarray of shape (n, height, width, 3), float32
            In [-1, 1].

        Raises
        ------
        ValueError
            Naming the files that cannot be read.
        """
        paths = [self.paths[row].item() for row in rows]
        return self.form.encode(load_images(paths, self.sample_shape[:2], n_jobs=n_jobs))

    def drawn(self, rows, rng, most=300):
        """Return some of `rows`: at most so many, and as many as fill 64 MiB."""
        most = max(2, min(most, samples_that_fit(self.sample_shape)))
        if len(rows) > most:
            rows = np.sort(rng.choice(rows, most, replace=False))
        return rows

    def few(self, rows, rng, most=300):
        """Return the samples of the rows that are `drawn`."""
        return self.read(self.drawn(rows, rng, most))
