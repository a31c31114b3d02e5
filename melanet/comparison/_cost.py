"""The time that a comparison will take, before it starts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from sklearn.base import clone

from melanet.comparison._data import Data
from melanet.comparison._plan import Plan, make_plan
from melanet.comparison._remedies import NOTHING, Remedy, gan_samplers
from melanet.comparison._runs import plan_scope, run_fold, total_seconds
from melanet.gan._leased_training import observed
from melanet.over_sampling import Recipe

_N_STEPS = 11  # of a training that is timed; a prime, which is not divided into epochs


def estimate_seconds(X: Any, y: Any, estimator: Any = None, **options: Any) -> dict[str, float]:
    """Estimate how long `melanet.compare` will take, without its result.

    The plain remedies are run on one fold. GANs are trained for a few steps on it.

    Parameters
    ----------
    X, y, estimator : object
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
    return estimate_plan(plan, {r.name: _time(r, plan) for r in plan.runs if not r.slow})


def estimate_plan(plan: Plan, known: Mapping[str, float]) -> dict[str, float]:
    """Return remedy -> seconds on all of its folds.

    Parameters
    ----------
    plan : Plan
        The comparison.
    known : dict
        Name of a remedy -> seconds of one fold. The others train GANs, which are timed by a few
        steps.
    """
    found: dict[str, float] = {}
    for remedy in plan.runs:
        n_folds = sum(other is remedy for other, _ in plan.tasks)
        if remedy.name in known:
            found[remedy.name] = n_folds * known[remedy.name]
        else:
            # Of the estimators, about.
            fits = min(known.values()) if known else _time(Remedy(NOTHING), plan)
            with plan_scope(plan):
                once, each = _time_gan(remedy, plan)
            found[remedy.name] = once + n_folds * (each + fits)
    return found


def describe_estimate(found: Mapping[str, float]) -> str:
    """Return an estimate as a line, the longest remedies first.

    Examples
    --------
    >>> from melanet.comparison._cost import describe_estimate
    >>> describe_estimate({"nothing": 2.0, "GANOversampler": 600.0})
    '10 min in all: GANOversampler 10 min, nothing 2 s'
    """
    names = sorted(found, key=lambda name: -found[name])
    parts = ", ".join(f"{name} {format_seconds(found[name])}" for name in names)
    return f"{format_seconds(sum(found.values()))} in all: {parts}"


def format_seconds(seconds: float) -> str:
    """Return a time in seconds, minutes or hours.

    Examples
    --------
    >>> from melanet.comparison._cost import format_seconds
    >>> format_seconds(0.2), format_seconds(600), format_seconds(9000)
    ('under 1 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(remedy, plan):
    record = run_fold(plan.data, plan.models, plan.bases, remedy, 0, plan.folds[0], plan.seed)
    assert record is not None  # there is no deadline
    return total_seconds(record)


def _time_gan(remedy: Remedy, plan: Plan) -> tuple[float, float]:
    """Return the seconds of compiling, and of the resampling of one fold."""
    data, rows = plan.data, plan.folds[0].fit
    once = each = 0.0
    for gan in gan_samplers(remedy.sampler):
        totals = []
        recipe = gan._resolve_recipe(data.form.tensor_shape)
        for _ in range(2):  # the first compiles
            short = clone(gan).set_params(steps=_N_STEPS, epochs=None, copies=recipe.copies)
            short.set_params(random_state=0, verbose=0)
            clock, start = _StepClock(), time.perf_counter()
            with warnings.catch_warnings(), observed(clock):
                warnings.simplefilter("ignore")
                short.fit_resample(data.take(rows), data.labels[rows])
            totals.append(time.perf_counter() - start)
        once += max(0.0, totals[0] - totals[1])
        n_steps = clock.n_trainings * _n_steps(recipe, data, rows)
        each += totals[1] - clock.seconds + n_steps * clock.seconds_per_step
    return once, each


class _StepClock(keras.callbacks.Callback):
    """Time the steps of trainings apart from the rest of a fit, which does not grow with them.

    Attributes
    ----------
    n_trainings : int
        Number of trainings.
    seconds : float
        Their whole time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_trainings, self.seconds = 0, 0.0
        self._steps: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self.n_trainings += 1
        self._start = self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time of a step, unless it is the first, which sets up the data."""
        now = time.perf_counter()
        if batch:
            self._steps.append(now - self._last)
        self._last = now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Stop the clock."""
        self.seconds += time.perf_counter() - self._start

    @property
    def seconds_per_step(self) -> float:
        """Median time of a step, which a busy moment does not change; 0 without a training."""
        return float(np.median(self._steps)) if self._steps else 0.0


def _n_steps(recipe: Recipe, data: Data, rows: np.ndarray) -> int:
    """Return the steps of one training."""
    if recipe.steps is not None:
        return int(recipe.steps)
    smaller = int(np.bincount(data.codes[rows]).min())
    assert recipe.epochs is not None  # one of the two is
    return int(recipe.epochs) * max(1, smaller // recipe.batch_size)
