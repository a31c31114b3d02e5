"""Training sets of the remedies, on images whose class can be read off their pixels."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.decomposition import PCA

from melanet import GANOversampler
from melanet.comparison._data import Data
from melanet.comparison._remedies import (
    CHANGED,
    OVER,
    SMOTE_ROWS,
    UNDER,
    NotApplicable,
    Remedy,
    gan_samplers,
    seeded,
)

ROWS = np.arange(3, 39)  # 27 of class 0, 9 of class 1


@pytest.fixture(scope="module")
def images():
    """Images of one value each: 10, 11, ... in class 0, and 200, 201, ... in class 1."""
    values = np.r_[10:40, 200:212]
    X = np.broadcast_to(values[:, None, None], (42, 8, 8)).astype("uint8")
    return Data(X, np.repeat([0, 1], [30, 12]))


def test_random_resampling_repeats_or_leaves_out_training_rows(images):
    over, under = (Remedy(name).resample(images, ROWS, 0) for name in (OVER, UNDER))
    assert set(over.rows) == set(ROWS)
    assert np.bincount(images.codes[over.rows]).tolist() == [27, 27]
    assert set(under.rows) < set(ROWS)
    assert np.bincount(images.codes[under.rows]).tolist() == [9, 9]
    assert len(set(under.rows)) == 18
    assert over.samples is None


def test_changed_copies_are_of_rare_training_images(images):
    made = Remedy(CHANGED).resample(images, ROWS, 0)
    assert made.samples.dtype == np.uint8
    assert made.labels.tolist() == [1] * 18
    # Turned and moved, an image of one value keeps it. Each of the nine serves twice.
    values = made.samples.reshape(18, -1)
    assert (values.min(axis=1) == values.max(axis=1)).all()
    expected = images.X[ROWS[images.codes[ROWS] == 1], 0, 0]
    assert sorted(values[:, 0]) == sorted(2 * expected.tolist())


def test_smote_mixes_training_images_and_keeps_their_form(images):
    made = Remedy(SMOTE_ROWS).resample(images, ROWS, 0)
    assert made.samples.shape == (18, 8, 8)
    assert made.samples.dtype == np.uint8
    rare = images.X[ROWS[images.codes[ROWS] == 1], 0, 0]
    assert rare.min() <= made.samples.min() <= made.samples.max() <= rare.max()
    few = np.r_[np.arange(10), 35]
    with pytest.raises(NotApplicable, match="two training samples of every class"):
        Remedy(SMOTE_ROWS).resample(images, few, 0)


def test_smote_takes_tables_of_categories_only():
    frame = pd.DataFrame({"a": list("xxyyzzxyzxyz"), "b": list("ppqqppqqppqq")}, dtype="category")
    data = Data(frame, [0] * 8 + [1] * 4)
    made = Remedy(SMOTE_ROWS).resample(data, np.arange(12), 0)
    assert made.labels.tolist() == [1] * 4
    assert set(made.samples["a"]) <= set("xyz")


class Reversing:
    """Sampler that returns its samples in another order, so that none is known to be real."""

    def fit_resample(self, X, y):
        return X[::-1], y[::-1]


class Adding:
    def fit_resample(self, X, y):
        return np.concatenate([X, X[:2] + 1]), np.concatenate([y, y[:2]])


def test_samples_of_other_samplers_are_taken_for_real_only_where_they_are(images):
    chosen = Remedy("a", RandomOverSampler()).resample(images, ROWS, 0)
    assert chosen.samples is None
    assert np.bincount(images.codes[chosen.rows]).tolist() == [27, 27]
    added = Remedy("b", Adding()).resample(images, ROWS, 0)
    np.testing.assert_array_equal(added.rows, ROWS)
    np.testing.assert_array_equal(added.samples, images.X[ROWS[:2]] + 1)
    moved = Remedy("c", Reversing()).resample(images, ROWS, 0)
    assert len(moved.rows) == 0
    np.testing.assert_array_equal(moved.samples, images.X[ROWS][::-1])


def test_random_states_are_set_in_copies_however_deep():
    pipeline = make_pipeline(PCA(2), RandomOverSampler(random_state=7))
    one, again, other = (seeded(pipeline, seed).get_params() for seed in (1, 1, 2))
    name = "randomoversampler__random_state"
    assert pipeline.get_params()[name] == 7
    assert pipeline.get_params()["pca__random_state"] is None
    assert one[name] == again[name] != other[name]
    assert len({one[name], one["pca__random_state"], other["pca__random_state"]}) == 3


def test_a_gan_is_found_in_a_pipeline():
    gan = GANOversampler()
    assert gan_samplers(make_pipeline(PCA(2), gan)) == [gan]
    assert gan_samplers(RandomOverSampler()) == []
