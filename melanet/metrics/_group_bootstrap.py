"""Intervals for samples in groups, such as several images of a lesion: a bootstrap of groups."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

_DRAWS = 2000
_CELLS = 1 << 22  # weights in memory at a time


def wilson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's interval of a rate; NaN for no samples."""
    if not total:
        return math.nan, math.nan
    low, high = binomtest(count, total).proportion_ci(confidence, method="wilson")
    return float(low), float(high)


def group_intervals(
    positive: NDArray[np.bool_],
    score: np.ndarray,
    threshold: float,
    groups: np.ndarray,
    values: Mapping[str, float],
    confidence: float,
) -> dict[str, float]:
    """Return intervals of AUC, sensitivity and specificity from draws of whole groups.

    Parameters
    ----------
    positive : ndarray of bool of shape (n,)
        Whether a sample is positive.
    score : ndarray of shape (n,)
        Scores.
    threshold : float
        Scores of at least this are called positive.
    groups : ndarray of shape (n,)
        Group of each sample.
    values : dict
        "auc", "sensitivity" and "specificity" of all samples.
    confidence : float
        Nominal coverage.

    Returns
    -------
    dict
        The three names with "_low" and "_high", "auc_se" and "n_groups".
    """
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    called = score >= threshold
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # of equal scores
    rng = np.random.default_rng(0)
    step = max(1, _CELLS // len(score))
    draws: dict[str, list[np.ndarray]] = {"auc": [], "sensitivity": [], "specificity": []}
    for first in range(0, _DRAWS, step):
        size = min(step, _DRAWS - first)
        drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)
        weights = drawn[:, codes].astype(float)
        draws["auc"].append(_weighted_auc(weights[:, order], positive[order], starts))
        draws["sensitivity"].append(_weighted_share(weights, positive, called))
        draws["specificity"].append(_weighted_share(weights, ~positive, ~called))
    with_samples = [len(np.unique(codes[part])) for part in (positive, ~positive)]
    groups_of = {"auc": min(with_samples), "sensitivity": with_samples[0]}
    groups_of["specificity"] = with_samples[1]
    found: dict[str, float] = {"n_groups": n_groups, "auc_se": math.nan}
    tail = (1 - confidence) / 2
    for name, parts in draws.items():
        low = high = math.nan
        values_drawn = np.concatenate(parts)
        values_drawn = values_drawn[np.isfinite(values_drawn)]  # without draws of one class
        if name != "auc" and values[name] in (0, 1):
            low, high = wilson(round(values[name]) * groups_of[name], groups_of[name], confidence)
        elif groups_of[name] > 1 and values_drawn.std() > 0:
            low, high = map(float, np.quantile(values_drawn, (tail, 1 - tail)))
            if name == "auc":
                found["auc_se"] = float(values_drawn.std(ddof=1))
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found


def _weighted_share(weights, members, right):
    """Return the weighted share of members that are right, for each row of weights."""
    with np.errstate(invalid="ignore"):
        return weights[:, members & right].sum(axis=1) / weights[:, members].sum(axis=1)


def _weighted_auc(weights, positive, starts):
    """Return weighted AUCs; samples are sorted by score, and `starts` begin equal scores."""
    above = np.add.reduceat(weights * positive, starts, axis=1)
    below = np.add.reduceat(weights * ~positive, starts, axis=1)
    won = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return won / (above.sum(axis=1) * below.sum(axis=1))
