"""Distances between samples, which reveal copies, repetitions and lack of variety."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist
from sklearn.utils import check_random_state

from melanet.preprocessing._containers import align_columns
from melanet.utils._typing import RandomState

CHUNK = 2**22  # distances in memory at a time
_MOST_PAIRED = 2000  # samples of a set of which all pairs are compared


def nearest_samples(
    points: ArrayLike, others: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Find the nearest other sample of each sample.

    Parameters
    ----------
    points : array-like of shape (n, d)
        Finite samples.
    others : array-like of shape (m, d) or None, default=None
        Samples to search; None searches `points`, except for the sample itself.

    Returns
    -------
    distances : ndarray of shape (n,)
        Root mean square differences, which do not grow with d; infinite if there is no other
        sample.
    rows : ndarray of int of shape (n,)
        Rows of `others` or `points`, the first of equally near ones; -1 if there is no other
        sample.

    Raises
    ------
    ValueError
        If the arrays are not finite, or have different numbers of columns.

    Examples
    --------
    >>> from melanet.metrics import nearest_samples
    >>> distances, rows = nearest_samples([[0.0], [5.0]], [[1.0], [4.5]])
    >>> distances.tolist(), rows.tolist()
    ([1.0, 0.5], [0, 1])
    """
    within = others is None
    x, y = check_pair(points, points if others is None else others)
    distances, rows = np.full(len(x), np.inf), np.full(len(x), -1)
    if len(y) < 1 + within:
        return distances, rows
    for start, squares, error in _square_distances(x, y):
        if within:
            diagonal = np.arange(len(squares))
            squares[diagonal, start + diagonal] = np.inf
        # Rounding hides copies: the nearest are compared again, exactly.
        nearest = squares <= squares.min(axis=1, keepdims=True) + 2 * error[:, None]
        for i, candidates in enumerate(nearest, start):
            (columns,) = candidates.nonzero()
            exact = cdist(x[i : i + 1], y[columns])[0]
            best = exact.argmin()
            rows[i], distances[i] = columns[best], exact[best]
    return distances / math.sqrt(x.shape[1]), rows


def _square_distances(x, y):
    """Yield chunks of squared distances by a matrix product: the first row, squares, errors."""
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    lengths = np.einsum("ij,ij->i", y, y)
    rounding = 4 * math.sqrt(x.shape[1]) * np.finfo("float64").eps
    step = max(1, CHUNK // len(y))
    for start in range(0, len(x), step):
        own = np.einsum("ij,ij->i", x[start : start + step], x[start : start + step])
        squares = x[start : start + step] @ (-2 * y.T)
        squares += own[:, None]
        squares += lengths
        yield start, squares, rounding * (own + lengths.max())


def distinct_share(points: ArrayLike, limit: float) -> float:
    """Return the share of points farther than `limit` from every earlier one.

    Parameters
    ----------
    points : array-like of shape (n, d)
        Finite samples.
    limit : float
        Root mean square difference.

    Returns
    -------
    float
        In (0, 1]; NaN without points.

    Examples
    --------
    >>> from melanet.metrics._distances import distinct_share
    >>> distinct_share([[0.0], [0.1], [5.0], [0.0]], 0.5)
    0.5
    """
    x, _ = check_pair(points, points)
    repeats, most = 0, limit**2 * x.shape[1]
    for start, squares, error in _square_distances(x, x) if len(x) else ():
        earlier = np.arange(len(x)) < start + np.arange(len(squares))[:, None]
        near = earlier & (squares <= most - error[:, None])
        unsure = earlier & (np.abs(squares - most) <= error[:, None])
        for i in np.flatnonzero(unsure.any(axis=1) & ~near.any(axis=1)):
            exact = cdist(x[start + i : start + i + 1], x[unsure[i]], "sqeuclidean")
            near[i, 0] = exact.min() <= most
        repeats += int(near.any(axis=1).sum())
    return 1 - repeats / len(x) if len(x) else math.nan


def diversity_ratio(
    real: ArrayLike, synthetic: ArrayLike, *, random_state: RandomState = None
) -> float:
    """Return the mean distance of two synthetic samples divided by that of two real ones.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Finite features. Of a set of more than 2000 samples, 2000 are drawn.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    float
        1 for equal diversity, 0 for a set of equal samples; NaN if a set has fewer than two
        samples, or all real ones are equal.

    Raises
    ------
    ValueError
        If the arrays are not finite, or have different numbers of columns.

    Examples
    --------
    >>> from melanet.metrics import diversity_ratio
    >>> diversity_ratio([[0.0], [2.0]], [[7.0], [8.0]])
    0.5
    """
    x, y = check_pair(real, synthetic)
    if min(len(x), len(y)) < 2:
        return math.nan
    rng = check_random_state(random_state)

    def mean_distance(points: NDArray[np.float64]) -> float:
        if len(points) > _MOST_PAIRED:
            points = points[rng.choice(len(points), _MOST_PAIRED, replace=False)]
        return float(pdist(points).mean())

    reference = mean_distance(x)
    return mean_distance(y) / reference if reference > 0 else math.nan


def check_pair(
    first: ArrayLike, second: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two sets as float64 arrays of shape (n, d), or raise ValueError."""
    pair = []
    second = align_columns("the second set", second, first)
    for name, data in (("the first set", first), ("the second set", second)):
        values = np.asarray(data, "float64")
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(
                f"{name} must have shape (n, d). Received: shape {values.shape}. Flatten images "
                "with X.reshape(len(X), -1)"
            )
        if bad := int((~np.isfinite(values)).any(axis=1).sum()):
            raise ValueError(
                f"{name} must be finite. Received: {bad} rows with NaN or infinite values. "
                "Drop them first"
            )
        pair.append(values)
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            "both sets must have the same number of columns. Received: "
            f"{pair[0].shape[1]} and {pair[1].shape[1]} columns"
        )
    return pair[0], pair[1]
