"""Sequences of images: lists, tuples, object arrays and Series of arrays or PIL images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

_PALETTES = ("P", "PA")  # whose pixels are indices, not brightness


def is_sequence(X: Any) -> bool:
    """Return whether X is a sequence of samples that are objects of their own."""
    return (
        isinstance(X, (list, tuple))
        or is_series(X)
        or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    )


def is_series(X: Any) -> bool:
    """Return whether X is a pandas Series."""
    return hasattr(X, "iloc") and getattr(X, "ndim", 0) == 1


def check_samples_alike(X: Any) -> None:
    """Raise ValueError unless all samples of a sequence are of one kind, mode and dtype.

    Stacked in an array, others would be mixed: uint8 beside float32 on another scale, or grey
    levels beside the indices of a palette.
    """
    kinds = {_describe(sample) for sample in X}
    kinds.discard("a number")  # beside others, X is ragged, and refused as such
    if len(kinds) > 1 and kinds != {"a list", "a tuple"}:
        raise ValueError(
            "X must hold samples of one type, with one dtype or mode. "
            f"Received: {', '.join(sorted(kinds)[:5])}. Convert them to one"
        )
    if kinds & {f"a PIL image of mode {mode}" for mode in _PALETTES}:
        raise ValueError(
            "X must hold images whose pixels are brightness or colour. Received: "
            f'{kinds.pop()}, whose pixels are indices of a palette. Use image.convert("RGB")'
        )


def _describe(sample: Any) -> str:
    if isinstance(sample, Image.Image):
        return f"a PIL image of mode {sample.mode}"
    if isinstance(sample, np.ndarray):
        return f"an array of {sample.dtype}"
    if isinstance(sample, (list, tuple)):
        return f"a {type(sample).__name__}"
    # Numbers may differ in type: such samples are rows, or an error that names the shape.
    return "a number" if np.ndim(sample) == 0 else f"a {type(sample).__name__}"


def like_samples(X: Any, values: np.ndarray) -> list[Any]:
    """Convert samples in an array to the type of those in a sequence.

    Parameters
    ----------
    X : sequence
        Samples, alike, at least one.
    values : ndarray of shape (n, ...)
        Samples to convert.

    Returns
    -------
    list of length n
        PIL images of the same mode, arrays of the same dtype, or nested lists.
    """
    sample = next(iter(X))
    if isinstance(sample, Image.Image):
        return [_to_image(sample.mode, value) for value in values]
    if isinstance(sample, np.ndarray):
        return [np.array(value, dtype=sample.dtype) for value in values]
    return values.tolist()


def _to_image(mode, pixels):
    if mode == "1":
        return Image.fromarray(pixels.astype(bool))
    size = (pixels.shape[1], pixels.shape[0])
    return Image.frombytes(mode, size, np.ascontiguousarray(pixels).tobytes())


def like_sequence(X: Any, samples: Sequence[Any], index: Any = None) -> Any:
    """Return samples in a sequence of the type of X; a Series gets an index."""
    if is_series(X):
        import pandas as pd

        return pd.Series(list(samples), index=index, name=X.name, dtype=X.dtype)
    if isinstance(X, np.ndarray):
        result = np.empty(len(samples), dtype=object)
        result[:] = samples
        return result
    return tuple(samples) if isinstance(X, tuple) else list(samples)
