import math

import numpy as np
import pytest
from scipy import stats

from melanet.metrics._paired_differences import corrected_t_test, folds_needed, holm, samples_factor

DIFFERENCES = np.array([0.03, -0.01, 0.04, 0.02, 0.0, 0.05])


def test_the_variance_is_that_of_nadeau_and_bengio():
    found = corrected_t_test(DIFFERENCES, 1 / 3)
    mean = sum(DIFFERENCES) / 6
    variance = sum((d - mean) ** 2 for d in DIFFERENCES) / 5
    t = mean / math.sqrt((1 / 6 + 1 / 3) * variance)
    assert found.mean == pytest.approx(mean)
    assert found.p_value == pytest.approx(2 * (1 - stats.t.cdf(t, 5)))
    half = stats.t.ppf(0.975, 5) * math.sqrt((1 / 6 + 1 / 3) * variance)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))


def test_without_correction_it_is_the_paired_t_test():
    other = np.zeros(6)
    expected = stats.ttest_rel(DIFFERENCES, other)
    assert corrected_t_test(DIFFERENCES, 0).p_value == pytest.approx(expected.pvalue)


def test_one_fold_and_equal_differences():
    one = corrected_t_test([0.2], 0.25)
    assert one.mean == 0.2
    assert math.isnan(one.low)
    assert one.p_value == 1
    assert corrected_t_test([0.0, 0.0], 0.25).p_value == 1
    assert corrected_t_test([0.1, 0.1], 0.25)[:4] == (0.1, 0.1, 0.1, 0)
    assert math.isnan(corrected_t_test([], 0.25).mean)


def test_holms_correction_is_stepwise():
    # Sorted .01 .02 .03 .5: times 4, 3, 2, 1, never falling.
    assert holm([0.5, 0.02, 0.01, 0.03]) == pytest.approx([0.5, 0.06, 0.04, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])


def test_the_number_of_folds_is_the_first_whose_interval_is_narrow_enough():
    n = int(folds_needed(DIFFERENCES, 0.01, 0.02))
    spread = DIFFERENCES.std(ddof=1)
    half = [stats.t.ppf(0.975, k - 1) * spread * math.sqrt(1 / k + 0.01) for k in (n - 1, n)]
    assert half[0] > 0.02 >= half[1]


def test_no_number_of_folds_narrows_the_interval_below_the_shared_part():
    assert folds_needed(DIFFERENCES, 1.0, 0.02) == math.inf
    assert math.isnan(folds_needed([0.1], 0.25, 0.02))
    factor = samples_factor(DIFFERENCES, 1.0, 0.02)
    assert 1.96 * DIFFERENCES.std(ddof=1) / math.sqrt(factor) == pytest.approx(0.02, rel=0.01)
