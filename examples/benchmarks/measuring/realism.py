"""Whether a classifier can tell pictures from real ones, on the features of an outside network."""

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from measuring.oracles import linear_classifier

_DRAWS = 5  # of equal counts, where the sets differ in size


def told_from(real, made, real_groups, made_groups, seed=0):
    """Return the cross-fitted AUC of made pictures against real ones.

    Parameters
    ----------
    real, made : ndarray of shape (n, d)
        Features.
    real_groups, made_groups : ndarray of int or str
        Pictures of a group are never on both sides of a fold: the translations of one source, or
        a picture and its augmented copy.
    seed : int
        Seed of draws and folds.

    Returns
    -------
    float
        Mean over draws of equal counts and the five folds of each.
    """
    with threadpool_limits(1):  # threads only cost time on so few samples
        return _told_from(real, made, np.asarray(real_groups), np.asarray(made_groups), seed)


def _told_from(real, made, real_groups, made_groups, seed):
    rng, n = np.random.default_rng(seed), min(len(real), len(made))
    values = []
    for draw in range(_DRAWS if len(real) != len(made) else 1):
        rows = [rng.permutation(len(part))[:n] for part in (real, made)]
        X = np.concatenate([real[rows[0]], made[rows[1]]])
        y = np.repeat([0, 1], n)
        groups = np.concatenate([real_groups[rows[0]], made_groups[rows[1]]])
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=draw)
        for train, test in folds.split(X, y, groups):
            if len(set(y[test])) == 2:
                scores = linear_classifier().fit(X[train], y[train]).decision_function(X[test])
                values.append(roc_auc_score(y[test], scores))
    return float(np.mean(values))
