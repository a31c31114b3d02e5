"""Records of the fits: kept, resumed, and free of warnings."""

import time
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.naive_bayes import GaussianNB

from melanet.comparison._plan import make_plan
from melanet.comparison._runs import Store, run_tasks


class Warns(BaseEstimator):
    """Sampler that warns and takes its time."""

    def fit_resample(self, X, y):
        warnings.warn("again and again", RuntimeWarning, stacklevel=2)
        time.sleep(0.02)
        return X, y


@pytest.fixture
def plan():
    X, y = make_classification(90, weights=[0.7], random_state=0)
    remedies = {"warns": Warns(), "GANOversampler": None, "SMOTE": None, "class weights": None}
    return make_plan(X, y, GaussianNB(), remedies=remedies, cv=(2, 2), random_state=0)


def run(plan, store, tasks=None, deadline=float("inf")):
    seen = []
    options = {"n_jobs": None, "deadline": deadline, "store": store, "report": seen.append}
    done = run_tasks(plan, plan.tasks if tasks is None else tasks, **options)
    return done, [(record["remedy"], record["fold"]) for record in seen]


def test_tasks_run_once_in_order_and_warnings_are_counted(plan, recwarn):
    store = Store(None, {})
    first = [task for task in plan.tasks if task[1] == 0]
    assert run(plan, store, first) == (True, [(remedy.name, 0) for remedy, _ in first])
    done, seen = run(plan, store)
    assert done
    assert seen == [(remedy.name, i) for remedy, i in plan.tasks if i > 0]
    assert not [w for w in recwarn if "again and again" in str(w.message)]
    record = next(record for record in store.records if record["remedy"] == "warns")
    assert record["warnings"] == {"RuntimeWarning": 1}
    assert record["seconds"] >= 0.02
    assert store.usual_seconds("warns") >= 0.02
    assert store.usual_seconds("never run") == 0


def test_nothing_is_begun_after_the_deadline(plan):
    store = Store(None, {})
    assert run(plan, store, deadline=time.time() - 1) == (False, [])
    assert run(plan, store)[0]
    assert run(plan, store, deadline=time.time() - 1) == (True, [])  # nothing is left


def test_records_and_pictures_are_found_again_in_the_folder(plan, tmp_path):
    first = Store(tmp_path / "work", {"seed": 1})
    run(plan, first, plan.tasks[:3])
    sources, made = (np.full((2, 4, 4, 1), value, "float32") for value in (0.25, -0.5))
    first.add_pictures("warns", sources, made)
    again = Store(tmp_path / "work", {"seed": 1})
    assert again.records == first.records
    assert again.n_resumed == 3
    assert run(plan, again)[1] == [(remedy.name, i) for remedy, i in plan.tasks[3:]]
    for kept, given in zip(again.pictures("warns"), (sources, made), strict=True):
        np.testing.assert_array_equal(kept, given)
    assert again.pictures("nothing") is None
    with pytest.raises(ValueError, match="seed was 1 and is 2"):
        Store(tmp_path / "work", {"seed": 2})
