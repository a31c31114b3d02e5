import math

import numpy as np
import pytest

from melanet.metrics import _distances, diversity_ratio, nearest_samples
from melanet.metrics._distances import check_pair, distinct_share


def draw(seed, n):
    return np.random.default_rng(seed).normal(size=(n, 3))


@pytest.fixture(params=[None, 10], ids=["at once", "in chunks"])
def chunk(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(_distances, "CHUNK", request.param)


def test_nearest_samples_equal_loops(chunk):
    x, y = draw(4, 7), draw(5, 5)
    distances, rows = nearest_samples(x, y)
    own_distances, own_rows = nearest_samples(x)
    for i, point in enumerate(x):
        to_y = [math.dist(point, q) for q in y]
        to_x = [math.dist(point, q) if j != i else math.inf for j, q in enumerate(x)]
        assert rows[i] == np.argmin(to_y)
        assert own_rows[i] == np.argmin(to_x)
        assert distances[i] == pytest.approx(min(to_y) / math.sqrt(3))
        assert own_distances[i] == pytest.approx(min(to_x) / math.sqrt(3))


def test_without_another_sample_nothing_is_near():
    for found in (nearest_samples(draw(0, 1)), nearest_samples(draw(0, 1), np.zeros((0, 3)))):
        assert [values.tolist() for values in found] == [[math.inf], [-1]]


def test_copies_are_found_in_spite_of_rounding():
    """A difference of 1e-6 beside coordinates of 1e5 is lost in squares of 1e10."""
    x = 1e5 * draw(6, 20)
    others = np.concatenate([x + 1e-6, x, [[0.0, 0.0, 0.0]]])
    distances, rows = nearest_samples(x, others)
    assert rows.tolist() == list(range(20, 40))
    assert (distances == 0).all()
    assert nearest_samples([[1.0], [1.0], [1.0]])[1].tolist() == [1, 0, 0]  # first of equals


def test_a_sample_is_distinct_if_no_earlier_one_is_near(chunk):
    x = draw(7, 30)
    for limit in (0.1, 0.5, 1.0):
        repeats = sum(
            any(math.dist(x[i], x[j]) / math.sqrt(3) <= limit for j in range(i)) for i in range(30)
        )
        assert distinct_share(x, limit) == pytest.approx(1 - repeats / 30)
    assert distinct_share(np.concatenate([x, x[:10] + 1e-6]), 1e-5) == pytest.approx(0.75)
    assert math.isnan(distinct_share(np.zeros((0, 2)), 1))


def test_diversity_is_the_ratio_of_mean_distances():
    x = draw(8, 30)
    assert diversity_ratio(x, 0.25 * x + 7) == pytest.approx(0.25)
    assert diversity_ratio(x, np.repeat(x[:1], 5, axis=0)) == 0
    assert math.isnan(diversity_ratio(x[:1], x))
    assert math.isnan(diversity_ratio(np.ones((4, 3)), x))
    many = np.random.default_rng(0).uniform(size=(5000, 1))
    # Two numbers in [0, 1] differ by a third on average.
    found = diversity_ratio([[0.0], [1.0]], many, random_state=0)
    assert found == pytest.approx(1 / 3, abs=0.02)
    assert found == diversity_ratio([[0.0], [1.0]], many, random_state=0)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([[np.nan], [1.0]], [[0.0]], "the first set must be finite. Received: 1 rows"),
        ([[1.0]], [[np.inf]], "the second set must be finite"),
        ([[1.0]], [[0.0, 1.0]], "1 and 2 columns"),
        ([1.0], [[0.0]], r"the first set must have shape \(n, d\). Received: shape \(1,\)"),
        (np.zeros((2, 0)), np.zeros((2, 0)), r"Received: shape \(2, 0\)"),
    ],
)
def test_sets_that_cannot_be_compared_are_rejected(first, second, message):
    with pytest.raises(ValueError, match=message):
        check_pair(first, second)
