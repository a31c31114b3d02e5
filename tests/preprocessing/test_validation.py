from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet import GANOversampler
from melanet.over_sampling._generation import check_needs
from melanet.preprocessing._validation import as_numbers, categorical_columns, check_samples
from melanet.utils._validation import to_python

IMAGES = np.arange(48.0).reshape(3, 4, 4)


def test_objects_of_one_shape_are_stacked():
    boxed = np.empty(3, object)
    boxed[:] = list(IMAGES)
    for given in (boxed, pd.Series(list(IMAGES)), list(IMAGES)):
        np.testing.assert_array_equal(as_numbers(given), IMAGES)


@pytest.mark.parametrize(
    "ragged",
    [
        [np.zeros((2, 2)), np.zeros((2, 3))],
        [[[1, 2], [3]], [[1, 2], [3, 4]]],
        np.array([np.zeros((2, 2)), None], object),
    ],
)
def test_ragged_images_are_named(ragged):
    with pytest.raises(ValueError, match="ragged"):
        as_numbers(ragged)


def test_needs_are_whole_numbers_of_learnable_classes():
    assert check_needs({1: 3.0}, {1: 2}, {}) == {1: 3}
    with pytest.raises(ValueError, match="Received: 2.5 more of class 1"):
        check_needs({1: 2.5}, {1: 2}, {})
    with pytest.raises(ValueError, match="Class 1 has 1 sample"):
        check_needs({np.int64(1): 3}, {1: 1}, {})
    assert check_needs({1: 3}, {1: 1}, {1: "a model that is there"}) == {1: 3}


def test_labels_print_plainly():
    assert repr(to_python(np.str_("melanoma"))) == "'melanoma'"
    assert to_python(3) == 3


FRAME = pd.DataFrame(
    {
        "text": ["a", "b"],
        "number": [1.5, 2.5],
        "truth": [True, False],
        "kind": pd.Categorical([3, 4]),
        "nullable": pd.array([1, 2], dtype="Int64"),
        "stored as objects": np.array([1, 2.5], dtype=object),
        "mixture": np.array([1, "x"], dtype=object),
    }
)


def test_columns_without_numbers_are_categories():
    assert categorical_columns(FRAME) == [0, 2, 3, 6]
    assert categorical_columns(FRAME.to_numpy()) == []


@pytest.mark.parametrize("asked", [["nullable"], [4], [-3], np.arange(7) == 4, "nullable"])
def test_columns_asked_for_are_added(asked):
    assert categorical_columns(FRAME, asked) == [0, 2, 3, 4, 6]


def test_no_columns_may_be_asked_for():
    assert categorical_columns(np.zeros((2, 3)), []) == []


def test_a_number_is_a_name_only_where_there_are_names():
    with pytest.raises(ValueError, match="indices below 3, a mask of 3 booleans. Received"):
        categorical_columns(np.zeros((2, 3)), ["x"])


def test_sparse_entries_are_checked():
    X = sparse.csr_matrix(np.array([[0, 1.0], [np.nan, 0]]))
    with pytest.raises(ValueError, match="NaN: missing values in the columns 0"):
        check_samples(GANOversampler(), X, reset=True)
    X.data[:] = [1, np.inf]
    with pytest.raises(ValueError, match="infinity .* columns 0"):
        check_samples(GANOversampler(), X, reset=True)


def test_a_frame_is_returned_as_it_is_and_its_columns_are_learnt():
    sampler = GANOversampler()
    assert check_samples(sampler, FRAME, reset=True) is FRAME
    assert sampler.feature_names_in_.tolist() == list(FRAME.columns)
    with pytest.raises(ValueError, match="feature names"):
        check_samples(sampler, FRAME.rename(columns={"text": "words"}), reset=False)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        check_samples(GANOversampler(), FRAME.iloc[:0], reset=True)


def test_columns_need_different_names():
    twice = FRAME[["number", "nullable", "number"]]
    with pytest.raises(ValueError, match="unique column names, got:\n- 'number' 2 times"):
        check_samples(GANOversampler(), twice, reset=True)


def test_other_libraries_frames_are_told_by_their_name():
    class DataFrame(SimpleNamespace):
        pass

    with pytest.raises(TypeError, match="must be a pandas DataFrame or an array"):
        check_samples(GANOversampler(), DataFrame(), reset=True)
