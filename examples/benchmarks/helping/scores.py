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
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity_at_90": "sensitivity at 90 % specificity",
}
LEVEL = 0.05
_MIN_DRAWS = 3  # draws of a task that a t test needs


def score(codes, probabilities):
    """Score the predictions on a test set.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        True classes; of two classes, 1 is the rare one.
    probabilities : ndarray of shape (n, n_classes)
        Predicted probabilities.

    Returns
    -------
    dict
        For two classes, the keys of `SCORES`. For more: balanced accuracy (the mean class
        accuracy), the mean of the classes' geometric means of sensitivity and specificity,
        macro F1, and the macro means of AUC and average precision, one class against the rest.
    """
    predicted = probabilities.argmax(axis=1)
    result = {"balanced_accuracy": balanced_accuracy_score(codes, predicted)}
    if probabilities.shape[1] == 2:
        rare = probabilities[:, 1]
        false, true, _ = roc_curve(codes, rare)
        result["auc"] = roc_auc_score(codes, rare)
        result["average_precision"] = average_precision_score(codes, rare)
        result["sensitivity_at_90"] = true[false <= 0.1].max()
    else:
        one_hot = np.eye(probabilities.shape[1])[codes]
        result["auc"] = roc_auc_score(one_hot, probabilities, average="macro")
        result["average_precision"] = average_precision_score(one_hot, probabilities)
        result["geometric_mean"] = geometric_mean_score(codes, predicted, average="macro")
        result["f1"] = f1_score(codes, predicted, average="macro")
    return {name: float(value) for name, value in result.items()}


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
        "mean" and "sd" over all draws; "p" of Wilcoxon's signed-rank test over all draws (NaN for
        fewer than six); "win", "tie" and "loss", the numbers of tasks by a paired t test at 5 %
        (a task of one or two draws is a tie); "lost", the positions of the lost tasks.
    """
    every = np.concatenate(differences) if differences else np.zeros(0)
    signs = [_sign(values) for values in differences]
    enough = len(every) >= 6 and np.any(every)
    return {
        "mean": every.mean() if len(every) else np.nan,
        "sd": every.std(ddof=1) if len(every) > 1 else np.nan,
        "n": len(every),
        "p": float(stats.wilcoxon(every).pvalue) if enough else np.nan,
        "win": signs.count(1),
        "tie": signs.count(0),
        "loss": signs.count(-1),
        "lost": [i for i, sign in enumerate(signs) if sign < 0],
    }


def _sign(values):
    if len(values) < _MIN_DRAWS or not np.any(values):
        return 0
    if np.ptp(values) < 1e-12:  # no spread to test against
        return int(np.sign(values[0]))
    result = stats.ttest_1samp(values, 0)
    return int(np.sign(values.mean())) if result.pvalue < LEVEL else 0
