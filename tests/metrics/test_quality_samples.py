"""Samples in a common form, their features, and labels and sources that are checked."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet.metrics._quality_samples import (
    SampleSets,
    check_labels,
    check_sources,
    encode_labels,
)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return rng.normal([0, 50, -3], [1, 20, 0.1], (30, 3)), rng.normal([1, 40, -3], 1, (8, 3))


def read(X, made, image_shape=None, value_range=None):
    return SampleSets.read(X, made, image_shape, value_range)


def test_columns_are_standardised_on_the_real_rows(table):
    X, made = table
    sets = read(X, made)
    assert sets.kind == "table"
    mean, spread = X.mean(axis=0), np.sqrt(((X - X.mean(axis=0)) ** 2).mean(axis=0))
    np.testing.assert_allclose(sets.real, (X - mean) / spread)
    np.testing.assert_allclose(sets.synthetic, (made - mean) / spread)
    assert sets.features(None, seed=0)[0] is sets.real
    dense = [read(form(X), form(made)).synthetic for form in (sparse.csr_array, list)]
    np.testing.assert_array_equal(dense, [sets.synthetic] * 2)


@pytest.mark.parametrize("value", [0.1, 0.25])  # the mean of many 0.1 is not 0.1
def test_rounding_in_a_constant_column_is_no_difference(table, value):
    X, made = (np.column_stack([part, np.full(len(part), value)]) for part in table)
    made[:, 3] = np.float32(value)
    assert np.abs(read(X, made).synthetic[:, 3]).max() < 1e-6


def test_rows_that_are_not_finite_are_left_out_and_counted(table):
    X, made = table
    made[2, 0], made[5, 1] = np.nan, -np.inf
    sets = read(X, made)
    assert sets.kept.tolist() == [0, 1, 3, 4, 6, 7]
    assert (sets.n_given, len(sets.synthetic)) == (8, 6)
    np.testing.assert_array_equal(sets.raw_synthetic, made[sets.kept])


def test_columns_of_frames_are_matched_by_name(table):
    X, made = (pd.DataFrame(part, columns=["a", "b", "c"]) for part in table)
    np.testing.assert_array_equal(read(X, made[["c", "a", "b"]]).synthetic, read(X, made).synthetic)


def test_images_are_encoded_alike_and_compared_at_64_pixels():
    real = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype="uint8")
    sets = read(real, real[1:])
    assert sets.kind == "images"
    np.testing.assert_allclose(sets.real, real / 127.5 - 1, atol=1e-6)
    flat, synthetic = sets.flat()
    assert flat.shape == (2, 64 * 64 * 3)
    np.testing.assert_array_equal(synthetic, flat[1:])
    assert flat.mean() == pytest.approx(sets.real.mean(), abs=2e-3)


def test_features_have_mean_0_and_mean_square_1_and_keep_ratios_of_distances(table):
    def embed(X):
        return X * [1, 2, 3]

    real, synthetic = read(*table).features(embed, seed=0)
    np.testing.assert_allclose(real.mean(axis=0), 0, atol=1e-12)
    assert (real**2).mean() == pytest.approx(1)
    joined, given = np.concatenate([real, synthetic]), embed(np.concatenate(table))
    scales = np.diff(joined, axis=0) / np.diff(given, axis=0)
    np.testing.assert_allclose(scales, scales[0, 0])


def test_features_of_no_sample_have_the_width_of_the_real_ones(table):
    X, made = table
    sets = read(X, np.full_like(made, np.nan))
    for features in (None, "pixels", lambda X: X[:, :2]):
        real, synthetic = sets.features(features, seed=0)
        assert synthetic.shape == (0, real.shape[1])
    with pytest.raises(ValueError, match=r"shape \(30, 3\) for 30 samples, some not finite"):
        sets.features(lambda X: np.full_like(X, np.nan), seed=0)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 3)), r"X_synthetic must hold at least one sample.*shape \(0, 3\)"),
        (np.zeros(3), r"X_synthetic must hold at least one sample.*shape \(3,\)"),
        (np.array([["red", 1, 2]], object), "X_synthetic must be numeric.*Encode categorical"),
    ],
)
def test_other_samples_are_refused_by_name(table, X, message):
    with pytest.raises(ValueError, match=message):
        read(table[0], X)


def test_labels_become_places_among_the_classes_of_y():
    y, made = np.array(["b", "c", "a", "b", "a", "c"]), np.array(["c", "a", "c"])
    classes, codes, synthetic = encode_labels(y, made)
    assert classes[codes].tolist() == y.tolist()
    assert classes[synthetic].tolist() == made.tolist()
    assert len(classes) == 3
    # A class of one sample can have no synthetic ones, but may be there.
    assert encode_labels(np.append(y, "z"), made)[2].tolist() == synthetic.tolist()
    with pytest.raises(ValueError, match="Class 'z' has 1 real sample"):
        encode_labels(np.append(y, "z"), np.array(["z"]))


def test_labels_and_sources_are_one_for_each_sample():
    assert check_labels("y", [1, 2], 2).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"y must hold one label per sample, shape \(2,\)"):
        check_labels("y", [[1], [2]], 2)
    with pytest.raises(ValueError, match="masked"):
        check_labels("y", np.ma.array([1, 2], mask=[0, 1]), 2)
    assert check_sources(None, 3, 5) is None
    assert check_sources([4, 0, 4], 3, 5).tolist() == [4, 0, 4]
    for wrong in ([4, 0], [4, 0, 5], [4, -1, 0], [True, False, True]):
        with pytest.raises(ValueError, match="source_indices"):
            check_sources(wrong, 3, 5)
