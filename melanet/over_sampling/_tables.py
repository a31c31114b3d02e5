"""Over-sampling of tables: copies between neighbouring rows, and early warnings."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from melanet.preprocessing import TableForm
from melanet.preprocessing._containers import take
from melanet.utils._validation import to_python

_NEIGHBOURS = 5  # SMOTE's default


def interpolated_copies(
    form: TableForm,
    X: Any,
    samples: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    seed: int,
    exact: np.ndarray | None = None,
) -> Any:
    """Return a row between each of some rows and one of its nearest neighbours in its class.

    Neighbours are found among encoded rows, where no column outweighs the others; interpolation
    is in the user's own units, as in SMOTE (Chawla et al., 2002).

    Parameters
    ----------
    form : TableForm
        Form of the table.
    X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
        Original rows.
    samples : ndarray of shape (n, width), float32
        The same rows, encoded.
    y : ndarray of shape (n,)
        Labels.
    rows : ndarray of int of shape (m,)
        Rows to copy.
    seed : int
        Seed of neighbours and positions.
    exact : ndarray of bool of shape (m,) or None, default=None
        Rows that are returned as they are; None stands for none of them.

    Returns
    -------
    ndarray of shape (m, n_columns)
        As `TableForm.decode` returns.
    """
    partners = rows.copy()
    shares = np.zeros(len(rows))
    for code, label in enumerate(np.unique(y)):
        chosen = np.flatnonzero(y[rows] == label)
        own = np.flatnonzero(y == label)
        k = min(_NEIGHBOURS, len(own) - 1)
        if not len(chosen) or not k:
            continue
        # Seeded by class: independent of the other classes.
        rng = np.random.default_rng([seed, code])
        finder = NearestNeighbors(n_neighbors=k).fit(samples[own])
        near = finder.kneighbors(return_distance=False)[np.searchsorted(own, rows[chosen])]
        partners[chosen] = own[near[np.arange(len(chosen)), rng.integers(k, size=len(chosen))]]
        shares[chosen] = rng.uniform(size=len(chosen))
    if exact is not None:
        shares[exact] = 0
    return form.between(take(X, rows), take(X, partners), shares)


_FEW = 5  # samples of a class
_MAX_OTHERS = 2000  # other rows that the forest sees; enough for a warning
_NEAR_CHANCE = 0.55  # AUC; chance is 0.5


def warn_of_hopeless_classes(samples: np.ndarray, y: np.ndarray, labels: Iterable[Any]) -> None:
    """Warn of classes that over-sampling can hardly help.

    Parameters
    ----------
    samples : ndarray of shape (n, width), float32
        Encoded rows.
    y : ndarray of shape (n,)
        Labels.
    labels : iterable
        Classes to fill up.

    Warns
    -----
    UserWarning
        If a class has at most five samples or a single distinct row, if all of its rows occur
        in other classes, or if a random forest, out of bag, can hardly tell it from the others.
    """
    if (samples == samples[0]).all():
        warnings.warn("All rows of X are the same: there is nothing to learn.", stacklevel=7)
        return
    rows = {row.tobytes() for row in samples}
    twins = len(samples) - len(rows)
    for label in labels:
        own = y == label
        for problem in _problems(samples, own, twins):
            warnings.warn(f"Class {to_python(label)!r}: {problem}", stacklevel=7)


def _problems(samples: np.ndarray, own: np.ndarray, twins: int) -> Iterator[str]:
    n = int(own.sum())
    distinct = {row.tobytes() for row in samples[own]}
    if len(distinct) == 1 and n > 1:
        yield f"its {n} samples are the same row; synthetic rows will hardly differ from it."
    elif n <= _FEW:
        yield (
            f"{n} samples are few to learn a class from; most synthetic rows will lie between "
            "them. Check by cross-validation whether over-sampling helps."
        )
    if twins:
        shared = distinct & {row.tobytes() for row in samples[~own]}
        if len(shared) == len(distinct):
            yield (
                "all of its rows occur in other classes, too, so the columns cannot separate it "
                "from them. Check the labels."
            )
            return
    if n > _FEW and _out_of_bag_auc(samples, own) < _NEAR_CHANCE:
        yield (
            "a random forest separates it from the others hardly better than chance. Labels may "
            "be swapped, or the columns say nothing about the class; over-sampling cures neither."
        )


def _out_of_bag_auc(samples, own):
    """Return the out-of-bag AUC of a random forest that separates the class."""
    rng = np.random.default_rng(0)
    others = rng.permutation(np.flatnonzero(~own))[:_MAX_OTHERS]
    rows = np.concatenate([np.flatnonzero(own), others])
    forest = RandomForestClassifier(
        min_samples_leaf=3, class_weight="balanced_subsample", oob_score=True, random_state=0
    )
    forest.fit(samples[rows], own[rows])
    scores = forest.oob_decision_function_[:, 1]
    known = np.isfinite(scores)
    return roc_auc_score(own[rows][known], scores[known])
