"""Checks of single parameters, with errors that name the parameter and its value."""

from collections.abc import Iterable, Sized
from numbers import Integral
from typing import Any

import numpy as np

_SLACK = 1e-3  # rounding by which values may leave [-1, 1]


def is_integer(value: Any, least: int = 1) -> bool:
    """Return whether `value` is an integer, no boolean, and at least `least`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_integer(name: str, value: Any, least: int) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not is_integer(value, least):
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {kind}. Received: {name}={value!r}")


def check_positive_integer(name: str, value: Any, optional: bool = False) -> None:
    """Raise ValueError unless `value` is a positive integer, or None if `optional`."""
    if not (optional and value is None):
        check_integer(name, value, 1)


def check_batch(index: int, batches: Sized) -> None:
    """Raise IndexError unless an epoch has batch `index`.

    A loop over a ``PyDataset`` ends by it: in Keras 3.9 the class has no ``__iter__``.
    """
    if not 0 <= index < len(batches):
        raise IndexError(
            f"An epoch has batches from 0 to {len(batches) - 1}. Received: index={index}"
        )


def as_symmetric(name: str, x: Any) -> np.ndarray:
    """Return samples in [-1, 1] as a float32 array.

    Raises
    ------
    ValueError
        If `x` is masked, holds integers or booleans, which are pixels that nobody has scaled yet,
        or leaves [-1, 1].
    """
    check_unmasked(name, x)
    x = np.asarray(x)
    check_scaled(name, x)
    x = x.astype("float32", copy=False)
    check_symmetric_range(name, x)
    return x


def check_scaled(name: str, x: np.ndarray) -> None:
    """Raise ValueError for integers and booleans, which are pixels, where [-1, 1] is expected."""
    if x.size and x.dtype.kind in "iub":
        raise ValueError(
            f"{name} must hold floats in [-1, 1]; scale it first (for 8-bit images: "
            f"x / 127.5 - 1). Received: dtype {x.dtype}, values from {x.min()} to {x.max()}"
        )


def check_symmetric_range(name: str, x: np.ndarray) -> None:
    """Raise ValueError if a value of `x` is NaN or, beyond rounding, outside [-1, 1].

    Parameters
    ----------
    name : str
        Name of the parameter, for the message.
    x : ndarray
        Samples of any shape; an empty array passes.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.utils._validation import check_symmetric_range
    >>> check_symmetric_range("X", np.array([0.0, 255.0]))
    Traceback (most recent call last):
      ...
    ValueError: X must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - 1). \
Received values from 0.0 to 255.0
    """
    # Negated, so that NaN fails.
    if x.size and not (x.min() >= -1 - _SLACK and x.max() <= 1 + _SLACK):
        raise ValueError(
            f"{name} must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - 1). "
            f"Received values from {x.min()} to {x.max()}"
        )


def check_unmasked(name: str, x: Any) -> None:
    """Raise ValueError for a masked array, whose mask would be lost, or a sequence of them.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.utils._validation import check_unmasked
    >>> check_unmasked("X", np.ma.masked_equal([3, 7, 7], 7))
    Traceback (most recent call last):
      ...
    ValueError: X must not be a masked array, since its mask would be lost. Received: 2 masked \
values. Fill them, for instance with X.filled(0), or leave these samples out
    """
    parts = x if isinstance(x, (list, tuple)) else [x]
    masked = [part for part in parts if isinstance(part, np.ma.MaskedArray)]
    if masked:
        n = sum(int(np.ma.count_masked(part)) for part in masked)
        raise ValueError(
            f"{name} must not be a masked array, since its mask would be lost. Received: {n} "
            f"masked values. Fill them, for instance with {name}.filled(0), or leave these "
            "samples out"
        )


def check_value_range(value_range: Iterable[Any]) -> tuple[float, float]:
    """Return value_range as two floats, (low, high)."""
    try:
        low, high = (float(v) for v in value_range)
        valid = np.isfinite(low) and np.isfinite(high) and low < high
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "value_range must be (low, high), two finite numbers with low < high. "
            f"Received: value_range={value_range!r}"
        )
    return low, high


def to_python(label: Any) -> Any:
    """Convert a NumPy scalar to the Python object; return anything else unchanged."""
    return label.item() if isinstance(label, np.generic) else label


def join_names(names: Iterable[object], most: int = 200) -> str:
    """Join names for a message: the first `most`, and the number of the others.

    Examples
    --------
    >>> from melanet.utils._validation import join_names
    >>> join_names("abcde", most=3)
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
