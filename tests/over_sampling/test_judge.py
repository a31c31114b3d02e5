import random

import numpy as np
import pytest
from sklearn.datasets import load_digits

from melanet.over_sampling._judge import Judge
from melanet.utils import reproducible


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=3, return_X_y=True)
    X = (X.reshape(-1, 8, 8, 1) / 8 - 1).astype("float32")
    rare = np.flatnonzero(y == 2)[:12]
    train = np.concatenate([np.flatnonzero(y == c)[:60] for c in (0, 1)] + [rare])
    return X[train], y[train], X[300:], y[300:]


def test_the_judge_recognises_unseen_digits_of_a_rare_class(digits):
    X, y, X_test, y_test = digits
    with reproducible():
        predicted = Judge(seed=1).fit(X, y).predict(X_test)
    recall = [(predicted[y_test == c] == c).mean() for c in range(3)]
    assert min(recall) > 0.8


def test_the_judge_is_reproducible_and_keeps_pythons_random_state(digits):
    X, y, X_test, _ = digits
    random.seed(2)
    state = random.getstate()
    with reproducible():
        first, second = (Judge(steps=20, seed=1).fit(X, y)._predict_proba(X_test) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert random.getstate() == state


def test_large_photographs_are_accepted():
    images = np.zeros((4, 70, 90, 3), "float32")
    images[2:] = 0.5
    judge = Judge(steps=2).fit(images, np.array([0, 0, 1, 1]))
    assert judge.predict(images).shape == (4,)


def test_the_judge_classifies_rows_of_tables():
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (200, 4)).astype("float32")
    codes = (rows[:, 0] > 0.6).astype(int)
    fresh = rng.uniform(-1, 1, (200, 4)).astype("float32")
    assert (Judge().fit(rows, codes).predict(fresh) == (fresh[:, 0] > 0.6)).mean() > 0.95
