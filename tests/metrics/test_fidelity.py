import math

import numpy as np
import pytest

from melanet.metrics import (
    kernel_inception_distance,
    manifold_scores,
    two_sample_test,
)


def _sets(seed, n, m, d, shift=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + shift


def _distance(a, b):
    return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b)))


def test_kernel_inception_distance_equals_loops_over_pairs():
    x, y = _sets(0, 6, 6, 3, shift=0.5)

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b)) / 3 + 1) ** 3

    within = [
        sum(kernel(s[i], s[j]) for i in range(6) for j in range(6) if i != j) / 30 for s in (x, y)
    ]
    across = sum(kernel(a, b) for a in x for b in y) / 36
    mean, sd = kernel_inception_distance(x, y)

    assert mean == pytest.approx(sum(within) - 2 * across)
    assert math.isnan(sd)  # a single subset


def test_kernel_inception_distance_is_unbiased():
    values = np.array([kernel_inception_distance(*_sets(s, 20, 20, 4))[0] for s in range(300)])
    assert abs(values.mean()) < 3 * values.std(ddof=1) / math.sqrt(300)
    assert 0.25 < (values > 0).mean() < 0.75
    shifted = [kernel_inception_distance(*_sets(s, 20, 20, 4, shift=1.0))[0] for s in range(20)]
    assert min(shifted) > values.mean() + 2 * values.std()


def test_subsets_are_limited_by_the_smaller_set_and_follow_the_seed():
    x, y = _sets(1, 5, 300, 4)
    first = kernel_inception_distance(x, y, subset_size=100, random_state=3)
    assert first == kernel_inception_distance(x, y, subset_size=5, random_state=3)
    assert first[1] > 0
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    kernel_inception_distance(x, y, random_state=0)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert math.isnan(kernel_inception_distance(x[:1], y)[0])


@pytest.mark.parametrize(("n", "m", "k"), [(12, 9, 3), (5, 30, 5), (2, 3, 5)])
def test_precision_to_coverage_equal_counts(n, m, k):
    real, synthetic = _sets(2, n, m, 2, shift=0.7)

    def radii(points):
        nearest = min(k, max(1, (len(points) - 1) // 2))
        others = [
            sorted(_distance(p, q) for j, q in enumerate(points) if j != i)
            for i, p in enumerate(points)
        ]
        return [distances[nearest - 1] for distances in others], nearest

    real_radii, k_real = radii(real)
    synthetic_radii, _ = radii(synthetic)
    holds = [[_distance(r, s) <= radius for s in synthetic] for r, radius in zip(real, real_radii)]
    scores = manifold_scores(real, synthetic, k=k)

    assert scores["precision"] == pytest.approx(
        sum(any(row[j] for row in holds) for j in range(m)) / m
    )
    assert scores["density"] == pytest.approx(sum(map(sum, holds)) / (k_real * m))
    assert scores["coverage"] == pytest.approx(sum(map(any, holds)) / n)
    covered = [any(_distance(r, s) <= q for s, q in zip(synthetic, synthetic_radii)) for r in real]
    assert scores["recall"] == pytest.approx(sum(covered) / n)


def test_expected_density_and_coverage_hold_for_one_distribution():
    scores = [manifold_scores(*_sets(s, 15, 10, 3), k=5) for s in range(400)]
    density = np.array([s["density"] for s in scores])
    coverage = np.array([s["coverage"] for s in scores])
    for values, expected in ((density, 1.0), (coverage, scores[0]["coverage_expected"])):
        assert abs(values.mean() - expected) < 3.5 * values.std(ddof=1) / 20


def test_two_sample_test_on_known_shifts():
    aucs = [two_sample_test(*_sets(s, 60, 60, 5), random_state=0)["auc"] for s in range(20)]
    assert abs(np.mean(aucs) - 0.5) < 0.08
    far = two_sample_test(*_sets(0, 60, 60, 5, shift=3.0), random_state=0)
    assert far["auc"] > 0.99
    assert far["balanced_accuracy"] > 0.95
    assert far["p_value"] < 1e-6
    # One dimension shifted by 1: the best AUC is Phi(1 / sqrt(2)) = 0.760.
    x, y = _sets(1, 2000, 2000, 1, shift=1.0)
    report = two_sample_test(x, y, random_state=0)
    assert report["auc_low"] < 0.76025 < report["auc_high"]


def test_copies_lower_the_auc_below_one_half():
    x, _ = _sets(5, 40, 1, 30)
    assert two_sample_test(x, x, random_state=0)["auc"] < 0.3


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([[np.nan]], [[0.0]], {}, "must be finite. Received: 1 rows"),
        ([[1.0]], [[0.0, 1.0]], {}, "1 and 2 columns"),
        ([1.0], [[0.0]], {}, r"shape \(1,\)"),
        ([[1.0]], [[0.0]], {"subset_size": 1}, "subset_size must be .*subset_size=1"),
        ([[1.0]], [[0.0]], {"n_subsets": 0}, "n_subsets must be .*n_subsets=0"),
    ],
)
def test_invalid_input_is_rejected(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        kernel_inception_distance(x, y, **options)
