"""Measures of one fit: ranking, decisions at two thresholds, and calibration."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

# Name -> title in tables. Those with a threshold exist for two classes only.
MEASURES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy at .5",
    "balanced_accuracy_tuned": "balanced accuracy, tuned",
    "sensitivity_at_specificity": "sensitivity at 90 % specificity",
    "brier": "Brier score",
}
RANKINGS = ("auc", "average_precision")
TUNED = "balanced_accuracy_tuned"
DECISION = "balanced_accuracy"
_SPECIFICITY = 0.9


def auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve, by ranks."""
    n = int(positive.sum())
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(scores) - n)))


def average_precision(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the mean precision at the positives, each at its score, as scikit-learn does."""
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]  # of equal scores
    hits = positive[order].cumsum()[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / hits[-1])


def balanced_accuracy(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float
) -> float:
    """Return the mean of sensitivity and specificity; scores of `threshold` are positive."""
    called = scores >= threshold
    return float((called[positive].mean() + (~called[~positive]).mean()) / 2)


def tune_threshold(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the threshold with the highest balanced accuracy.

    Parameters
    ----------
    positive : ndarray of bool of shape (n,)
        Truth, with both classes.
    scores : ndarray of shape (n,)
        Scores.

    Returns
    -------
    float
        Midpoint between neighbouring scores. Of several equally good ones, the median.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.comparison._measures import tune_threshold
    >>> tune_threshold(np.array([False, False, True]), np.array([0.0, 0.25, 0.75]))
    0.5
    """
    values, inverse = np.unique(scores, return_inverse=True)
    hits = np.bincount(inverse[positive], minlength=len(values))
    alarms = np.bincount(inverse[~positive], minlength=len(values))
    # Sensitivity and false alarms if the scores from each value on are positive.
    sensitivity = hits[::-1].cumsum()[::-1] / hits.sum()
    false_alarms = alarms[::-1].cumsum()[::-1] / alarms.sum()
    gain = sensitivity - false_alarms
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    i = int(best[(len(best) - 1) // 2])
    return float(values[i] if i == 0 else (values[i - 1] + values[i]) / 2)


def sensitivity_at(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], specificity: float = _SPECIFICITY
) -> float:
    """Return the highest sensitivity of any threshold with at least this specificity."""
    negatives = np.sort(scores[~positive])
    # At most this many negatives may be called positive.
    allowed = math.floor((1 - specificity) * len(negatives) + 1e-9)
    if allowed >= len(negatives):
        return 1.0
    return float((scores[positive] > negatives[len(negatives) - 1 - allowed]).mean())


def measure(
    codes: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    positive: int | None,
    threshold: float | None = None,
) -> dict[str, float]:
    """Return all measures of one fit.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Classes of the test rows.
    probabilities : ndarray of shape (n, n_classes)
        Predicted probabilities.
    positive : int or None
        Column of the positive class; None if there are more than two classes. Then measures are
        averages over one class against the others, except for balanced accuracy, which is that
        of the most probable class.
    threshold : float or None
        Tuned threshold.

    Returns
    -------
    dict
        A float for each of `MEASURES`; NaN where a measure is undefined.
    """
    if positive is not None:
        found = _one_class(codes == positive, probabilities[:, positive])
        found[DECISION] = balanced_accuracy(codes == positive, probabilities[:, positive], 0.5)
        found[TUNED] = math.nan
        if threshold is not None:
            found[TUNED] = balanced_accuracy(
                codes == positive, probabilities[:, positive], threshold
            )
        return {name: found[name] for name in MEASURES}
    n_classes = probabilities.shape[1]
    each = [_one_class(codes == c, probabilities[:, c]) for c in range(n_classes)]
    found = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    answers = probabilities.argmax(axis=1)
    found[DECISION] = float(np.mean([(answers[codes == c] == c).mean() for c in range(n_classes)]))
    found[TUNED] = math.nan
    return {name: found[name] for name in MEASURES}


def _one_class(positive, scores):
    return {
        "auc": auc(positive, scores),
        "average_precision": average_precision(positive, scores),
        "sensitivity_at_specificity": sensitivity_at(positive, scores),
        "brier": float(np.mean((scores - positive) ** 2)),
    }
