"""Two measures of translations into a class: class evidence and realism.

Both are cross-fitted on features that have seen no labels, so a generator that was guided by a
classifier's features gains nothing from them here.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from melanet.metrics._distances import check_pair
from melanet.utils._typing import RandomState

# Classes that held-out real samples tell apart less well leave nothing to measure evidence by.
LEAST_CLASS_AUC = 0.6
_STRENGTH = 1e-2  # C of the logistic regressions
FEWEST = 10  # real samples and translations; fewer say too little
_MEASURES = (
    *("evidence", "evidence_low", "evidence_high", "towards", "class_auc"),
    *("p_sources", "p_translations", "p_real"),
)
_FEW_FEATURES = 1000
_N_FOLDS = 5
_N_REPEATS = 3  # divisions into folds, over which is averaged
_N_BOOTSTRAP = 500


def translation_measures(
    real: ArrayLike,
    others: ArrayLike,
    translations: ArrayLike,
    sources: ArrayLike,
    *,
    random_state: RandomState = None,
) -> dict[str, float]:
    """Return `class_evidence` and `realism` of at least ten translations into a class of as many.

    Parameters
    ----------
    real, others, translations, sources, random_state : object
        As for `class_evidence`.

    Returns
    -------
    dict
        The measures of both; empty if there are fewer samples.
    """
    if min(len(np.asarray(real)), len(np.asarray(translations))) < FEWEST:
        return {}
    data = (real, others, translations, sources)
    evidence = class_evidence(*data, random_state=random_state)
    return evidence | realism(*data, random_state=random_state)


def class_evidence(
    real: ArrayLike,
    others: ArrayLike,
    translations: ArrayLike,
    sources: ArrayLike,
    *,
    random_state: RandomState = None,
) -> dict[str, float]:
    """Return how far translations moved from their sources to the class.

    Logistic regressions on standardised features learn to tell real samples of the class from
    those of other classes. Each real sample, and each translation of it, is scored by regressions
    that have not seen it.

    Parameters
    ----------
    real : array-like of shape (n, d)
        Features of real samples of the class.
    others : array-like of shape (m, d)
        Features of real samples of other classes, the sources among them.
    translations : array-like of shape (k, d)
        Features of translations into the class.
    sources : array-like of int of shape (k,)
        Row of `others` that each translation was made from.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the bootstrap.

    Returns
    -------
    dict
        - ``evidence``: (mean P(class) of translations - of their sources) / (of real samples of
          the class - of the sources): 0 for copies of the sources, 1 if the class is reached.
          NaN if ``class_auc`` is below 0.6: nothing is known of translations then.
        - ``evidence_low``, ``evidence_high``: 95 % bootstrap interval over sources and real
          samples
        - ``towards``: share of translations whose P(class) is higher than that of their source
        - ``class_auc``: AUC of held-out real samples of the class against the others
        - ``p_sources``, ``p_translations``, ``p_real``: the three means of P(class)

        All are NaN if a set has fewer than two samples, or `translations` none.

    Raises
    ------
    ValueError
        If the arrays are not finite, have different numbers of columns, or `sources` are no rows
        of `others`.

    See Also
    --------
    realism : Whether translations look like real samples.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.metrics import class_evidence
    >>> others, real = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> real[:, 0] += 3
    >>> half = others + [1.5, 0, 0]
    >>> measures = class_evidence(real, others, half, np.arange(100), random_state=0)
    >>> 0.3 < measures["evidence"] < 0.7, measures["towards"]
    (True, 1.0)
    """
    x, z, made, rows = _check(real, others, translations, sources)
    measures = dict.fromkeys(_MEASURES, math.nan)
    if min(len(x), len(z)) < 2 or not len(made):
        return measures
    rng = check_random_state(random_state)
    X, is_real = np.concatenate([x, z]), np.repeat([1, 0], [len(x), len(z)])
    rotate = _rotation(X)
    X, made = rotate(X), rotate(made)
    scores, made_scores = np.zeros(len(X)), np.zeros(len(made))
    for _ in range(_N_REPEATS):
        folds = np.concatenate([_folds(len(x), rng), _folds(len(z), rng)])
        made_folds = folds[len(x) :][rows]
        for fold in np.unique(folds):
            training = folds != fold
            model = _classifier(X.shape[1]).fit(X[training], is_real[training])
            scores[~training] += model.predict_proba(X[~training])[:, 1]
            if (judged := made_folds == fold).any():
                made_scores[judged] += model.predict_proba(made[judged])[:, 1]
    scores, made_scores = scores / _N_REPEATS, made_scores / _N_REPEATS
    own, before = scores[: len(x)], scores[len(x) :][rows]
    measures["class_auc"] = float(roc_auc_score(is_real, scores))
    measures["p_sources"], measures["p_translations"] = (
        float(before.mean()),
        float(made_scores.mean()),
    )
    measures["p_real"] = float(own.mean())
    if measures["class_auc"] < LEAST_CLASS_AUC:
        return measures
    step, way = (made_scores - before).mean(), own.mean() - before.mean()
    measures["towards"] = float((made_scores > before).mean())
    if way <= 0:  # these sources already look like the class
        return measures
    draws = []
    _, group = np.unique(rows, return_inverse=True)
    of_group = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    for _ in range(_N_BOOTSTRAP):
        chosen = rng.randint(len(of_group), size=len(of_group))
        drawn = np.concatenate([of_group[g] for g in chosen])
        start = before[drawn].mean()
        reach = own[rng.randint(len(own), size=len(own))].mean() - start
        draws.append((made_scores[drawn].mean() - start) / max(reach, 1e-9))
    measures["evidence"] = float(step / way)
    low, high = np.percentile(draws, [2.5, 97.5])
    measures["evidence_low"], measures["evidence_high"] = float(low), float(high)
    return measures


def realism(
    real: ArrayLike,
    others: ArrayLike,
    translations: ArrayLike,
    sources: ArrayLike,
    *,
    random_state: RandomState = None,
) -> dict[str, float]:
    """Return how well translations, and their sources, are told from real samples of the class.

    Logistic regressions on standardised features are trained on equally many samples of both
    kinds, in five folds. All translations of a source are in one fold.

    Parameters
    ----------
    real, others, translations, sources, random_state : object
        As for `class_evidence`.

    Returns
    -------
    dict
        - ``told``: AUC of translations against real samples of the class, averaged over three
          draws: 0.5 if they cannot be told apart, 1 if always. Below 0.5 there are copies.
        - ``told_sources``: the same for the sources, which are real, but of other classes

        NaN if a set has fewer than two samples.

    Raises
    ------
    ValueError
        As for `class_evidence`.

    See Also
    --------
    two_sample_test : One test with an interval, without sources.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.metrics import realism
    >>> others, real = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> measures = realism(real, others, others + 9, np.arange(100), random_state=0)
    >>> measures["told"], measures["told_sources"] < 0.7
    (1.0, True)
    """
    x, z, made, rows = _check(real, others, translations, sources)
    rng = check_random_state(random_state)
    used = np.unique(rows)
    return {
        "told": _told(x, made, rows, rng),
        "told_sources": _told(x, z[used], used, rng),
    }


def _told(
    real: NDArray[np.float64],
    made: NDArray[np.float64],
    groups: NDArray[np.intp],
    rng: np.random.RandomState,
) -> float:
    n = min(len(real), len(made))
    if n < 2:
        return math.nan
    is_made, aucs = np.repeat([0, 1], n), []
    for _ in range(_N_REPEATS):
        own, drawn = rng.permutation(len(real))[:n], rng.permutation(len(made))[:n]
        _, group = np.unique(groups[drawn], return_inverse=True)
        folds = np.concatenate([_folds(n, rng), _folds(group.max() + 1, rng)[group]])
        X, scores = np.concatenate([real[own], made[drawn]]), np.zeros(2 * n)
        X = _rotation(X)(X)
        for fold in np.unique(folds):
            training = folds != fold
            if len(np.unique(is_made[training])) < 2:  # all are made from one source
                return math.nan
            model = _classifier(X.shape[1]).fit(X[training], is_made[training])
            scores[~training] = model.decision_function(X[~training])
        aucs.append(roc_auc_score(is_made, scores))
    return float(np.mean(aucs))


def _classifier(n_features):
    # Newton's method takes a tenth of the time while its matrix of n_features squared is small.
    solver = "newton-cholesky" if n_features <= _FEW_FEATURES else "lbfgs"
    return LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=500, solver=solver)


def _rotation(X):
    """Return a function that standardises features and rotates them into the span of X.

    A regression with a quadratic penalty does not see the rotation, and is faster after it.
    """
    scaler = StandardScaler().fit(X)
    if len(X) >= X.shape[1]:
        return scaler.transform
    axes = np.linalg.qr(scaler.transform(X).T)[0]
    return lambda values: scaler.transform(values) @ axes


def _folds(n: int, rng: np.random.RandomState) -> NDArray[np.intp]:
    return rng.permutation(n) % _N_FOLDS


def _check(real, others, translations, sources):
    x, z = check_pair(real, others)
    _, made = check_pair(real, translations)
    rows = np.asarray(sources)
    if rows.shape != (len(made),) or rows.dtype.kind not in "iu":
        raise ValueError(
            "sources must hold a row of others for each translation, integers of shape "
            f"({len(made)},). Received: shape {rows.shape}, dtype {rows.dtype}"
        )
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(z)):
        raise ValueError(
            f"sources must be rows of others, 0 to {len(z) - 1}. "
            f"Received: {rows.min()} to {rows.max()}"
        )
    return x, z, made, rows
