import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from melanet.exceptions import CostWarning
from melanet.preprocessing import TableForm, form_from_config
from melanet.utils import _memory


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_decoding_restores_a_table(rng):
    X = np.column_stack(
        [rng.lognormal(size=300), rng.normal(size=300) * 1e6, rng.integers(0, 5, 300)]
    )
    form = TableForm.of(X)
    tensor = form.encode(X)
    assert tensor.shape == X.shape
    assert tensor.min() == -1
    assert tensor.max() == 1
    back = form.decode(tensor)
    np.testing.assert_array_equal(back[:, 2], X[:, 2])
    for column in range(2):
        spread = np.subtract(*np.percentile(X[:, column], [75, 25]))
        error = np.abs(back[:, column] - X[:, column])
        assert np.median(error) < 0.01 * spread


def test_table_values_stay_within_each_column(rng):
    X = np.column_stack([rng.lognormal(size=50), np.full(50, 3.5), rng.integers(-2, 3, 50)])
    made = TableForm.of(X).decode(rng.uniform(-1, 1, (200, 3)))
    assert (made.min(axis=0) >= X.min(axis=0)).all()
    assert (made.max(axis=0) <= X.max(axis=0)).all()
    assert (made[:, 1] == 3.5).all()
    assert (made[:, 2] == np.rint(made[:, 2])).all()


def test_no_rows_decode_to_no_rows(rng):
    form = TableForm.of(rng.normal(size=(20, 3)).astype("float32"))
    made = form.decode(np.zeros((0, 3)))
    assert (made.shape, made.dtype) == ((0, 3), np.float32)


def test_an_outlier_does_not_compress_a_column(rng):
    X = rng.normal(size=(200, 1))
    X[0] = 1e9
    assert np.std(TableForm.of(X).encode(X)[1:]) > 0.5


def test_sparse_tables_are_encoded_as_dense_ones(rng):
    X = sparse.random(40, 6, density=0.3, format="csr", random_state=0)
    np.testing.assert_array_equal(
        TableForm.of(X).encode(X), TableForm.of(X.toarray()).encode(X.toarray())
    )


def test_skew_and_outliers_fill_the_range(rng):
    X = np.column_stack([rng.lognormal(sigma=3, size=400), rng.standard_cauchy(400)])
    quarters = np.percentile(TableForm.of(X).encode(X), [25, 50, 75], axis=0)
    np.testing.assert_allclose(quarters, np.repeat([[-0.5], [0], [0.5]], 2, axis=1), atol=0.02)


@pytest.fixture
def clinic():
    """Return a table whose numeric and categorical columns alternate."""
    return pd.DataFrame(
        {
            "site": ["leg", "arm", "leg", "back"],
            "age": np.array([30, 41, 58, 77], "int16"),
            "smoker": [True, False, False, True],
            "record": np.array([2**60 + 1, 2**60 + 3, 2**61 + 5, 2**62 + 7]),
        }
    )


def test_categories_are_encoded_as_one_against_minus_one(clinic):
    form = TableForm.of(clinic, [0, 2])
    assert form.tensor_shape == (2 + 3 + 2,)
    tensor = form.encode(clinic)
    assert tensor.dtype == np.float32
    # arm, back, leg; False, True; numbers come first
    np.testing.assert_array_equal(
        tensor[:, 2:],
        [[-1, -1, 1, -1, 1], [1, -1, -1, 1, -1], [-1, -1, 1, 1, -1], [-1, 1, -1, -1, 1]],
    )
    back = form.decode(tensor)
    assert back[:, 0].tolist() == clinic["site"].tolist()
    assert back[:, 2].tolist() == [True, False, False, True]
    assert back[:, 1].tolist() == clinic["age"].tolist()


def test_decoding_takes_the_category_with_the_largest_number(clinic):
    form = TableForm.of(clinic, [0, 2])
    soft = np.array([[0.0, 0.0, -0.9, -0.2, -0.4, 0.3, 0.1]])
    row = form.decode(soft)[0]
    assert (row[0], row[2]) == ("back", False)
    assert 41 <= row[1] <= 58


def test_integers_beyond_float64_stay_in_range(clinic):
    form = TableForm.of(clinic, [0, 2])
    rows = form.decode(np.repeat([[-1.0], [1.0]], form.tensor_shape[0], axis=1))
    assert rows[:, 3].tolist() == [2**60 + 1, 2**62]  # float64 would give 2**60, below the least


def test_rows_are_interpolated(clinic):
    form = TableForm.of(clinic, [0, 2])
    first, second = clinic.iloc[[0, 0, 0]], clinic.iloc[[1, 1, 1]]
    made = form.between(first, second, np.array([0.0, 0.3, 0.9]))
    assert made[:, 1].tolist() == [30, 33, 40]  # 30 + 3.3, 30 + 9.9
    assert made[:, 0].tolist() == ["leg", "leg", "arm"]
    assert made[:, 2].tolist() == [True, True, False]


def test_no_rows_of_a_mixed_table(clinic):
    form, none = TableForm.of(clinic, [0, 2]), clinic.iloc[:0]
    assert form.decode(np.zeros((0, 7))).shape == (0, 4)
    assert form.between(none, none, np.zeros(0)).shape == (0, 4)


def test_unknown_categories_and_other_widths_are_rejected(clinic):
    form = TableForm.of(clinic, [0, 2])
    with pytest.raises(ValueError, match=r"'site' must hold .*\['arm', 'back', 'leg'\].*'nose'"):
        form.encode(clinic.assign(site="nose"))
    with pytest.raises(ValueError, match=r"4 columns, as in fit.*\(4, 3\)"):
        form.encode(clinic.iloc[:, :3])


def test_a_mixed_form_survives_a_json_round_trip(clinic):
    form = TableForm.of(clinic, [0, 2])
    again = form_from_config(json.loads(json.dumps(form.to_config())))
    np.testing.assert_array_equal(again.encode(clinic), form.encode(clinic))
    tensor = np.random.default_rng(0).uniform(-1, 1, (20, 7))
    assert again.decode(tensor).tolist() == form.decode(tensor).tolist()


def test_configs_without_categories_are_read():
    config = {"kind": "table", "quantiles": [[0.0], [2.0]], "whole": [True], "dtype": "<f4"}
    made = form_from_config(config).decode(np.array([[-1.0], [0.0], [0.8]]))
    assert made.dtype == np.float32
    assert made.ravel().tolist() == [0, 1, 2]


def test_categories_that_json_cannot_represent_are_rejected():
    days = pd.DataFrame({"day": pd.Categorical(pd.to_datetime(["2020-01-01", "2020-01-02"]))})
    with pytest.raises(ValueError, match=r"text, numbers or booleans.*column 0"):
        TableForm.of(days, [0]).to_config()


def test_a_column_of_identifiers_is_named_with_its_cost():
    n = 300
    frame = pd.DataFrame(
        {
            "patient": [f"P{i:05}" for i in range(n)],
            "site": ["arm", "leg"] * (n // 2),
            "age": np.arange(n),
        }
    )
    with pytest.warns(CostWarning, match="'patient' has 300 different values in 300") as caught:
        form = TableForm.of(frame, [0, 1])
    assert len(caught) == 1
    assert "360 kB in all" in str(caught[0].message)  # 300 rows of 300 numbers of 4 bytes
    assert "Drop it" in str(caught[0].message)
    assert form.encode(frame).nbytes == 4 * 300 * (300 + 2 + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableForm.of(frame[["site", "age"]], [0])
        TableForm.of(pd.concat([frame] * 2), [0, 1])  # each patient twice


def test_a_table_that_does_not_fit_into_memory_is_refused(monkeypatch):
    frame = pd.DataFrame({"word": [f"w{i % 150}" for i in range(400)], "age": np.arange(400)})
    monkeypatch.setattr(_memory, "total_memory", lambda: 4 * 400 * 151)
    form = TableForm.of(frame, [0])
    assert form.encode(frame).nbytes == 4 * 400 * 151
    monkeypatch.setattr(_memory, "total_memory", lambda: 4 * 400 * 151 - 1)
    with pytest.raises(ValueError, match="Column 'word' has 150 different values: drop it"):
        TableForm.of(frame, [0])
