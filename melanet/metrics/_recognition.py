"""Recognition of samples by classifiers that have not seen them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression


def make_classifier(kind: str, seed: int) -> Any:
    """Return an untrained classifier for features of images, or for rows of a table."""
    if kind == "table":
        return RandomForestClassifier(
            50, min_samples_leaf=3, class_weight="balanced_subsample", random_state=seed
        )
    return LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)


def assign_folds(codes: NDArray[np.intp], n_folds: int, seed: int) -> NDArray[np.intp]:
    """Assign samples to stratified folds.

    Unlike scikit-learn's, the folds may be more than the samples of a class.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Classes.
    n_folds : int
        Number of folds, at most the size of the largest class.
    seed : int
        Seed of the assignment.

    Returns
    -------
    ndarray of int of shape (n,)
        Fold of each sample.
    """
    folds = np.empty(len(codes), int)
    rng = np.random.default_rng(seed)
    for code in range(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == code))
        folds[rows] = (np.arange(len(rows)) + rng.integers(n_folds)) % n_folds
    return folds


def cross_recognise(
    classifier: Any,
    real: np.ndarray,
    codes: NDArray[np.intp],
    folds: NDArray[np.intp],
    synthetic: np.ndarray,
    synthetic_codes: NDArray[np.intp],
    sources: NDArray[np.intp] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recognise each sample by classifiers that have seen neither it nor its source.

    Parameters
    ----------
    classifier : scikit-learn classifier
        Classifier, cloned and trained once for each fold, on the real samples of the others.
    real, synthetic : ndarray of shape (n, d)
        Features.
    codes, synthetic_codes : ndarray of int
        Classes.
    folds : ndarray of int
        Fold of each real sample.
    sources : ndarray of int or None
        Row of `real` that each synthetic sample was made from. None lets all classifiers vote on
        every synthetic sample.

    Returns
    -------
    real_recognised, recognised : ndarray of float
        Share of the votes for the sample's class; 0 or 1 if a single classifier votes. NaN if
        there is only one class or one fold.
    """
    n_folds = int(folds.max()) + 1
    real_recognised = np.full(len(real), math.nan)
    votes = np.full((n_folds, len(synthetic)), math.nan)
    if codes.max() < 1 or n_folds < 2:
        return real_recognised, np.full(len(synthetic), math.nan)
    for fold in range(n_folds):
        training, held_out = folds != fold, np.flatnonzero(folds == fold)
        if len(np.unique(codes[training])) < 2:
            continue
        fitted = clone(classifier).fit(real[training], codes[training])
        if len(held_out):
            real_recognised[held_out] = fitted.predict(real[held_out]) == codes[held_out]
        judged = np.ones(len(synthetic), bool) if sources is None else folds[sources] == fold
        if judged.any():
            votes[fold, judged] = fitted.predict(synthetic[judged]) == synthetic_codes[judged]
    n_votes = (~np.isnan(votes)).sum(axis=0)
    n_for = np.nansum(votes, axis=0)
    return real_recognised, np.where(n_votes > 0, n_for / np.maximum(n_votes, 1), math.nan)
