"""Labels in every container."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet.preprocessing import Targets

CODES = np.array([0, 1, 1, 0])
MORE = np.array([0, 1, 1, 0, 1])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
@pytest.mark.parametrize("kind", ["array", "list", "tuple", "frame", "csr"])
def test_one_hot_columns_come_back(n_classes, dtype, kind):
    convert = {
        "array": np.asarray,
        "list": np.ndarray.tolist,
        "tuple": lambda y: tuple(y.tolist()),
        "frame": lambda y: pd.DataFrame(y, columns=list("abc")[:n_classes]),
        "csr": sparse.csr_matrix,
    }[kind]
    eye = np.eye(n_classes, dtype=dtype)
    targets = Targets(convert(eye[CODES]))
    assert targets.labels.tolist() == CODES.tolist()
    restored, expected = targets.restore(MORE), convert(eye[MORE])
    assert type(restored) is type(expected)
    if kind == "frame":
        pd.testing.assert_frame_equal(restored, expected)
    elif kind == "csr":
        assert restored.dtype == expected.dtype
        assert (restored.toarray() == expected.toarray()).all()
    else:
        np.testing.assert_array_equal(restored, expected, strict=True)


def test_a_column_stays_a_column():
    targets = Targets(np.array([["a"], ["b"]]))
    assert targets.labels.tolist() == ["a", "b"]
    assert targets.restore(np.array(["a", "b", "b"])).shape == (3, 1)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[1, 0], [0, 0], [0, 1]], "none or several in the rows 1"),
        ([[1, 0], [1, 1], [0, 1]], "none or several in the rows 1"),
        (np.ma.masked_equal([0, 1, 1], 1), "y must not be a masked array.*2 masked"),
    ],
)
def test_other_columns_and_masks_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        Targets(y)
