import warnings

import numpy as np
import pytest

from melanet.over_sampling._tables import interpolated_copies, warn_of_hopeless_classes
from melanet.preprocessing._table_form import TableForm


@pytest.fixture
def rows():
    """Return two distant clusters of the rare class among rows of another class."""
    rng = np.random.default_rng(0)
    clusters = [rng.normal(centre, 0.01, (7, 2)) for centre in (-5, 5)]
    X = np.concatenate([rng.uniform(-6, 6, (30, 2)), *clusters])
    return X, np.repeat([0, 1], [30, 14])


def copies(X, y, sources, seed=0):
    form = TableForm.of(X)
    return interpolated_copies(form, X, form.encode(X), y, np.asarray(sources), seed)


def test_copies_stay_in_the_cluster_of_their_source(rows):
    X, y = rows
    sources = np.repeat(np.arange(30, 44), 5)
    made = copies(X, y, sources)
    assert np.abs(made - X[sources]).max() < 0.1
    assert len(np.unique(made, axis=0)) == len(sources)


def test_copies_of_a_class_do_not_depend_on_the_other_classes(rows):
    X, y = rows
    alone, both = copies(X, y, [30, 31]), copies(X, y, [0, 30, 5, 31])
    np.testing.assert_array_equal(both[[1, 3]], alone)
    assert not np.array_equal(copies(X, y, [30, 31], seed=1), alone)


def test_a_class_of_one_row_is_copied(rows):
    X, y = rows
    y = y.copy()
    y[43] = 2
    np.testing.assert_array_equal(copies(X, y, [43, 43]), X[[43, 43]])


@pytest.fixture
def labelled_rows():
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, (60, 3)).astype("float32")
    y = np.array(["common"] * 45 + ["rare"] * 15)
    samples[y == "rare", 0] += 2
    return samples, y


def test_a_good_class_causes_no_warning(labelled_rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_hopeless_classes(*labelled_rows, ["rare"])


def test_warnings_are_of_over_sampled_classes_only(labelled_rows):
    samples, y = labelled_rows
    samples[:45] = samples[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_hopeless_classes(samples, y, ["rare"])
    with pytest.warns(UserWarning, match="Class 'common': its 45 samples are the same row"):
        warn_of_hopeless_classes(samples, y, ["common"])


def test_few_samples_cause_a_warning(labelled_rows):
    samples, y = labelled_rows
    with pytest.warns(UserWarning, match="Class 'rare': 4 samples are few"):
        warn_of_hopeless_classes(samples[:49], y[:49], ["rare"])


def test_rows_of_other_classes_cause_a_warning(labelled_rows):
    samples, y = labelled_rows
    samples[45:] = samples[:15]
    with pytest.warns(UserWarning, match="all of its rows occur in other classes"):
        warn_of_hopeless_classes(samples, y, ["rare"])


def test_identical_rows_cause_a_warning(labelled_rows):
    with pytest.warns(UserWarning, match="All rows of X are the same"):
        warn_of_hopeless_classes(np.ones((6, 2), "float32"), np.repeat([0, 1], 3), [1])
