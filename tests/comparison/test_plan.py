"""The plan of a comparison: which remedies are fitted, on which folds, in which order."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from melanet import GANOversampler
from melanet.comparison._plan import make_plan
from melanet.comparison._remedies import GAN, NOTHING, OVER, SMOTE_ROWS, THRESHOLD, WEIGHTS

X, Y = make_classification(90, weights=[0.7], random_state=0)
THREE = np.arange(90) % 3


def plan(y=Y, remedies="all", **options):
    return make_plan(X, y, GaussianNB(), remedies=remedies, **{"random_state": 0, **options})


def test_plain_remedies_come_first_and_gans_run_on_the_first_repeat_alone():
    mine = {"mine": GANOversampler(), GAN: None}
    tasks = [(r.name, i) for r, i in plan(remedies=mine, cv=(2, 3)).tasks]
    gans = [task for task in tasks if task[0] == "mine"]
    assert tasks[-2:] == gans == [("mine", 0), ("mine", 1)]
    assert [i for _, i in tasks[:-2]] == sorted(i for _, i in tasks[:-2])
    for name in (NOTHING, OVER):
        assert [i for n, i in tasks if n == name] == list(range(6))


def test_a_tuned_threshold_needs_no_fits_of_its_own():
    both = plan(remedies=[NOTHING, THRESHOLD, WEIGHTS])
    assert both.names == [NOTHING, THRESHOLD, WEIGHTS]
    assert [remedy.name for remedy in both.runs] == [NOTHING, WEIGHTS]
    alone = plan(remedies=[THRESHOLD, WEIGHTS])
    assert alone.names == [THRESHOLD, WEIGHTS]
    assert [remedy.name for remedy in alone.runs] == [NOTHING, WEIGHTS]  # the same fits


def test_there_is_no_threshold_for_three_classes():
    several = plan(THREE, [NOTHING, THRESHOLD])
    assert several.names == [NOTHING]
    assert [remedy.name for remedy in several.runs] == [NOTHING]
    assert all(len(fold.threshold) == 0 for fold in several.folds)
    with pytest.raises(ValueError, match=r"more than two classes. Received: \[0, 1, 2\]"):
        plan(THREE, [THRESHOLD])


def test_an_integer_is_the_seed_and_a_generator_draws_it():
    def folds(seed):
        return [fold.test.tolist() for fold in plan(remedies=[NOTHING], random_state=seed).folds]

    assert plan(random_state=7).seed == 7
    assert folds(7) == folds(7) != folds(8)
    state = np.random.RandomState(3)
    first, second = (plan(random_state=state).seed for _ in range(2))
    assert first == np.random.RandomState(3).randint(2**31 - 1) != second


def test_the_folds_do_not_depend_on_remedies_and_estimators():
    first = make_plan(X, Y, LogisticRegression(), remedies=[SMOTE_ROWS], cv=(3, 1), random_state=0)
    for a, b in zip(first.folds, plan(remedies=[NOTHING], cv=(3, 1)).folds, strict=True):
        np.testing.assert_array_equal(a.fit, b.fit)
        np.testing.assert_array_equal(a.test, b.test)


def test_each_estimator_gets_all_samples_in_its_form():
    images = X.reshape(90, 4, 5)
    found = make_plan(
        images, Y, {"a": GaussianNB()}, remedies=[NOTHING], value_range=(-10, 10), random_state=0
    )
    assert list(found.bases) == ["a"]
    np.testing.assert_array_equal(np.asarray(found.bases["a"]).reshape(90, -1), X)
