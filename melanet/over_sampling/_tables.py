"""Rows of a class used once more: each moved towards a near row of the same class."""

import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from melanet.preprocessing._containers import take
from melanet.utils._validation import to_python

_NEIGHBOURS = 5  # SMOTE's default


def near_copies(form, X, samples, y, sources, seed):
    """Return a row between each source and one of its nearest neighbours in its class.

    The neighbours are sought among encoded rows, where no column outweighs the others; the line
    is drawn in the user's own units, as SMOTE (Chawla et al., 2002) draws it.

    Parameters
    ----------
    form : TableForm
        Of the table.
    X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
        Original rows.
    samples : ndarray of shape (n, width), float32
        The same, encoded.
    y : ndarray of shape (n,)
        Labels.
    sources : ndarray of int of shape (m,)
        Rows that are used once more.
    seed : int
        Seed of the choice.

    Returns
    -------
    ndarray of shape (m, n_columns)
        As `TableForm.decode` returns.
    """
    partners = sources.copy()
    shares = np.zeros(len(sources))
    for code, label in enumerate(np.unique(y)):
        chosen = np.flatnonzero(y[sources] == label)
        own = np.flatnonzero(y == label)
        k = min(_NEIGHBOURS, len(own) - 1)
        if not len(chosen) or not k:
            continue
        # Seeded by the class: what one class gets does not hang on the others.
        rng = np.random.default_rng([seed, code])
        finder = NearestNeighbors(n_neighbors=k).fit(samples[own])
        near = finder.kneighbors(return_distance=False)[np.searchsorted(own, sources[chosen])]
        partners[chosen] = own[near[np.arange(len(chosen)), rng.integers(k, size=len(chosen))]]
        shares[chosen] = rng.uniform(size=len(chosen))
    return form.between(take(X, sources), take(X, partners), shares)


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
            warnings.warn(f"Class {to_python(label)!r}: {problem}", stacklevel=6)


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
