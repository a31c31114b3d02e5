"""compare: which remedy for imbalance to use, measured on the user's own data."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from melanet.comparison._comparison import Comparison, Summary
from melanet.comparison._measures import RANKINGS
from melanet.comparison._plan import make_plan
from melanet.comparison._progress import Reporter
from melanet.comparison._runs import Store, describe_settings, run_tasks
from melanet.utils._files import read_json, resumable
from melanet.utils._typing import PathLike, RandomState
from melanet.utils._validation import is_integer, to_python


def compare(
    X: Any,
    y: Any,
    estimator: Any = None,
    *,
    remedies: Any = "all",
    groups: ArrayLike | None = None,
    cv: Any = 5,
    scoring: str = "auc",
    value_range: tuple[float, float] | None = None,
    max_seconds: float | None = None,
    work: PathLike | None = None,
    n_jobs: int | None = None,
    random_state: RandomState = None,
    verbose: int = 0,
) -> Comparison:
    """Compare remedies for imbalanced classes, and say which one to use.

    Every remedy is applied to the same folds, to their training rows alone, and every estimator
    is measured on the untouched test rows. The answer may be to do nothing, or to move the
    decision threshold.

    Parameters
    ----------
    X : array-like of n samples
        Images or rows of a table, in any container that `melanet.GANOversampler` takes.
    y : array-like of shape (n,)
        Labels of any type. Of two classes, the rarer is the positive one.
    estimator : classifier, str, list, dict or None, default=None
        Classifier with ``predict_proba``, a Keras model in ``keras.wrappers.SKLearnClassifier``,
        "frozen features" or "small network" for images, "gradient boosting" or
        "logistic regression" for tables; several of them; or name -> classifier. A Keras model has
        an output for each class, or one for the second of two classes. Images are given
        as rows of pixels to classifiers that do not take images. None takes, for images, logistic
        regression on features of VGG16 if its weights are in Keras' cache, and a small network
        with augmentation otherwise; for tables both.
    remedies : "all", list of str or dict, default="all"
        Names of built-in remedies: "nothing", "nothing, tuned threshold", "class weights",
        "random under-sampling", "random over-sampling", "SMOTE", "SMOTE of features" (of frozen
        networks), "changed copies" (of images) and "GANOversampler". A dict adds the user's own,
        name -> sampler or pipeline with ``fit_resample``; name -> None leaves a built-in one out.
        Their random states are set anew for each fold.
    groups : array-like of shape (n,) or None, default=None
        Patient or lesion of each sample; a group is never split.
    cv : int, (int, int), splitter or iterable, default=5
        Number of stratified folds, repeated five times; number of folds and of repeats; a
        scikit-learn splitter; or pairs of training and test rows. Remedies that train GANs are
        applied to the first repeat only, and compared with the others on these folds.
    scoring : {"auc", "average_precision"}, default="auc"
        Measure by which remedies are ranked.
    value_range : (float, float) or None, default=None
        Limits of the pixel values, as in `melanet.GANOversampler`.
    max_seconds : float or None, default=None
        Time after which no fit is begun. The result says what is missing.
    work : str, path-like or None, default=None
        Folder where finished fits are kept, so that the same call resumes after a kill.
    n_jobs : int or None, default=None
        Processes for the plain remedies before estimators that are not networks; -1 uses all
        processors. The result is the same.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, remedies and estimators.
    verbose : int, default=0
        1 shows a progress bar and, after the first fold of the plain remedies and a few steps of
        each GAN, an estimate of the time.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If a parameter is invalid, a class has fewer members or groups than there are folds, a
        group holds all of a class, labels are constant, X holds NaN, names collide, or `work`
        belongs to other arguments.

    See Also
    --------
    melanet.metrics.quality_report : Measures of synthetic samples without a classifier.

    Notes
    -----
    A quarter of each fold's training rows, whole groups, is set aside before any resampling.
    Thresholds are tuned on it for every remedy, by balanced accuracy; networks of
    `melanet.MelaNet` stop early by it. Estimators are fitted on the rest.

    A remedy or an estimator that raises in a fold is recorded with its message. Differences are
    tested on common folds by the corrected resampled t-test [1]_, and the advice names the
    cheapest remedy that no other beats after Holm's correction. docs/compare.md has how often
    that is right where the truth is known. Not for diagnosis.

    References
    ----------
    .. [1] Nadeau, C., & Bengio, Y. (2003). Inference for the generalization error. Machine
       Learning, 52, 239-281.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from melanet import compare
    >>> X, y = make_classification(300, weights=[0.85], random_state=0)
    >>> found = compare(
    ...     X, y, "logistic regression", cv=(3, 1), random_state=0,
    ...     remedies=["nothing", "nothing, tuned threshold", "class weights"],
    ... )
    >>> list(found.best_["logistic regression"])
    ['ranking', 'decision']
    """
    if scoring not in RANKINGS:
        raise ValueError(f"scoring must be one of {RANKINGS}. Received: scoring={scoring!r}")
    if max_seconds is not None and not (max_seconds > 0 and math.isfinite(max_seconds)):
        raise ValueError(
            f"max_seconds must be a number above 0, or None. Received: max_seconds={max_seconds!r}"
        )
    if n_jobs is not None and (not is_integer(n_jobs, -(2**31)) or n_jobs == 0):
        raise ValueError(f"n_jobs must be an integer, not 0, or None. Received: n_jobs={n_jobs!r}")
    deadline = math.inf if max_seconds is None else time.time() + max_seconds
    plan = make_plan(
        X,
        y,
        estimator,
        remedies=remedies,
        groups=groups,
        cv=cv,
        value_range=value_range,
        random_state=_kept_seed(random_state, work),
    )
    store = Store(work, describe_settings(plan, cv))
    run = partial(run_tasks, plan, n_jobs=n_jobs, deadline=deadline, store=store)
    reporter = Reporter(plan, store, verbose, n_jobs)
    with reporter, nullcontext() if store.folder is None else resumable(store.folder):
        if verbose:
            # The first fold shows how long the others will take.
            run([(r, i) for r, i in plan.tasks if i == 0 and not r.slow], report=reporter.update)
            if time.time() < deadline:
                reporter.estimate()
        complete = run(plan.tasks, report=reporter.update)
    models = [model.name for model in plan.models]
    return Comparison(models, plan.names, scoring, _summarise(plan, complete), store)


def _summarise(plan, complete):
    data, folds = plan.data, plan.folds
    rare = data.rarest()
    return Summary(
        counts=data.counts(),
        positive=None if data.positive is None else to_python(data.classes[data.positive]),
        n_folds=len(folds),
        n_repeats=1 + max(fold.repeat for fold in folds),
        ratio=float(np.mean([len(f.test) / (len(f.fit) + len(f.threshold)) for f in folds])),
        rare_tested=int(min((data.codes[fold.test] == rare).sum() for fold in folds)),
        rarest=to_python(data.classes[rare]),
        unit="images" if data.is_images else "rows",
        stopped=not complete,
    )


def _kept_seed(random_state, work):
    """Return the seed that an interrupted comparison drew, if none is given."""
    if random_state is None and work is not None:
        known = (read_json(Path(work) / "settings.json") or {}).get("random_state")
        return None if known is None else int(known)
    return random_state
