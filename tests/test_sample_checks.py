from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet import GANOversampler
from melanet.sample_checks import categorical_columns, check_samples

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
