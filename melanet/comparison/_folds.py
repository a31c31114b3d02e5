"""Folds of a comparison: test rows, rows to train on, and a quarter to tune thresholds on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from melanet.utils._validation import is_integer, to_python

N_REPEATS = 5  # of the folds, by default
_SHARE = 4  # a quarter of the training rows is set aside for thresholds
_MOST_TRIES = 50  # group splits drawn until every part holds every class


@dataclass(frozen=True)
class Fold:
    """One split of the rows.

    Parameters
    ----------
    repeat : int
        Number of the repetition that it belongs to.
    fit, threshold, test : ndarray of int
        Rows to train on, rows to tune a threshold on, and rows to measure on. No two share a
        group.
    """

    repeat: int
    fit: NDArray[np.intp]
    threshold: NDArray[np.intp]
    test: NDArray[np.intp]


def make_folds(
    codes: NDArray[np.intp],
    classes: NDArray[Any],
    groups: NDArray[Any] | None,
    cv: Any,
    seed: int,
    set_aside: bool = True,
) -> list[Fold]:
    """Split the rows into folds.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Classes, as positions in `classes`.
    classes : ndarray of shape (n_classes,)
        Labels, for messages.
    groups : ndarray of shape (n,) or None
        Group of each row; a group is never split.
    cv : int, (int, int), splitter or iterable
        Number of folds, repeated five times; numbers of folds and repeats; a scikit-learn
        splitter; or pairs of training and test rows.
    seed : int
        Seed of the splits.
    set_aside : bool, default=True
        Whether a quarter of the training rows is set aside for thresholds.

    Returns
    -------
    list of Fold

    Raises
    ------
    ValueError
        If a class has too few members or groups, or a split lacks one.
    """
    rng = np.random.default_rng([seed, 5])
    folds = []
    for repeat, training, test in _splits(codes, classes, groups, cv, rng):
        fit, threshold = training, np.zeros(0, int)
        if set_aside:
            fit, threshold = _quarter(codes, classes, groups, training, rng)
        folds.append(Fold(repeat, fit, threshold, test))
    return folds


def _splits(codes, classes, groups, cv, rng):
    if is_integer(cv, 2):
        cv = (cv, N_REPEATS)
    if isinstance(cv, tuple) and len(cv) == 2 and is_integer(cv[0], 2) and is_integer(cv[1]):
        n_splits, n_repeats = map(int, cv)
        _check_members(codes, classes, groups, n_splits)
        for repeat in range(n_repeats):
            for training, test in _stratified(codes, classes, groups, n_splits, rng):
                yield repeat, training, test
        return
    pairs = cv
    if hasattr(cv, "split") and not isinstance(cv, str):
        pairs = cv.split(np.zeros(len(codes)), codes, groups)
    if not isinstance(pairs, Iterable) or isinstance(pairs, str):
        raise ValueError(
            "cv must be a number of folds from 2, a pair of numbers of folds and repeats, a "
            f"splitter, or pairs of training and test rows. Received: cv={cv!r}"
        )
    n_found = 0
    for pair in pairs:
        try:
            training, test = (np.asarray(rows) for rows in pair)
            valid = all(r.ndim == 1 and r.dtype.kind in "iu" for r in (training, test))
        except (TypeError, ValueError):
            valid = False
        if not valid or np.intersect1d(training, test).size:
            raise ValueError(
                "cv must hold pairs of training and test rows, two arrays of int without a common "
                f"row. Received: {pair!r}"
            )
        if groups is not None and set(groups[training]) & set(groups[test]):
            shared = sorted(set(groups[training]) & set(groups[test]))[0]
            raise ValueError(
                f"cv must keep each group on one side. Received: group {to_python(shared)!r} in "
                "the training and in the test rows"
            )
        for part, rows in (("training", training), ("test", test)):
            absent = classes[np.setdiff1d(np.arange(len(classes)), codes[rows])]
            if len(absent):
                raise ValueError(
                    f"cv must give every class to every part. Received: {part} rows without class "
                    f"{to_python(absent[0])!r}"
                )
        n_found += 1
        yield 0, training, test
    if not n_found:
        raise ValueError("cv must hold at least one pair of training and test rows. Received: none")


def _check_members(codes, classes, groups, n_splits):
    holders = {}
    for code, label in enumerate(classes):
        rows = codes == code
        if rows.sum() < n_splits:
            raise ValueError(
                f"cv={n_splits} folds need {n_splits} samples of every class. Received: "
                f"{rows.sum()} of class {to_python(label)!r}. Use fewer folds, or collect more"
            )
        if groups is not None:
            holders[label] = np.unique(groups[rows])
            if len(holders[label]) == 1:
                raise ValueError(
                    "groups must not hold all samples of a class, which would then be only "
                    f"trained on or only tested. Received: group {to_python(holders[label][0])!r} "
                    f"with all {rows.sum()} of class {to_python(label)!r}"
                )
    for label, found in holders.items():
        if len(found) < n_splits:
            raise ValueError(
                f"cv={n_splits} folds need {n_splits} groups with samples of every class. "
                f"Received: {len(found)} groups with class {to_python(label)!r}. Use fewer folds"
            )


def _stratified(codes, classes, groups, n_splits, rng):
    for _ in range(_MOST_TRIES):
        seed = int(rng.integers(2**31))
        if groups is None:
            splitter: Any = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
        else:
            splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
        found = list(splitter.split(codes, codes, groups))
        if all(_complete(codes, classes, rows) for pair in found for rows in pair):
            return found
    raise ValueError(
        f"groups cannot be split into {n_splits} folds that all hold every class: a few groups "
        "hold most of a class. Use fewer folds"
    )


def _quarter(codes, classes, groups, training, rng):
    """Return the training rows in two parts, of three quarters and of one."""
    if groups is None:
        chosen = np.zeros(len(training), bool)
        for code, label in enumerate(classes):
            own = rng.permutation(np.flatnonzero(codes[training] == code))
            if len(own) < 2:
                raise ValueError(_too_few(label, len(own), "samples"))
            chosen[own[: max(1, round(len(own) / _SHARE))]] = True
        return training[~chosen], training[chosen]
    for code, label in enumerate(classes):
        holders = np.unique(groups[training][codes[training] == code])
        if len(holders) < 2:
            raise ValueError(_too_few(label, len(holders), "groups"))
    n_units = len(np.unique(groups[training]))
    for attempt in range(_MOST_TRIES):
        # Coarser splits, where a quarter cannot hold every class.
        n_splits = min(n_units, max(2, _SHARE - attempt * _SHARE // _MOST_TRIES))
        splitter = StratifiedGroupKFold(
            n_splits, shuffle=True, random_state=int(rng.integers(2**31))
        )
        for rest, part in splitter.split(training, codes[training], groups[training]):
            fit, threshold = training[rest], training[part]
            if all(_complete(codes, classes, rows) for rows in (fit, threshold)):
                return fit, threshold
    raise ValueError(
        "groups leave no part of the training rows for thresholds that holds every class: a few "
        "groups hold most of a class. Use fewer folds"
    )


def _complete(codes, classes, rows):
    return len(np.unique(codes[rows])) == len(classes)


def _too_few(label, n, units):
    return (
        f"Training rows must hold two {units} of every class or more, one of them for thresholds. "
        f"Received: {n} of class {to_python(label)!r}. Use more folds, or collect more"
    )
