from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator

from melanet.preprocessing import as_numbers, categorical_columns, check_samples

IMAGES = np.arange(48.0).reshape(3, 4, 4)


class Estimator(BaseEstimator):
    """The parameters that `check_samples` reads."""

    def __init__(self, image_shape=None, categorical_features="auto"):
        self.image_shape = image_shape
        self.categorical_features = categorical_features


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
def test_ragged_images_are_rejected(ragged):
    with pytest.raises(ValueError, match="ragged"):
        as_numbers(ragged)


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


@pytest.mark.parametrize("requested", [["nullable"], [4], [-3], np.arange(7) == 4, "nullable"])
def test_requested_columns_are_added(requested):
    assert categorical_columns(FRAME, requested) == [0, 2, 3, 4, 6]


def test_no_columns_may_be_requested():
    assert categorical_columns(np.zeros((2, 3)), []) == []


def test_names_need_a_data_frame():
    with pytest.raises(ValueError, match="indices below 3, a mask of 3 booleans. Received"):
        categorical_columns(np.zeros((2, 3)), ["x"])


def test_sparse_entries_are_checked():
    X = sparse.csr_matrix(np.array([[0, 1.0], [np.nan, 0]]))
    with pytest.raises(ValueError, match="NaN: missing values in the columns 0"):
        check_samples(Estimator(), X, reset=True)
    X.data[:] = [1, np.inf]
    with pytest.raises(ValueError, match="infinity .* columns 0"):
        check_samples(Estimator(), X, reset=True)


def test_a_frame_is_returned_unchanged_and_its_columns_are_stored():
    estimator = Estimator()
    assert check_samples(estimator, FRAME, reset=True) is FRAME
    assert estimator.feature_names_in_.tolist() == list(FRAME.columns)
    with pytest.raises(ValueError, match="feature names"):
        check_samples(estimator, FRAME.rename(columns={"text": "words"}), reset=False)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        check_samples(Estimator(), FRAME.iloc[:0], reset=True)


def test_column_names_must_be_unique():
    twice = FRAME[["number", "nullable", "number"]]
    with pytest.raises(ValueError, match="unique column names. Received: 'number' 2 times"):
        check_samples(Estimator(), twice, reset=True)


def test_data_frames_of_other_libraries_are_rejected():
    class DataFrame(SimpleNamespace):
        pass

    with pytest.raises(TypeError, match="must be a pandas DataFrame or an array"):
        check_samples(Estimator(), DataFrame(), reset=True)


def test_positions_that_are_names_of_other_columns_are_refused():
    frame = pd.DataFrame(np.zeros((3, 3)), columns=[2, 1, 0])
    assert categorical_columns(frame, [1]) == [1]
    assert categorical_columns(frame, [False, False, True]) == [2]
    with pytest.raises(ValueError, match=r"are positions.*\[0\] for the columns \[2, 1, 0\]"):
        categorical_columns(frame, [0])
