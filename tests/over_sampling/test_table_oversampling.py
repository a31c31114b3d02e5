"""Over-sampling of tables: DataFrames with categories, tiny, wide and bad tables."""

import functools
import importlib.abc
import sys
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from melanet import CycleGAN, GANOversampler
from melanet.exceptions import CostWarning
from melanet.over_sampling import _gan_oversampler


def quick(**options):
    return GANOversampler(**{"steps": 10, "random_state": 0, **options})


@functools.cache
def untrained(width):
    """Return an untrained CycleGAN, for tests that do not depend on its translations."""
    return CycleGAN.from_shape((width,), filters=4, discriminator_filters=4)


def without_training(width, label=1, **options):
    return quick(pretrained={label: untrained(width)}, steps=None, **options)


def mixed(n=80, rare=20):
    """Return a table with all kinds of numeric and categorical columns of pandas."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype("int32"),
            "record": rng.integers(2**60, 2**62, n),
            "marker": rng.lognormal(size=n).astype("float32"),
            "visits": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "smoker": rng.random(n) < 0.5,
            "treated": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "site": rng.choice(["arm", "back", "leg"], n),
            "grade": pd.Categorical(
                rng.choice(["low", "mid"], n), categories=["low", "mid", "high"], ordered=True
            ),
            "code": np.array(rng.integers(0, 5, n).tolist(), dtype=object),
        }
    )
    y = pd.Series(np.repeat(["benign", "malignant"], [n - rare, rare]), name="label")
    frame.loc[y == "malignant", "marker"] += 3
    return frame, y


def numbers(n=60, rare=15, columns=3):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, columns))
    y = np.repeat([0, 1], [n - rare, rare])
    X[y == 1, 0] += 3
    return X, y


@pytest.fixture(scope="module")
def filled():
    frame, y = mixed()
    sampler = quick()
    return (sampler, frame, y, *sampler.fit_resample(frame, y))


def test_a_mixed_table_keeps_its_names_dtypes_and_originals(filled):
    _sampler, frame, y, result, labels = filled
    pd.testing.assert_frame_equal(result.iloc[:80], frame)
    pd.testing.assert_series_equal(labels.iloc[:80], y)
    pd.testing.assert_series_equal(result.dtypes, frame.dtypes)
    assert list(result.index) == list(labels.index) == list(range(120))
    assert result["record"].iloc[:80].tolist() == frame["record"].tolist()


def test_synthetic_rows_hold_observed_categories_and_numbers_in_range(filled):
    _sampler, frame, _y, result, labels = filled
    made = result.iloc[80:]
    assert (labels.iloc[80:] == "malignant").all()
    assert not made.isna().to_numpy().any()
    for name in ("smoker", "treated", "site", "grade", "code"):
        assert set(made[name]) <= set(frame[name])
    assert "high" not in set(made["grade"])
    assert {type(value) for value in made["code"]} == {int}
    for name in ("age", "record", "marker", "visits"):
        assert made[name].between(frame[name].min(), frame[name].max()).all()
    assert made["marker"].median() > frame["marker"][:60].median() + 1


def test_a_fitted_sampler_of_a_mixed_table_can_be_saved_and_loaded(filled, tmp_path):
    sampler, frame, *_ = filled
    sampler.save(tmp_path / "mixed.melanet")
    again = GANOversampler.load(tmp_path / "mixed.melanet")
    expected = sampler.translate(frame, "malignant")
    pd.testing.assert_frame_equal(again.translate(frame, "malignant"), expected)
    pd.testing.assert_series_equal(expected.dtypes, frame.dtypes)


def test_translate_names_an_unknown_category(filled):
    sampler, frame, *_ = filled
    with pytest.raises(ValueError, match=r"'site'.*\['arm', 'back', 'leg'\].*\['nose'\]"):
        sampler.translate(frame.assign(site="nose"), "malignant")


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2020-01-01", periods=80, name="day"),
        pd.Index([f"patient {i}" for i in range(80)]),
        pd.MultiIndex.from_product([range(8), list("abcdefghij")], names=["ward", "bed"]),
        pd.Index([*range(100, 180)]),
    ],
    ids=["dates", "text", "multi", "numbers"],
)
def test_synthetic_rows_have_the_index_label_of_their_source(index):
    frame, y = mixed()
    frame, y = frame.set_index(index), y.set_axis(index)
    sampler = without_training(14, "malignant")
    result, labels = sampler.fit_resample(frame, y)
    assert type(result.index) is type(index)
    assert result.index.names == index.names
    assert list(result.index[:80]) == list(index)
    assert list(result.index[80:]) == list(index[sampler.source_indices_])
    assert labels.index.equals(result.index)


def test_categorical_features_of_arrays_and_frames():
    X, y = numbers()
    codes = np.array([10, 20, 70])[np.random.default_rng(0).integers(0, 3, 60)]
    X = np.column_stack([X, codes])
    frame = pd.DataFrame(X, columns=list("abcd"))
    for given, asked in (
        (X, [3]),
        (X, [-1]),
        (X, [False, False, False, True]),
        (X.astype(object), [3]),
        (frame, ["d"]),
    ):
        result, _ = without_training(6, categorical_features=asked).fit_resample(given, y)
        values = np.asarray(result)[60:, 3].astype(float)
        assert set(values) <= {10.0, 20.0, 70.0}
        assert type(result) is type(given)
    text = np.column_stack([X.astype(object), np.array(["yes", "no"])[(codes > 10).astype(int)]])
    sampler = without_training(6, categorical_features=[4])
    result, _ = sampler.fit_resample(text, y)
    assert set(result[:, 4]) == {"yes", "no"}


def test_a_table_of_categories_only():
    frame, y = mixed()
    sampler = without_training(7, "malignant")
    result, labels = sampler.fit_resample(frame[["site", "grade", "smoker"]], y)
    assert len(result) == len(labels) == 120
    assert set(result["site"]) == {"arm", "back", "leg"}


def test_large_integers_of_an_array_stay_exact():
    rng = np.random.default_rng(0)
    X = rng.integers(2**62, 2**63 - 1, (60, 2))
    X[:15, 0] -= 2**61
    y = np.repeat([1, 0], [15, 45])
    result, _ = without_training(2).fit_resample(X, y)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result[:60], X)
    assert (result.min(axis=0) >= X.min(axis=0)).all()
    assert (result.max(axis=0) <= X.max(axis=0)).all()


class NoPandas(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ImportError("pandas is not installed")


def test_plain_arrays_do_not_need_pandas(monkeypatch):
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setattr(sys, "meta_path", [NoPandas(), *sys.meta_path])
    with pytest.raises(ImportError):
        import pandas  # noqa: F401
    X, y = numbers()
    assert without_training(3).fit_resample(X, y)[0].shape == (90, 3)
    asked = without_training(3, categorical_features=[0])
    X[:, 0] = X[:, 0] > 1
    with pytest.raises(ValueError, match=r"shape \(3,\).*shape \(4,\)"):
        asked.fit_resample(X, y)  # two numeric columns and one-hot codes of two categories
    asked.set_params(pretrained={1: untrained(4)})
    assert set(asked.fit_resample(X, y)[0][:, 0]) == {0.0, 1.0}


def assert_between_rows_of_the_class(made, sources, rare):
    for row, source in zip(made, sources):
        # On the line from the source to another row of the class, so no detour.
        detour = np.linalg.norm(row - source) + cdist(rare, row[None])[:, 0]
        direct = cdist(rare, source[None])[:, 0]
        assert np.isclose(detour, direct)[direct > 0].any()


def test_by_default_all_rows_lie_between_rows_of_the_class_and_nothing_is_trained():
    X, y = numbers()
    sampler = GANOversampler(random_state=0)
    result, labels = sampler.fit_resample(X, y)
    assert np.bincount(labels).tolist() == [45, 45]
    assert (sampler.cyclegans_, sampler.recipe_.copies) == ({}, 1)
    assert set(sampler.source_kind_) == {"copy"}
    assert_between_rows_of_the_class(result[60:], X[sampler.source_indices_], X[45:])
    assert len(np.unique(result, axis=0)) == 90
    again = GANOversampler(random_state=0).fit_resample(X, y)[0]
    np.testing.assert_array_equal(result, again)


@pytest.mark.parametrize(
    "asked", [{"copies": 0, "epochs": 1}, {"steps": 2}, {"max_translations": 9, "epochs": 1}]
)
def test_what_belongs_to_a_cyclegan_asks_for_one(asked):
    X, y = numbers()
    sampler = GANOversampler(random_state=0, reject=False, guard=False, **asked)
    sampler.fit_resample(X, y)
    assert list(sampler.cyclegans_) == [1]
    assert set(sampler.source_kind_) == {"translation"}


def test_rejected_rows_are_replaced_by_interpolated_copies():
    X, y = numbers()
    sampler = without_training(3)
    result, _ = sampler.fit_resample(X, y)
    copies = np.flatnonzero(sampler.source_kind_ == "copy")
    assert len(copies)
    sources = X[sampler.source_indices_[copies]]
    assert_between_rows_of_the_class(result[60 + copies], sources, X[45:])


def test_beyond_the_limit_rows_are_exact_copies():
    X, y = numbers()
    sampler = without_training(3, max_translations=0.4, copies=0.5, reject=False, guard=False)
    result, labels = sampler.fit_resample(X, y)
    assert np.bincount(labels).tolist() == [45, 45]
    assert sampler.source_kind_.tolist() == ["translation"] * 6 + ["copy"] * 24
    # Half of the dose of twelve are rows between neighbours, all further ones are rows of X.
    exact = (result[60:] == X[sampler.source_indices_]).all(axis=1)
    assert (y[sampler.source_indices_[6:]] == 1).all()
    assert exact.tolist() == [False] * 12 + [True] * 18


@pytest.mark.parametrize("columns", [9, 200])
def test_a_tiny_table_with_five_rare_rows(columns):
    X, y = numbers(92, 5, columns)
    with pytest.warns(UserWarning, match="Class 1: 5 samples are few"):
        result, labels = quick().fit_resample(X, y)
    assert (np.bincount(labels) == 87).all()
    assert np.isfinite(result).all()
    made = result[92:]
    assert len(np.unique(made, axis=0)) == 82
    assert made[:, 0].mean() > X[y == 0, 0].mean() + 1


def test_a_pair_of_rare_rows_works_with_a_warning():
    X, y = numbers(40, 2)
    with pytest.warns(UserWarning, match="2 samples are few"):
        result, labels = quick().fit_resample(X, y)
    assert (np.bincount(labels) == 38).all()
    assert np.isfinite(result).all()


def test_constant_columns_stay_constant():
    X, y = numbers()
    X[:, 1] = 7.25
    result, _ = without_training(3).fit_resample(X, y)
    assert (result[:, 1] == 7.25).all()
    assert np.isfinite(result).all()


def test_good_tables_cause_no_warning():
    X, y = numbers()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        # Without the guard, which would warn of the untrained CycleGAN.
        without_training(3, guard=False).fit_resample(X, y)


def test_hopeless_tables_are_over_sampled_with_a_warning():
    X, y = numbers()
    cases = []
    constant = np.full_like(X, 3.0)
    cases.append((constant, y, "All rows of X are the same"))
    twins = X.copy()
    twins[y == 1] = X[-1]
    cases.append((twins, y, "15 samples are the same row"))
    subset = X.copy()
    subset[y == 1] = X[:15]
    cases.append((subset, y, "all of its rows occur in other classes"))
    # Three common rows lie between any two rare rows, so neighbours are never of one class.
    meshed = np.repeat(np.arange(60.0)[:, None], 3, axis=1)
    order = np.r_[np.flatnonzero(np.arange(60) % 4), np.arange(0, 60, 4)]
    cases.append((meshed[order], y, "better than chance"))
    for values, labels, message in cases:
        with pytest.warns(UserWarning, match=message):
            result, filled = without_training(3).fit_resample(values, labels)
        assert np.isfinite(result).all()
        assert (np.bincount(filled) == 45).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"marker": np.nan}, r"NaN: missing values in the columns 'marker' \(80 of 80\)"),
        ({"site": None, "visits": pd.NA}, r"'visits' \(80 of 80\), 'site' \(80 of 80\)"),
        ({"marker": np.inf}, r"infinity .* columns 'marker'"),
        ({"seen": pd.Timestamp("2020-01-01")}, r"must be numeric.*'seen' \(datetime64"),
        ({"z": 1j}, r"'z' \(complex128\)"),
        ({"price": Decimal("9.90")}, r"'price' \(object, Decimal\).*floats"),
        ({"flag": pd.Series([True, 1] * 40, dtype=object)}, "'flag'.*mix.*True and 1"),
        ({"flag": pd.Series([1, 1.0, "x", "x"] * 20, dtype=object)}, "'flag'.*mix.*1 and 1.0"),
        ({"list": pd.Series([[1], [2]] * 40, dtype=object)}, r"'list'.*hashable.*\[1\]"),
    ],
)
def test_bad_columns_are_named(change, message):
    frame, y = mixed()
    with pytest.raises(ValueError, match=message):
        quick().fit_resample(frame.assign(**change), y)


def test_missing_values_of_arrays_are_named_by_number():
    X, y = numbers()
    X[4, 2] = np.nan
    with pytest.raises(ValueError, match=r"NaN: .* columns 2 \(1 of 60\)"):
        quick().fit_resample(X, y)


@pytest.mark.parametrize("asked", [["nose"], [9], [True], [0.5], "site and age"])
def test_unknown_categorical_features_are_rejected(asked):
    frame, y = mixed()
    with pytest.raises(ValueError, match="categorical_features"):
        quick(categorical_features=asked).fit_resample(frame, y)


def test_polars_frames_are_rejected_before_training():
    polars = pytest.importorskip("polars")
    X, y = numbers()
    with pytest.raises(TypeError, match="to_pandas"):
        quick().fit_resample(polars.DataFrame(X), y)


def test_a_training_for_each_of_very_many_classes_is_foretold(monkeypatch):
    X = np.random.default_rng(0).normal(size=(64, 2))
    y = np.append(np.repeat(np.arange(30), 2), [0] * 4)
    sampler = without_training(2, label=1, sampling_strategy="not majority")
    monkeypatch.setattr(_gan_oversampler, "as_samples", lambda *_: 1 / 0)  # before any training
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ZeroDivisionError):
            sampler.fit_resample(X, y)
    told = [str(w.message) for w in caught if w.category is CostWarning]
    assert len(told) == 1
    assert told[0].startswith("28 classes are to be filled up")


def test_categorical_features_of_images_are_refused():
    images = np.zeros((12, 8, 8), "uint8")
    y = [0] * 8 + [1] * 4
    sampler = GANOversampler(categorical_features=[0], steps=1)
    with pytest.raises(ValueError, match=r"is for tables.*images, X of shape \(12, 8, 8\)"):
        sampler.fit_resample(images, y)
    rows = GANOversampler(categorical_features=[0], image_shape=(8, 8), steps=1)
    with pytest.raises(ValueError, match=r"is for tables.*X of shape \(12, 64\)"):
        rows.fit_resample(images.reshape(12, 64), y)
