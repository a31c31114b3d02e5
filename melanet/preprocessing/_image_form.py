"""Conversion between the user's images and float32 tensors in [-1, 1]."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from melanet.preprocessing._containers import dense

_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_SLACK = 1e-3  # tolerance for rounding, as a fraction of the range's width
_BLOCK_BYTES = 1 << 20  # converted at a time, so that the block stays in the processor's cache


def infer_value_range(X: np.ndarray) -> tuple[float, float]:
    """Infer the range to which pixels were scaled, from their dtype and extremes.

    The range of booleans is [0, 1], that of 8-bit and 16-bit integers the range of their dtype.
    Floats have the first of the ranges [0, 1], [-1, 1] and [0, 255] that contains them, up to
    rounding. Integers of 32 or 64 bits have the range [0, 255] if they lie within it. The
    minimum and maximum of the data are never the range themselves, because a trained model must
    see the next data set on the same scale.

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
        If none of the ranges contains the values.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import infer_value_range
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
        "value_range cannot be inferred from X, whose values lie within none of "
        f"{', '.join(f'[{a:g}, {b:g}]' for a, b in candidates)}. Received: dtype {X.dtype}, "
        f"values from {low:g} to {high:g}. Give value_range=(low, high), the smallest and "
        "the largest value that a pixel can have."
    )


class ImageForm:
    """Layout, dtype and value range of the user's images.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample in the user's array: (H, W), (H, W, C), or (H * W * C,) for rows of
        pixels.
    image_shape : tuple of int
        (H, W, C).
    dtype : dtype
        Dtype of the user's array.
    value_range : (float, float)
        Smallest and largest value that a pixel can have.
    """

    kind = "images"

    def __init__(
        self,
        sample_shape: Iterable[int],
        image_shape: Iterable[int],
        dtype: DTypeLike,
        value_range: Iterable[float],
    ):
        self.sample_shape = tuple(sample_shape)
        self.image_shape = tuple(image_shape)
        self.dtype = np.dtype(dtype)
        low, high = value_range
        self.value_range = (float(low), float(high))

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one encoded sample."""
        return self.image_shape

    def check(self, X: np.ndarray) -> None:
        """Raise ValueError if samples differ in shape or kind, or exceed the value range."""
        if X.shape[1:] != self.sample_shape:
            shape = ", ".join(map(str, self.sample_shape))
            raise ValueError(
                f"X must have the shape (n, {shape}), as in fit; a single sample is X[None]. "
                f"Received: shape {X.shape}"
            )
        if (X.dtype.kind == "f") != (self.dtype.kind == "f"):
            raise ValueError(
                f"X must have the kind of numbers that were given to fit, {self.dtype}, on the "
                f"same scale. Received: {X.dtype}"
            )
        low, high = self.value_range
        slack = _SLACK * (high - low) if X.dtype.kind == "f" else 0.0
        if X.size and not (X.min() >= low - slack and X.max() <= high + slack):
            raise ValueError(
                f"X has values outside value_range=({low:g}, {high:g}). "
                f"Received: values from {X.min():g} to {X.max():g}"
            )

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Scale samples to [-1, 1].

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, *sample_shape)
            Samples in this form.

        Returns
        -------
        ndarray of shape (n, H, W, C), float32

        Raises
        ------
        ValueError
            If X does not have this form; see `check`.
        """
        X = dense(X)
        self.check(X)
        low, high = self.value_range
        tensor = np.empty((len(X), *self.image_shape), "float32")
        for rows in self._blocks(len(X)):
            block = X[rows].astype(self._precision).reshape(-1, *self.image_shape)
            block -= low
            block *= 2.0 / (high - low)
            block -= 1.0
            tensor[rows] = np.clip(block, -1.0, 1.0, out=block)
        return tensor

    def decode(self, tensor: np.ndarray) -> np.ndarray:
        """Convert tensors in [-1, 1] to the user's layout, dtype and range.

        Values outside [-1, 1] are clipped; for an integer dtype the result is rounded.
        """
        low, high = self.value_range
        X = np.empty((len(tensor), *self.sample_shape), self.dtype)
        for rows in self._blocks(len(X)):
            block = np.clip(tensor[rows], -1.0, 1.0).astype(self._precision)
            block += 1.0
            block *= (high - low) / 2.0
            block += low
            if self.dtype == bool:
                block = block > 0.5
            elif self.dtype.kind in "iu":
                np.rint(block, out=block)
            X[rows] = np.clip(block, low, high).reshape(-1, *self.sample_shape)
        return X

    @property
    def _precision(self):
        # float32 cannot represent the limits of wide integers exactly.
        return "float64" if self.dtype.itemsize > 2 and self.dtype.kind in "iu" else "float32"

    def _blocks(self, n):
        """Return slices of n samples, each of which fits into the processor's cache."""
        step = max(1, _BLOCK_BYTES // (4 * int(np.prod(self.image_shape))))
        return [slice(start, start + step) for start in range(0, n, step)]

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-serializable dict, for `form_from_config`."""
        return {
            "kind": self.kind,
            "sample_shape": self.sample_shape,
            "image_shape": self.image_shape,
            "dtype": self.dtype.str,
            "value_range": self.value_range,
        }
