import warnings

import numpy as np
import pytest

from melanet.table_warnings import warn_of_hopeless


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    samples = rng.uniform(-1, 1, (60, 3)).astype("float32")
    y = np.array(["common"] * 45 + ["rare"] * 15)
    samples[y == "rare", 0] += 2
    return samples, y


def test_a_sound_class_passes_in_silence(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_hopeless(*rows, ["rare"])


def test_only_classes_that_are_filled_up_are_spoken_of(rows):
    samples, y = rows
    samples[:45] = samples[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_hopeless(samples, y, ["rare"])
    with pytest.warns(UserWarning, match="Class 'common': its 45 samples are one"):
        warn_of_hopeless(samples, y, ["common"])


def test_few_samples(rows):
    samples, y = rows
    with pytest.warns(UserWarning, match="Class 'rare': 4 samples are few"):
        warn_of_hopeless(samples[:49], y[:49], ["rare"])


def test_rows_of_other_classes(rows):
    samples, y = rows
    samples[45:] = samples[:15]
    with pytest.warns(UserWarning, match="all of its rows occur in other classes"):
        warn_of_hopeless(samples, y, ["rare"])


def test_no_two_rows_differ(rows):
    with pytest.warns(UserWarning, match="All rows of X are the same"):
        warn_of_hopeless(np.ones((6, 2), "float32"), np.repeat([0, 1], 3), [1])
