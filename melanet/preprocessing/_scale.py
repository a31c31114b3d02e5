"""The scale of pixel values: learnt once, from the images of fit, and held from then on."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from melanet.exceptions import ScaleWarning
from melanet.images import likely_range
from melanet.utils._validation import check_value_range

_OVERSHOOT = 0.25  # by which floats may leave [0, 1], as they do after cubic interpolation
_ROUNDING = 1e-3  # of a range's width
_DARK = 10.0  # a set of images in [0, 255] whose brightest pixel is darker is no such set
_RATIO = 10.0  # between two scales

Range = tuple[float, float]


def infer_value_range(X: np.ndarray) -> Range:
    """Infer the range to which pixels were scaled, from their dtype and extremes.

    The range of booleans is [0, 1], that of 8-bit and 16-bit integers the range of their dtype.
    Integers of 32 or 64 bits have the range [0, 255] if they lie within it and some exceed 1.
    Floats have the range [0, 1] if all lie within [-0.25, 1.25], since interpolation overshoots;
    otherwise [-1, 1] if it contains them; otherwise [0, 255] if it contains them and the largest
    is at least 10. Between 1.25 and 10 both [0, 1] with outliers and [0, 255] would fit, and
    neither is taken. The minimum and maximum of the data are never the range themselves, because
    a trained model must see the next data set on the same scale.

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
        If none of the ranges contains the values, or two do.

    Warns
    -----
    melanet.exceptions.ScaleWarning
        If integers use only a part of their dtype's bits, such as 12 of 16.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import infer_value_range
    >>> infer_value_range(np.zeros((1, 8, 8), "uint8"))
    (0.0, 255.0)
    >>> infer_value_range(np.array([[-0.5, 0.5]]))
    (-1.0, 1.0)
    >>> infer_value_range(np.array([[-0.02, 1.06]]))
    (0.0, 1.0)
    """
    if X.dtype == bool:
        return 0.0, 1.0
    low, high = float(X.min()), float(X.max())
    whole = X.dtype.kind in "iu"
    if whole and X.dtype.itemsize <= 2:
        _warn_of_spare_bits(X.dtype, 8 * X.dtype.itemsize, low, high)
        limits = np.iinfo(X.dtype)
        return float(limits.min), float(limits.max)
    if not whole and _contains((0, 1), low, high, _OVERSHOOT):
        return 0.0, 1.0
    if not whole and _contains((-1, 1), low, high, _ROUNDING):
        return -1.0, 1.0
    if _contains((0, 255), low, high, 0.0 if whole else _ROUNDING):
        if high >= _DARK or (whole and (high > 1 or low == high)):
            if whole:
                _warn_of_spare_bits(X.dtype, 8, low, high)
            return 0.0, 255.0
        problem = "fit both [0, 1] (with outliers) and [0, 255] (nearly black)"
        if whole:
            problem = "fit both [0, 1] and [0, 255] (nearly black)"
    else:
        problem = f"lie within none of {'' if whole else '[0, 1], [-1, 1], '}[0, 255]"
    raise ValueError(
        f"value_range cannot be inferred from X, whose values {problem}. "
        f"Received: dtype {X.dtype}, values from {low:g} to {high:g}. Give "
        "value_range=(low, high), the smallest and the largest value that a pixel can have, "
        "such as value_range=(0, 1)"
    )


def _contains(value_range: Range, low: float, high: float, slack: float) -> bool:
    """Return whether a range contains two values, up to a share of its width."""
    start, stop = value_range
    slack *= stop - start
    return start - slack <= low and high <= stop + slack


def _warn_of_spare_bits(dtype, n_bits, low, high):
    """Warn if integers of a dtype use fewer of its bits than images of that dtype do."""
    if dtype.kind == "i" and dtype.itemsize * 8 == n_bits:
        n_bits -= 1  # the sign
    likely = likely_range(n_bits, low, high)
    if likely is None:
        return
    used = likely[1].bit_length()
    warnings.warn(
        f"X uses {used} of the {n_bits} bits of its range: {dtype}, values from {low:g} to "
        f"{high:g}. Its contrast is lost if pixels cannot have larger values; if so, give "
        f"value_range={likely}, or the limits of the device",
        ScaleWarning,
        stacklevel=3,
    )


@dataclass(frozen=True)
class Scale:
    """The range of pixel values, and what the images of fit used of it.

    Parameters
    ----------
    value_range : (float, float)
        Smallest and largest value that a pixel can have.
    dtype : numpy.dtype
        Dtype of the images of fit.
    seen : (float, float) or None, default=None
        Extremes of the images of fit; None takes `value_range`.
    declared : bool, default=False
        Whether the user gave the range. If not, floats on another scale are refused instead of
        warned of.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import Scale
    >>> X = np.linspace(0, 255, 16, dtype="float32").reshape(1, 4, 4)
    >>> scale = Scale.of(X)
    >>> scale.value_range
    (0.0, 255.0)
    >>> scale.check(X / 255)
    Traceback (most recent call last):
      ...
    ValueError: X must be scaled as in fit, which received float32 from 0 to 255 in \
value_range=(0, 255). Received: float32 from 0 to 1. Convert X to that scale; if it is on it and \
nearly black, give value_range=(0, 255)
    """

    value_range: Range
    dtype: np.dtype
    seen: Range | None = None
    declared: bool = False

    @classmethod
    def of(cls, X: np.ndarray, value_range: Iterable[float] | None = None) -> "Scale":
        """Learn the scale of images.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
            Images, not empty.
        value_range : (float, float) or None, default=None
            Smallest and largest value that a pixel can have; None infers them, see
            `infer_value_range`.

        Raises
        ------
        ValueError
            If the range cannot be inferred, or does not hold X.

        Warns
        -----
        melanet.exceptions.ScaleWarning
            If X hardly uses the range.
        """
        extremes = _extremes(X)
        if value_range is None:
            return cls(infer_value_range(X), X.dtype, extremes)
        limits = check_value_range(value_range)
        cls(limits, X.dtype, declared=True).check(X)
        return cls(limits, X.dtype, extremes, declared=True)

    def check_limits(self, X: np.ndarray) -> None:
        """Raise ValueError if values exceed the range, or the dtype of X cannot hold it.

        Floats may leave [0, 1] by a quarter, and any range by rounding.
        """
        low, high = self.value_range
        if X.dtype.kind in "iub":
            least, most = (0, 1) if X.dtype == bool else _integer_limits(X.dtype)
            if low < least or high > most:
                raise ValueError(
                    f"value_range must fit X's dtype {X.dtype}, which holds {least} to {most}. "
                    f"Received: value_range=({low:g}, {high:g})"
                )
        slack = 0.0
        if X.dtype.kind == "f":
            slack = _OVERSHOOT if self.value_range == (0, 1) else _ROUNDING
        if X.size and not _contains(self.value_range, *_extremes(X), slack):
            start, stop = _extremes(X)
            raise ValueError(
                f"X has values outside value_range=({low:g}, {high:g}). "
                f"Received: {X.dtype}, values from {start:g} to {stop:g}. Convert X to that "
                "range, or give its own as value_range in fit"
            )

    def check(self, X: np.ndarray) -> None:
        """Raise ValueError, or warn, if images are on another scale than those of fit.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
            Images; a part of a set may be dark without being on another scale.

        Raises
        ------
        ValueError
            If values exceed the range, or are floats of a much smaller one that was not declared.

        Warns
        -----
        melanet.exceptions.ScaleWarning
            If X is likely to be on another scale.
        """
        self.check_limits(X)
        if not X.size:
            return
        low, high = _extremes(X)
        seen = self.seen or self.value_range
        shrinks = _level(low, high) < _level(*seen) and _peak(*seen) >= _RATIO * _cap(low, high)
        grows = _level(low, high) > _level(*seen) and _peak(low, high) >= _RATIO * _cap(*seen)
        start, stop = self.value_range
        shifted = start < 0 and _is_unit(low, high) and _level(*seen) == 0 and not _is_unit(*seen)
        black = start == 0 and (low == high == 0 or seen == (0, 0))  # the same on every scale
        if black or not (shrinks or grows or shifted):
            return
        message = (
            f"X must be scaled as in fit, which received {self.dtype} from {seen[0]:g} to "
            f"{seen[1]:g} in value_range=({start:g}, {stop:g}). Received: {X.dtype} from "
            f"{low:g} to {high:g}"
        )
        if self.seen is None and self.declared:
            message = (
                f"X hardly uses value_range=({start:g}, {stop:g}). Received: {X.dtype} from "
                f"{low:g} to {high:g}"
            )
        if shrinks and X.dtype.kind == "f" and not self.declared:
            remedy = f"give value_range=({start:g}, {stop:g})"
            if self.dtype.kind in "iu":
                remedy = f"convert its dtype: X.astype({self.dtype.name!r})"
            raise ValueError(
                f"{message}. Convert X to that scale; if it is on it and nearly black, {remedy}"
            )
        warnings.warn(f"{message}. Convert X if it is on another scale", ScaleWarning, stacklevel=3)


def _extremes(X: np.ndarray) -> Range:
    return float(X.min()), float(X.max())


def _integer_limits(dtype: Any) -> tuple[int, int]:
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _peak(low: float, high: float) -> float:
    return max(abs(low), abs(high))


def _level(low: float, high: float) -> int:
    """Return 0 for the scales [0, 1] and [-1, 1], 1 for [0, 255], 2 for larger ones."""
    peak = _peak(low, high)
    return 0 if peak <= 1 + _OVERSHOOT else 1 if peak <= 255 * (1 + _OVERSHOOT) else 2


def _cap(low: float, high: float) -> float:
    """Return the largest value of a level."""
    return (1.0, 255.0, np.inf)[_level(low, high)]


def _is_unit(low: float, high: float) -> bool:
    """Return whether values can be on the scale [0, 1]."""
    return _contains((0, 1), low, high, _OVERSHOOT)
