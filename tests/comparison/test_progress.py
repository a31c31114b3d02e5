"""Progress of a comparison: what is left, and that nothing is shown unasked."""

import pytest
from sklearn.datasets import make_classification
from sklearn.naive_bayes import GaussianNB

from melanet import GANOversampler
from melanet.comparison._plan import make_plan
from melanet.comparison._progress import Reporter
from melanet.comparison._remedies import GAN, NOTHING, OVER
from melanet.comparison._runs import Store

LEFT_OUT = dict.fromkeys(
    ["random under-sampling", "class weights", "SMOTE", "SMOTE of features", "changed copies", GAN]
)


@pytest.fixture
def plan():
    """Return a plan of two plain remedies on four folds, and of a GAN on two."""
    X, y = make_classification(90, weights=[0.7], random_state=0)
    remedies = {"mine": GANOversampler(), **LEFT_OUT}
    return make_plan(X, y, GaussianNB(), remedies=remedies, cv=(2, 2), random_state=0)


def record(remedy, fold, seconds):
    """Return a record of half of the seconds for resampling, and half for the fit."""
    fits = {"GaussianNB": {"seconds": seconds / 2}}
    return {"remedy": remedy, "fold": fold, "seconds": seconds / 2, "fits": fits}


def store_of(*records):
    store = Store(None, {})
    for found in records:
        store.add(record(*found))
    return store


@pytest.mark.parametrize(("n_jobs", "workers"), [(None, 1), (2, 2)])
def test_the_time_left_is_that_of_the_remaining_folds(plan, n_jobs, workers):
    store = store_of((NOTHING, 0, 2.0), (NOTHING, 1, 4.0), (OVER, 0, 8.0))
    reporter = Reporter(plan, store, 0, n_jobs)
    assert reporter.seconds_left() is None  # the GAN was never run
    store.add(record("mine", 0, 100.0))
    # Two folds of 3 s, three of 8 s, in several processes; one of the GAN in the caller's.
    assert reporter.seconds_left() == pytest.approx((2 * 3 + 3 * 8) / workers + 100)
    for i in range(4):
        store.add(record(NOTHING, i, 1.0))
        store.add(record(OVER, i, 1.0))
    store.add(record("mine", 1, 1.0))
    assert reporter.seconds_left() == 0


def test_nothing_is_shown_unless_asked(plan, capsys):
    store = store_of((NOTHING, 0, 2.0))
    with Reporter(plan, store, 0, None) as reporter:
        reporter.update(store.records[0])
        reporter.estimate()
    assert capsys.readouterr() == ("", "")


def test_resumed_parts_and_the_running_one_are_named(plan, capsys):
    store = store_of((NOTHING, 0, 2.0), (NOTHING, 1, 4.0))
    with Reporter(plan, store, 1, None) as reporter:
        for found in ((OVER, 0, 8.0), ("mine", 0, 3600.0)):
            store.add(record(*found))
            reporter.update(store.records[-1])
    shown = capsys.readouterr().out
    assert "Resumed: 2 of 10 parts are there" in shown
    assert "mine, fold 1 (60 min left)" in " ".join(shown.split())
