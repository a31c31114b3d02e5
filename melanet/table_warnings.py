"""What about a table's classes bodes ill, said before anything is trained."""

import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from melanet.input_checks import plain

_FEW = 5
_MOST_OTHERS = 2000  # other rows that the forest sees: enough for a warning
_BY_CHANCE = 0.55  # area under the ROC curve; chance is .5


def warn_of_hopeless(samples, y, labels):
    """Warn of classes that translations can hardly help.

    Parameters
    ----------
    samples : ndarray of shape (n, width), float32
        Encoded rows.
    y : ndarray of shape (n,)
        Their labels.
    labels : iterable
        Classes that are to be filled up.

    Warns
    -----
    UserWarning
        If a class has at most five samples or a single distinct row, if all of its rows occur
        in other classes, too, or if a random forest, out of bag, tells it from the others hardly
        better than chance.
    """
    if (samples == samples[0]).all():
        warnings.warn("All rows of X are the same: there is nothing to learn.", stacklevel=6)
        return
    rows = {row.tobytes() for row in samples}
    twins = len(samples) - len(rows)
    for label in labels:
        own = y == label
        for problem in _problems(samples, own, twins):
            warnings.warn(f"Class {plain(label)!r}: {problem}", stacklevel=6)


def _problems(samples, own, twins):
    n = int(own.sum())
    distinct = {row.tobytes() for row in samples[own]}
    if len(distinct) == 1 and n > 1:
        yield f"its {n} samples are one and the same row; what is made can hardly differ from it."
    elif n <= _FEW:
        yield (
            f"{n} samples are few to learn a class from; most of what is made will lie between "
            "them. Check by cross-validation whether over-sampling helps."
        )
    if twins:
        shared = distinct & {row.tobytes() for row in samples[~own]}
        if len(shared) == len(distinct):
            yield (
                "all of its rows occur in other classes, too: the columns do not tell it from "
                "them. Check the labels."
            )
            return
    if n > _FEW and _told_apart(samples, own) < _BY_CHANCE:
        yield (
            "a random forest tells it from the others hardly better than chance. Labels may be "
            "swapped, or the columns say nothing about the class; over-sampling mends neither."
        )


def _told_apart(samples, own):
    """Return the area under the ROC curve of a random forest, out of bag."""
    rng = np.random.default_rng(0)
    others = rng.permutation(np.flatnonzero(~own))[:_MOST_OTHERS]
    rows = np.concatenate([np.flatnonzero(own), others])
    forest = RandomForestClassifier(
        min_samples_leaf=3, class_weight="balanced_subsample", oob_score=True, random_state=0
    )
    forest.fit(samples[rows], own[rows])
    scores = forest.oob_decision_function_[:, 1]
    known = np.isfinite(scores)
    return roc_auc_score(own[rows][known], scores[known])
