"""Test scores of a classifier, and their comparison over tasks and seeds."""

import numpy as np
from imblearn.metrics import geometric_mean_score
from scipy import stats
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
    roc_curve,
)

SCORES = {
    "auc": "area under the ROC curve",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy at .5",
    "tuned": "balanced accuracy at the threshold tuned on the held part",
    "brier": "Brier score, lower is better",
    "sensitivity_at_90": "sensitivity at 90 % specificity",
}
GROUP_SCORES = {
    "worst_group": "worst-group balanced accuracy at .5",
    "worst_group_tuned": "worst-group balanced accuracy at the tuned threshold",
    "auc_marked": "AUC among the marked",
    "worst_group_sensitivity": "worst-group sensitivity at .5",
    "worst_group_sensitivity_tuned": "worst-group sensitivity at the tuned threshold",
}
LEVEL = 0.05
_MIN_DRAWS = 3  # draws of a task that a t test needs
_RESAMPLES = 2000


def tune_threshold(rare, probabilities):
    """Return the threshold of the best balanced accuracy; of equally good ones, the middle one.

    Parameters
    ----------
    rare : ndarray of bool of shape (n,)
        Whether each sample is of the rare class.
    probabilities : ndarray of shape (n,)
        P(rare class).

    Returns
    -------
    float
        A sample is called rare if its probability is above it.
    """
    values = np.unique(probabilities)
    thresholds = np.concatenate([[-1.0], (values[:-1] + values[1:]) / 2, [2.0]])
    called = probabilities[:, None] > thresholds
    right = (called[rare].mean(axis=0) + 1 - called[~rare].mean(axis=0)) / 2
    best = np.flatnonzero(right >= right.max() - 1e-12)
    return float(thresholds[best[(len(best) - 1) // 2]])


def score(codes, probabilities, threshold=None, marked=None):
    """Score the predictions on a test set.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        True classes; of two classes, 1 is the rare one.
    probabilities : ndarray of shape (n, n_classes)
        Predicted probabilities.
    threshold : float or None
        Tuned threshold of P(rare class), for two classes.
    marked : ndarray of bool of shape (n,) or None
        Whether each image shows the nuisance of a shift.

    Returns
    -------
    dict
        For two classes, the keys of `SCORES`, and those of `GROUP_SCORES` under a shift. For more:
        balanced accuracy (the mean class accuracy), the mean of the classes' geometric means of
        sensitivity and specificity, macro F1, the macro means of AUC and average precision, one
        class against the rest, and the Brier score (mean squared distance from the one-hot label).
    """
    predicted = probabilities.argmax(axis=1)
    result = {"balanced_accuracy": balanced_accuracy_score(codes, predicted)}
    if probabilities.shape[1] == 2:
        rare = probabilities[:, 1]
        false, true, _ = roc_curve(codes, rare)
        result["auc"] = roc_auc_score(codes, rare)
        result["average_precision"] = average_precision_score(codes, rare)
        result["sensitivity_at_90"] = true[false <= 0.1].max()
        result["brier"] = np.mean((rare - codes) ** 2)
        calls = {"": predicted}
        if threshold is not None:
            calls["_tuned"] = (rare > threshold).astype(int)
            result["tuned"] = balanced_accuracy_score(codes, calls["_tuned"])
        if marked is not None:
            result["auc_marked"] = roc_auc_score(codes[marked], rare[marked])
            for suffix, called in calls.items():
                groups = [_recalls(codes[g], called[g]) for g in (marked, ~marked)]
                result[f"worst_group{suffix}"] = min(np.mean(g) for g in groups)
                result[f"worst_group_sensitivity{suffix}"] = min(g[1] for g in groups)
    else:
        one_hot = np.eye(probabilities.shape[1])[codes]
        result["auc"] = roc_auc_score(one_hot, probabilities, average="macro")
        result["average_precision"] = average_precision_score(one_hot, probabilities)
        result["geometric_mean"] = geometric_mean_score(codes, predicted, average="macro")
        result["f1"] = f1_score(codes, predicted, average="macro")
        result["brier"] = np.mean(np.sum((probabilities - one_hot) ** 2, axis=1))
    return {name: float(value) for name, value in result.items()}


def _recalls(codes, called):
    return [np.mean(called[codes == c] == c) for c in (0, 1)]


def mean_ranks(table):
    """Rank the columns of each row, the highest value first; return the mean rank of each column.

    Parameters
    ----------
    table : ndarray of shape (n_tasks, n_arms)
        Mean scores; rows with a NaN are ignored. Ties share their ranks.
    """
    table = table[np.isfinite(table).all(axis=1)]
    return stats.rankdata(-table, axis=1).mean(axis=0) if len(table) else None


def compare(differences):
    """Compare an arm with the reference over tasks and seeds.

    Parameters
    ----------
    differences : list of ndarray
        For each task, the arm's score minus the reference's, draw by draw.

    Returns
    -------
    dict
        "mean" of the tasks' means; "low" and "high", its 95 % interval by a bootstrap of the tasks
        and of the draws in each; "n", the number of draws; "won" and "lost", the positions of the
        tasks whose draws differ from 0 by a t test at 5 % after Holm's correction over the tasks.
    """
    differences = [np.asarray(d, float) for d in differences]
    p = holm([_p_value(values) for values in differences])
    clear = [np.sign(d.mean()) if q < LEVEL else 0 for d, q in zip(differences, p)]
    low, high = _interval(differences)
    return {
        "mean": float(np.mean([d.mean() for d in differences])) if differences else np.nan,
        "low": low,
        "high": high,
        "n": sum(map(len, differences)),
        "won": [i for i, sign in enumerate(clear) if sign > 0],
        "lost": [i for i, sign in enumerate(clear) if sign < 0],
    }


def _interval(differences):
    """Return the 95 % interval of the mean over tasks; NaN if there are fewer than three draws."""
    if sum(map(len, differences)) < _MIN_DRAWS:
        return np.nan, np.nan
    rng = np.random.default_rng(0)
    # Means of resampled draws, a row for each task; then of resampled tasks.
    means = np.stack(
        [d[rng.integers(len(d), size=(_RESAMPLES, len(d)))].mean(axis=1) for d in differences]
    )
    tasks = rng.integers(len(means), size=(_RESAMPLES, len(means)))
    resampled = means[tasks, np.arange(_RESAMPLES)[:, None]].mean(axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def holm(p):
    """Return p values adjusted by Holm's step-down method; NaN stays NaN and is not counted."""
    p = np.asarray(p, float)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _p_value(values):
    if len(values) < _MIN_DRAWS:
        return np.nan
    if np.ptp(values) < 1e-12:  # no spread to test against
        return 1.0 if abs(values[0]) < 1e-12 else 0.0
    return float(stats.ttest_1samp(values, 0).pvalue)
