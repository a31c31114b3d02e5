"""Conversion between the user's images and float32 tensors in [-1, 1]."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from melanet.preprocessing._containers import dense
from melanet.preprocessing._scale import Scale

_BLOCK_BYTES = 1 << 20  # converted at a time, so that the block stays in the processor's cache


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
    seen : (float, float) or None, default=None
        Extremes of the images of fit; None takes `value_range`.
    declared : bool, default=False
        Whether the user gave the range; see `Scale`.

    Attributes
    ----------
    scale : Scale
        Dtype, range and extremes, with which other images are compared.
    """

    kind = "images"

    def __init__(
        self,
        sample_shape: Iterable[int],
        image_shape: Iterable[int],
        dtype: DTypeLike,
        value_range: Iterable[float],
        seen: Iterable[float] | None = None,
        declared: bool = False,
    ):
        self.sample_shape = tuple(sample_shape)
        self.image_shape = tuple(image_shape)
        self.dtype = np.dtype(dtype)
        extremes = None if seen is None else _floats(seen)
        self.scale = Scale(_floats(value_range), self.dtype, extremes, declared)

    @property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest value that a pixel can have."""
        return self.scale.value_range

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one encoded sample."""
        return self.image_shape

    def check(self, X: np.ndarray) -> None:
        """Raise ValueError, or warn, if a set of images has another shape or scale.

        The scale is compared by `Scale.check`. `encode` does not do so, since it may get a dark
        part of a set.
        """
        self._check_shape(X)
        self.scale.check(X)

    def _check_shape(self, X):
        if X.shape[1:] != self.sample_shape:
            shape = ", ".join(map(str, self.sample_shape))
            raise ValueError(
                f"X must have the shape (n, {shape}), as in fit; a single sample is X[None]. "
                f"Received: shape {X.shape}"
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
            If X has another shape, or values outside the range. Floats may leave [0, 1] by a
            quarter and are clipped.
        """
        X = dense(X)
        self._check_shape(X)
        self.scale.check_limits(X)
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
            "seen": self.scale.seen,
            "declared": self.scale.declared,
        }


def _floats(limits: Iterable[float]) -> tuple[float, float]:
    low, high = limits
    return float(low), float(high)
