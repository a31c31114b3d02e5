import numpy as np
import pytest

from melanet.table_copies import near_copies
from melanet.table_form import TableForm


@pytest.fixture
def rows():
    """Two clusters of the rare class, far apart, amid another class."""
    rng = np.random.default_rng(0)
    clusters = [rng.normal(centre, 0.01, (7, 2)) for centre in (-5, 5)]
    X = np.concatenate([rng.uniform(-6, 6, (30, 2)), *clusters])
    return X, np.repeat([0, 1], [30, 14])


def copies(X, y, sources, seed=0):
    form = TableForm.of(X)
    return near_copies(form, X, form.encode(X), y, np.asarray(sources), seed)


def test_rows_stay_with_their_near_ones(rows):
    X, y = rows
    sources = np.repeat(np.arange(30, 44), 5)
    made = copies(X, y, sources)
    assert np.abs(made - X[sources]).max() < 0.1
    assert len(np.unique(made, axis=0)) == len(sources)


def test_every_class_gets_the_same_whatever_the_others_need(rows):
    X, y = rows
    alone, both = copies(X, y, [30, 31]), copies(X, y, [0, 30, 5, 31])
    np.testing.assert_array_equal(both[[1, 3]], alone)
    assert not np.array_equal(copies(X, y, [30, 31], seed=1), alone)


def test_a_class_of_one_row_is_copied(rows):
    X, y = rows
    y = y.copy()
    y[43] = 2
    np.testing.assert_array_equal(copies(X, y, [43, 43]), X[[43, 43]])
