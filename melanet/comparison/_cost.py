"""The time that a comparison will take, before it starts."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from melanet.comparison._compare import Plan, make_plan
from melanet.comparison._data import Data
from melanet.comparison._remedies import Remedy, gan_samplers
from melanet.comparison._runs import plan_tasks, run_fold, total_seconds

_SHORT, _LONG = 2, 22  # steps of the trainings that are timed


def estimate_seconds(X: Any, y: Any, estimator: Any = None, **options: Any) -> dict[str, float]:
    """Estimate how long `melanet.compare` will take, without its result.

    The plain remedies are run on one fold. GANs are trained for a few steps on it.

    Parameters
    ----------
    X, y, estimator
        As in `melanet.compare`.
    **options
        Further arguments of `melanet.compare` that decide what is run: `remedies`, `groups`, `cv`,
        `value_range`, `random_state`.

    Returns
    -------
    dict
        Remedy -> seconds on all of its folds and before all estimators; "nothing" includes
        tuning its threshold.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from melanet.comparison import estimate_seconds
    >>> X, y = make_classification(100, weights=[0.8], random_state=0)
    >>> list(estimate_seconds(X, y, "logistic regression", remedies=["nothing", "SMOTE"]))
    ['nothing', 'SMOTE']
    """
    plan = make_plan(X, y, estimator, **options)
    tasks = plan_tasks(plan.runs, plan.folds)
    bases = {model.name: model.prepare(plan.data.X) for model in plan.models}
    found: dict[str, float] = {}
    for remedy in plan.runs:
        n_folds = sum(other is remedy for other, _ in tasks)
        once = 0.0
        if remedy.slow:
            once, each = _time_gan(remedy, plan)
            each += _time(Remedy("nothing"), plan, bases)
        else:
            each = _time(remedy, plan, bases)
        found[remedy.name] = once + n_folds * each
    return found


def _time(remedy, plan, bases):
    record = run_fold(plan.data, plan.models, bases, remedy, 0, plan.folds[0], plan.seed)
    assert record is not None  # there is no deadline
    return total_seconds(record)


def _time_gan(remedy: Remedy, plan: Plan) -> tuple[float, float]:
    """Return the seconds of compiling, and of the resampling of one fold."""
    data, rows = plan.data, plan.folds[0].fit
    once = each = 0.0
    for gan in gan_samplers(remedy.sampler):
        seconds = []
        for n_steps in (_SHORT, _SHORT, _LONG):
            short = clone(gan).set_params(steps=n_steps, epochs=None, random_state=0, verbose=0)
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                short.fit_resample(data.take(rows), data.labels[rows])
            seconds.append(time.perf_counter() - start)
        step = max(0.0, seconds[2] - seconds[1]) / (_LONG - _SHORT)
        once += max(0.0, seconds[0] - seconds[1])
        each += seconds[1] + step * (_n_steps(gan, data, rows) - _SHORT)
    return once, each


def _n_steps(gan: Any, data: Data, rows: np.ndarray) -> int:
    """Return the steps of one training."""
    recipe = gan._resolve_recipe(data.form.tensor_shape)
    if recipe.steps is not None:
        return int(recipe.steps)
    smaller = int(np.bincount(data.codes[rows]).min())
    return int(recipe.epochs) * max(1, smaller // recipe.batch_size)
