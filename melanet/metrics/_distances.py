"""How near samples lie to each other: copies, repetitions, variety."""

import math

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.utils import check_random_state

_CHUNK = 2**24  # distances held at a time
_MOST_PAIRED = 2000  # samples of each side, of which all pairs are compared


def nearest_samples(points, others=None):
    """Find the nearest other sample of each.

    Parameters
    ----------
    points : array-like of shape (n, d)
        Samples, finite.
    others : array-like of shape (m, d) or None, default=None
        Where to look; None looks among `points` and leaves out the sample itself.

    Returns
    -------
    distances : ndarray of shape (n,)
        Root mean square difference, so that it does not grow with d; infinite if there is none.
    rows : ndarray of int of shape (n,)
        Rows of `others`, or of `points`; -1 if there is none. Among equals the first.

    Raises
    ------
    ValueError
        If the arrays are not finite, or of different widths.

    Examples
    --------
    >>> from melanet.metrics import nearest_samples
    >>> distances, rows = nearest_samples([[0.0], [5.0]], [[1.0], [4.5]])
    >>> distances.tolist(), rows.tolist()
    ([1.0, 0.5], [0, 1])
    """
    within = others is None
    points, others = as_pair(points, points if within else others)
    distances, rows = np.full(len(points), np.inf), np.full(len(points), -1)
    if len(others) < 1 + within:
        return distances, rows
    step = max(1, _CHUNK // len(others))
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        # Not by x.x + y.y - 2 x.y, whose rounding hides copies.
        matrix = cdist(points[part], others)
        if within:
            own = np.arange(len(matrix))
            matrix[own, start + own] = np.inf
        rows[part] = matrix.argmin(axis=1)
        distances[part] = matrix.min(axis=1)
    return distances / math.sqrt(points.shape[1]), rows


def distinct_share(points, limit):
    """Return the share of points that lie farther than `limit` from every earlier one.

    Parameters
    ----------
    points : array-like of shape (n, d)
        Samples, finite.
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
    points, _ = as_pair(points, points)
    repeats, step = 0, max(1, _CHUNK // max(1, len(points)))
    for start in range(0, len(points), step):
        matrix = cdist(points[start : start + step], points) / math.sqrt(points.shape[1])
        earlier = np.arange(len(points)) < start + np.arange(len(matrix))[:, None]
        repeats += int(((matrix <= limit) & earlier).any(axis=1).sum())
    return 1 - repeats / len(points) if len(points) else math.nan


def diversity_ratio(real, synthetic, *, random_state=None):
    """Mean distance of two synthetic samples over that of two real ones.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Features, finite. Of more than 2000 samples as many are drawn.
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
        If the arrays are not finite, or of different widths.

    Examples
    --------
    >>> from melanet.metrics import diversity_ratio
    >>> diversity_ratio([[0.0], [2.0]], [[7.0], [8.0]])
    0.5
    """
    real, synthetic = as_pair(real, synthetic)
    if min(len(real), len(synthetic)) < 2:
        return math.nan
    rng = check_random_state(random_state)

    def mean_distance(points):
        if len(points) > _MOST_PAIRED:
            points = points[rng.choice(len(points), _MOST_PAIRED, replace=False)]
        return pdist(points).mean()

    reference = mean_distance(real)
    return float(mean_distance(synthetic) / reference) if reference > 0 else math.nan


def as_pair(real, synthetic):
    """Return both as float64 arrays of two dimensions and one width."""
    pair = []
    for name, values in (("the first set", real), ("the second set", synthetic)):
        values = np.asarray(values, "float64")
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(
                f"{name} must have shape (n, d). Received: shape {values.shape}. Flatten images "
                "by X.reshape(len(X), -1)"
            )
        if bad := int((~np.isfinite(values)).any(axis=1).sum()):
            raise ValueError(
                f"{name} must be finite. Received: {bad} rows with NaN or infinite values. "
                "Drop them first"
            )
        pair.append(values)
    if pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            "both sets must have one width. Received: "
            f"{pair[0].shape[1]} and {pair[1].shape[1]} columns"
        )
    return pair
