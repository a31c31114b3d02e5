"""All that a comparison will run, checked before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from melanet.comparison._data import Data
from melanet.comparison._estimators import Model, make_models
from melanet.comparison._folds import Fold, make_folds
from melanet.comparison._remedies import (
    NOTHING,
    THRESHOLD,
    Remedy,
    collect_remedies,
    derive_seed,
)
from melanet.utils._typing import RandomState
from melanet.utils._validation import is_integer


@dataclass
class Plan:
    """All that a comparison will run.

    Parameters
    ----------
    data : Data
        The samples.
    models : list of Model
        Estimators.
    names : list of str
        Remedies in the results.
    runs : list of Remedy
        Remedies that are fitted; a tuned threshold needs no fits of its own.
    folds : list of Fold
        Folds.
    seed : int
        Seed.
    """

    data: Data
    models: list[Model]
    names: list[str]
    runs: list[Remedy]
    folds: list[Fold]
    seed: int

    @cached_property
    def bases(self) -> dict[str, Any]:
        """Name of an estimator -> all samples as it takes them."""
        return {model.name: model.prepare(self.data.X) for model in self.models}

    @cached_property
    def tasks(self) -> list[tuple[Remedy, int]]:
        """Pairs of remedy and fold, in the order in which they are run."""
        plain = [(r, i) for i in range(len(self.folds)) for r in self.runs if not r.slow]
        first = [i for i, fold in enumerate(self.folds) if fold.repeat == 0]
        return plain + [(r, i) for i in first for r in self.runs if r.slow]


def make_plan(
    X: Any,
    y: Any,
    estimator: Any = None,
    *,
    remedies: Any = "all",
    groups: ArrayLike | None = None,
    cv: Any = 5,
    value_range: tuple[float, float] | None = None,
    random_state: RandomState = None,
) -> Plan:
    """Check the arguments of `compare` and return what it will run."""
    data = Data(X, y, groups, value_range)
    found = collect_remedies(remedies, value_range)
    models = make_models(estimator, data)
    seed: Any = random_state
    if not is_integer(seed, 0):
        seed = check_random_state(seed).randint(2**31 - 1)
    seed = int(seed)
    folds = make_folds(
        data.codes,
        data.classes,
        data.groups,
        cv,
        derive_seed(seed, "folds"),
        set_aside=data.positive is not None or any(model.in_process for model in models),
    )
    names = [remedy.name for remedy in found]
    runs = [remedy for remedy in found if remedy.name != THRESHOLD]
    if data.positive is None and THRESHOLD in names:
        names.remove(THRESHOLD)
    elif THRESHOLD in names and NOTHING not in names:
        runs.insert(0, Remedy(NOTHING))  # the same fits
    if not names:
        raise ValueError(
            "remedies must hold more than a tuned threshold where there are more than two "
            f"classes. Received: {data.classes.tolist()}"
        )
    return Plan(data, models, names, runs, folds, seed)
