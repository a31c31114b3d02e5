from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from melanet.comparison._folds import make_folds

CODES = np.repeat([0, 1], [60, 20])
CLASSES = np.array(["benign", "malignant"])
GROUPS = np.array([f"p{i // 2}" for i in range(80)])  # pairs, within a class


def test_parts_are_disjoint_cover_all_rows_and_hold_every_class():
    folds = make_folds(CODES, CLASSES, None, (5, 2), 0)
    assert [fold.repeat for fold in folds] == [0] * 5 + [1] * 5
    for fold in folds:
        rows = np.concatenate([fold.fit, fold.threshold, fold.test])
        assert sorted(rows) == list(range(80))
        assert Counter(CODES[fold.test]) == {0: 12, 1: 4}
        assert Counter(CODES[fold.threshold]) == {0: 12, 1: 4}  # a quarter of 48 and 16
    for repeat in (folds[:5], folds[5:]):
        assert sorted(np.concatenate([fold.test for fold in repeat])) == list(range(80))
    assert not np.array_equal(folds[0].test, folds[5].test)


def test_a_number_of_folds_is_repeated_five_times_and_the_seed_decides():
    folds = make_folds(CODES, CLASSES, None, 4, 0)
    assert len(folds) == 20
    again = make_folds(CODES, CLASSES, None, 4, 0)
    other = make_folds(CODES, CLASSES, None, 4, 1)
    assert all(np.array_equal(a.fit, b.fit) for a, b in zip(folds, again))
    assert not np.array_equal(folds[0].test, other[0].test)


def test_groups_are_on_one_side_only():
    for fold in make_folds(CODES, CLASSES, GROUPS, (5, 2), 0):
        parts = [set(GROUPS[rows]) for rows in (fold.fit, fold.threshold, fold.test)]
        assert not any(a & b for a, b in combinations(parts, 2))
        assert all(len(set(CODES[rows])) == 2 for rows in (fold.fit, fold.threshold, fold.test))


def test_nothing_is_set_aside_if_no_threshold_is_tuned():
    for fold in make_folds(CODES, CLASSES, None, (5, 1), 0, set_aside=False):
        assert len(fold.fit) == 64
        assert not len(fold.threshold)


def test_splitters_and_pairs_of_rows_are_taken_as_they_are():
    splitter = StratifiedKFold(3)
    expected = [test for _, test in splitter.split(CODES, CODES)]
    for cv in (splitter, list(splitter.split(CODES, CODES))):
        folds = make_folds(CODES, CLASSES, None, cv, 0)
        assert all(np.array_equal(f.test, rows) for f, rows in zip(folds, expected, strict=True))


@pytest.mark.parametrize(
    ("codes", "groups", "cv", "message"),
    [
        (np.repeat([0, 1], [20, 4]), None, 5, "need 5 samples of every class. Received: 4"),
        (CODES, np.repeat(["a", "b"], [60, 20]), 5, "hold all samples of a class.*group 'a'"),
        (CODES, np.repeat(["a", "b", "c", "d"], 20), 5, "hold all .*group 'd' with all 20"),
        (np.tile([0, 1], 6), np.repeat(["a", "b", "c"], 4), 5, "need 5 groups"),
        (CODES, None, "five", "cv must be a number of folds"),
        (CODES, None, 1, "cv must be a number of folds"),
        (CODES, None, [([0, 1, 70], [1, 71])], "without a common row"),
        (CODES, None, [([0, 1, 70, 71], [2, 3])], "test rows without class 'malignant'"),
        (CODES, GROUPS, [([0, 2, 60, 62], [1, 64])], "group 'p0' in the training and in the test"),
        (CODES, None, [([0, 1, 2, 60], [3, 61])], "two samples of every class"),
        (CODES, None, [], "at least one pair"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(codes, groups, cv, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_folds(codes, CLASSES, groups, cv, 0)
    assert "\n" not in str(caught.value)
