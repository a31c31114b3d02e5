import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from melanet.comparison._measures import (
    MEASURES,
    auc,
    average_precision,
    balanced_accuracy,
    measure,
    sensitivity_at,
    tune_threshold,
)


def draws(n=20):
    rng = np.random.default_rng(0)
    for _ in range(n):
        positive = rng.random(40) < 0.3
        positive[:2] = True, False
        yield positive, np.round(rng.random(40) + 0.3 * positive, 1)  # with ties


def test_auc_is_the_share_of_pairs_in_order():
    for positive, scores in draws():
        pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
        assert auc(positive, scores) == pytest.approx(np.mean(pairs))


def test_average_precision_is_that_of_scikit_learn():
    for positive, scores in draws():
        expected = average_precision_score(positive, scores)
        assert average_precision(positive, scores) == pytest.approx(expected)


def test_no_threshold_is_better_than_the_tuned_one():
    for positive, scores in draws():
        best = max(
            balanced_accuracy_score(positive, scores >= t) for t in [*scores, scores.max() + 1]
        )
        found = tune_threshold(positive, scores)
        assert balanced_accuracy(positive, scores, found) == pytest.approx(best)
        assert balanced_accuracy(positive, scores, found) == pytest.approx(
            balanced_accuracy_score(positive, scores >= found)
        )


def test_sensitivity_at_specificity_by_brute_force():
    for positive, scores in draws():
        allowed = [
            (scores[positive] >= t).mean()
            for t in [*scores, scores.max() + 1]
            if (scores[~positive] < t).mean() >= 0.9
        ]
        assert sensitivity_at(positive, scores) == pytest.approx(max(allowed))


def test_measures_of_two_classes():
    codes = np.array([0, 0, 0, 1, 1])
    p = np.array([0.1, 0.6, 0.3, 0.4, 0.9])
    found = measure(codes, np.stack([1 - p, p], 1), 1, 0.35)
    assert list(found) == list(MEASURES)
    assert found["auc"] == pytest.approx(roc_auc_score(codes, p))
    assert found["average_precision"] == pytest.approx(average_precision_score(codes, p))
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["balanced_accuracy_tuned"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.09 + 0.36 + 0.01) / 5)
    # The other class may be the positive one.
    turned = measure(1 - codes, np.stack([p, 1 - p], 1), 0, 0.35)
    assert turned == pytest.approx(found)
    assert math.isnan(measure(codes, np.stack([1 - p, p], 1), 1)["balanced_accuracy_tuned"])


def test_more_classes_are_averages_of_one_against_the_rest():
    rng = np.random.default_rng(0)
    codes = np.tile([0, 1, 2], 10)
    p = rng.dirichlet(np.ones(3), 30)
    found = measure(codes, p, None)
    assert found["auc"] == pytest.approx(roc_auc_score(codes, p, multi_class="ovr"))
    assert found["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(codes, p.argmax(axis=1))
    )
    assert found["brier"] == pytest.approx(np.mean((p - np.eye(3)[codes]) ** 2))
    assert math.isnan(found["balanced_accuracy_tuned"])
