"""Paired differences over repeated folds: corrected t-test, Holm's correction, repeats needed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

LEVEL = 0.05
_MOST_FOLDS = 1000


class Paired(NamedTuple):
    """Mean difference of two remedies over common folds.

    Parameters
    ----------
    mean, low, high : float
        Mean difference and its 95 % interval.
    p_value : float
        Two-sided, not corrected for multiplicity.
    n_folds : int
        Common folds.
    """

    mean: float
    low: float
    high: float
    p_value: float
    n_folds: int


def corrected_t_test(differences: ArrayLike, ratio: float) -> Paired:
    r"""Test whether a mean of paired differences over resampled splits is zero.

    Folds share training samples, so their differences are correlated and the usual t-test calls
    noise significant far too often. Nadeau and Bengio [1]_ replace its variance
    :math:`s^2 / J` by :math:`s^2 (1/J + n_{test}/n_{train})`.

    Parameters
    ----------
    differences : array-like of shape (J,)
        Difference on each common fold.
    ratio : float
        Test samples for each training sample.

    Returns
    -------
    Paired
        NaN for the interval and 1 for the p-value if there are fewer than two folds.

    References
    ----------
    .. [1] Nadeau, C., & Bengio, Y. (2003). Inference for the generalization error. Machine
       Learning, 52, 239-281.

    Examples
    --------
    >>> from melanet.metrics._paired_differences import corrected_t_test
    >>> found = corrected_t_test([0.1, 0.2, 0.3, 0.2], ratio=0.25)
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.2, 0.016, 0.384)
    """
    values = np.asarray(differences, float)
    n = len(values)
    if n < 2:
        mean = float(values.mean()) if n else math.nan
        return Paired(mean, math.nan, math.nan, 1.0, n)
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    error = spread * math.sqrt(1 / n + ratio)
    if error < 1e-12:
        return Paired(mean, mean, mean, float(abs(mean) < 1e-12), n)
    half = float(student.ppf(1 - LEVEL / 2, n - 1)) * error
    p_value = 2 * float(student.sf(abs(mean) / error, n - 1))
    return Paired(mean, mean - half, mean + half, p_value, n)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Return p-values corrected for their number by Holm's step-down method.

    Examples
    --------
    >>> from melanet.metrics._paired_differences import holm
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, float)
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return corrected


def folds_needed(differences: ArrayLike, ratio: float, wanted: float) -> float:
    """Return how many folds make the interval no wider than plus or minus a difference.

    Parameters
    ----------
    differences : array-like of shape (J,)
        Differences observed, for their spread.
    ratio : float
        Test samples for each training sample.
    wanted : float
        Difference that should be told from zero.

    Returns
    -------
    float
        Infinite if no number of folds of the same data suffices; NaN if the spread is unknown.
    """
    values = np.asarray(differences, float)
    if len(values) < 2:
        return math.nan
    spread = float(values.std(ddof=1))
    for n in range(2, _MOST_FOLDS + 1):
        half = float(student.ppf(1 - LEVEL / 2, n - 1)) * spread * math.sqrt(1 / n + ratio)
        if half <= wanted:
            return n
    return math.inf


def samples_factor(differences: ArrayLike, ratio: float, wanted: float) -> float:
    """Return by how much the rare samples must grow where no number of folds suffices.

    The variance of a difference is taken to fall with the number of rare samples.
    """
    spread = float(np.asarray(differences, float).std(ddof=1))
    return float(student.ppf(1 - LEVEL / 2, _MOST_FOLDS)) ** 2 * spread**2 * ratio / wanted**2
