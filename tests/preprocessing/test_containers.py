import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet.preprocessing import Extended, same_kind


@pytest.fixture
def frame():
    columns = pd.Index(["n", "x"], name="what")
    values = {"n": np.array([1, 2], "int8"), "x": np.array([0.5, 1.5], "float32")}
    return pd.DataFrame(values, index=["p", "q"])[columns]


def append_rows(X, made, sources):
    result = Extended(X, len(made), made.dtype)
    result.room[:] = made
    return result.filled(sources)


def test_frames_keep_names_dtypes_and_index(frame):
    made = same_kind(frame, np.array([[3, 2.5], [4, 3.5]]))
    expected = frame.copy()
    expected["n"] = np.array([3, 4], "int8")
    expected["x"] = np.array([2.5, 3.5], "float32")
    pd.testing.assert_frame_equal(made, expected)


def test_appended_rows_get_the_index_label_of_their_source(frame):
    result = append_rows(frame, np.array([[7, 9.5]]), np.array([1]))
    assert result.index.tolist() == ["p", "q", "q"]
    assert result["n"].tolist() == [1, 2, 7]
    assert result.dtypes.tolist() == frame.dtypes.tolist()
    numbered = append_rows(frame.reset_index(drop=True), np.array([[7, 9.5]]), np.array([1]))
    assert numbered.index.tolist() == [0, 1, 2]


def test_appending_nothing_returns_a_copy(frame):
    result = append_rows(frame, np.zeros((0, 2)), np.zeros(0, int))
    pd.testing.assert_frame_equal(result, frame)
    result.iloc[0, 0] = 9
    assert frame.iloc[0, 0] == 1


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, np.asarray])
def test_arrays_and_matrices_keep_their_type(kind):
    X = kind(np.eye(2))
    result = append_rows(X, np.ones((1, 2)), np.array([0]))
    assert type(result) is type(X)
    dense = result.toarray() if sparse.issparse(result) else result
    assert dense.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert type(same_kind(X, np.ones((2, 2)))) is type(X)
