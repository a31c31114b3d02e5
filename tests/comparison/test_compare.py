"""compare on tables and images: common folds, no leak, the same bits, and bad input."""

import json
import math
import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import ADASYN
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from melanet import GANOversampler, compare
from melanet.comparison._remedies import NOTHING, OVER, SMOTE_ROWS, THRESHOLD, UNDER, WEIGHTS

PLAIN = [NOTHING, THRESHOLD, WEIGHTS, UNDER, OVER, SMOTE_ROWS]
NO_GAN = {"GANOversampler": None}
LOGISTIC = LogisticRegression()


@pytest.fixture(scope="module")
def table():
    return make_classification(200, 4, weights=[0.8], class_sep=0.7, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == 3)[:40], np.flatnonzero(y == 8)[:16]])
    return X[rows].reshape(-1, 8, 8), y[rows]


class Spy(BaseEstimator):
    """Sampler that notes which rows it gets, and adds copies whose values no real row has."""

    def __init__(self, seen, marks=False, random_state=None):
        self.seen, self.marks, self.random_state = seen, marks, random_state

    def __sklearn_clone__(self):
        return self

    def fit_resample(self, X, y):
        self.seen.append((np.array(X), np.array(y)))
        rare = X[y == 1] + (1000 if self.marks else 0)
        return np.concatenate([X, rare]), np.concatenate([y, np.ones(len(rare), int)])


class Recorder(ClassifierMixin, BaseEstimator):
    """Classifier that notes its training and test rows."""

    def __init__(self, fitted, asked):
        self.fitted, self.asked = fitted, asked

    def __sklearn_clone__(self):
        return self

    def fit(self, X, y):
        self.fitted.append(np.array(X))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        self.asked.append(np.array(X))
        p = 1 / (1 + np.exp(-np.clip(X[:, 0], -5, 5)))
        return np.stack([1 - p, p], axis=1)


def test_a_table_has_all_remedies_on_common_folds(table):
    found = compare(*table, LOGISTIC, remedies=NO_GAN, cv=(3, 2), random_state=0)
    rows = found.results_.set_index("remedy")
    assert list(rows.index[:6]) == PLAIN
    assert (rows.loc[PLAIN, "n_folds"] == 6).all()
    assert (rows.loc[["SMOTE of features", "changed copies"], "n_folds"] == 0).all()
    assert rows.loc["changed copies", "note"].startswith("does not apply: rows of a table")
    by_fold = found.scores_.groupby("remedy")["fold"].apply(list)
    assert all(folds == list(range(6)) for folds in by_fold)
    mean = found.scores_.query("remedy == 'SMOTE'")["auc"].mean()
    assert rows.loc["SMOTE", "auc"] == pytest.approx(mean)
    a, b = (found.scores_.query("remedy == @name")["auc"].to_numpy() for name in (OVER, NOTHING))
    assert rows.loc[OVER, "auc_difference"] == pytest.approx((a - b).mean())
    # Test rows are a third; the others train the classifier and tune its threshold.
    error = (a - b).std(ddof=1) * math.sqrt(1 / 6 + (1 / 3) / (2 / 3))
    half = (rows.loc[OVER, "auc_high"] - rows.loc[OVER, "auc_low"]) / 2
    assert half == pytest.approx(2.5705818 * error, rel=0.02)


def test_the_threshold_arm_is_the_same_fits_with_another_rule(table):
    found = compare(*table, LOGISTIC, remedies=PLAIN[:2], cv=(3, 1), random_state=0)
    rows = found.results_.set_index("remedy")
    assert rows.loc[THRESHOLD, "auc"] == rows.loc[NOTHING, "auc"]
    tuned = rows.loc[NOTHING, "balanced_accuracy_tuned"]
    assert rows.loc[THRESHOLD, "balanced_accuracy"] == tuned
    assert rows.loc[NOTHING, "balanced_accuracy"] != tuned
    alone = compare(*table, LOGISTIC, remedies=[THRESHOLD], cv=(3, 1), random_state=0)
    assert alone.results_["balanced_accuracy"].tolist() == [tuned]


def test_samplers_see_training_rows_alone_and_test_rows_are_untouched(table):
    X, y = table
    groups = np.arange(200) // 2
    seen, fitted, asked = [], [], []
    found = compare(
        X,
        y,
        Recorder(fitted, asked),
        remedies={"spy": Spy(seen, marks=True), **dict.fromkeys(PLAIN[1:]), **NO_GAN},
        groups=groups,
        cv=(4, 1),
        random_state=0,
    )
    assert found.results_.set_index("remedy").loc["spy", "n_folds"] == 4
    group_of = {row.tobytes(): group for row, group in zip(X, groups)}
    assert len(seen) == 4
    marked = [training for training in fitted if (training[:, 0] > 500).any()]
    assert len(marked) == 4
    for training, (given, _) in zip(marked, seen):
        assert np.array_equal(training[: len(given)], given)
    # Each fit is asked for the rows of its thresholds, then for those of its test.
    for training, threshold, test in zip(fitted, asked[::2], asked[1::2], strict=True):
        parts = [
            {group_of[row.tobytes()] for row in rows if row[0] < 500}
            for rows in (training, threshold, test)
        ]
        assert not any(a & b for a, b in combinations(parts, 2))
        assert (threshold[:, 0] < 500).all()
        assert (test[:, 0] < 500).all()
    # The same rows are asked of every remedy.
    tested = [test.tobytes() for test in asked[1::2]]
    assert sorted(tested) == sorted(2 * list(set(tested)))


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_bits_in_any_number_of_processes(table, n_jobs):
    runs = [
        compare(*table, LOGISTIC, remedies=PLAIN, cv=(3, 1), random_state=seed, n_jobs=jobs)
        for seed, jobs in ((0, None), (0, n_jobs), (1, None))
    ]
    first, second, other = (run.scores_.drop(columns="seconds") for run in runs)
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)
    assert runs[0].best_ == runs[1].best_


def test_a_gan_trains_once_on_each_fold_of_the_first_repeat(table):
    X, y = table
    models = {"a": LOGISTIC, "b": KNeighborsClassifier(3)}
    sampler = GANOversampler(steps=2)
    found = compare(X, y, models, remedies={"mine": sampler, **NO_GAN}, cv=(2, 2), random_state=0)
    rows = found.results_.set_index(["estimator", "remedy"])
    for model in models:
        assert rows.loc[(model, "mine"), "n_folds"] == 2
        assert rows.loc[(model, OVER), "n_folds"] == 4
    assert rows.loc[("b", WEIGHTS), "note"].startswith("does not apply: the estimator takes")
    assert not hasattr(sampler, "cyclegans_")
    # Trained on three quarters of half of the rows.
    assert found.samplers_["mine"].source_indices_.max() < 200 * 3 / 8 + 1
    assert "of the samples of mine are copies" in found.advice_
    common = found.scores_.query("remedy == 'mine' and estimator == 'a'")["fold"]
    assert common.tolist() == [0, 1]
    a, b = (
        found.scores_.query(f"remedy == {r!r} and estimator == 'a'")["auc"].to_numpy()
        for r in ("mine", NOTHING)
    )
    assert rows.loc[("a", "mine"), "auc_difference"] == pytest.approx((a - b[:2]).mean())


def test_the_time_is_estimated_first_and_changes_nothing(table, capsys):
    X, y = table
    options = {
        "remedies": {"mine": GANOversampler(steps=2), "SMOTE": None, **NO_GAN},
        "cv": (2, 2),
        "random_state": 0,
    }
    silent = compare(X, y, LOGISTIC, **options)
    assert capsys.readouterr().out == ""
    shown = compare(X, y, LOGISTIC, **options, verbose=1)
    printed = capsys.readouterr().out
    estimate = next(line for line in printed.splitlines() if line.startswith("Estimate: "))
    named = re.findall(r"[:,] ([a-zA-Z -]+?) (?:under )?\d", estimate)
    assert {"mine", NOTHING, WEIGHTS, UNDER, OVER} <= set(named)
    assert "SMOTE" not in named
    pd.testing.assert_frame_equal(
        silent.scores_.drop(columns="seconds"), shown.scores_.drop(columns="seconds")
    )


def test_images_are_rows_of_pixels_to_classifiers_of_rows(digits):
    X, y = digits
    found = compare(X, y, LOGISTIC, remedies=NO_GAN, value_range=(0, 16), cv=(2, 1), random_state=0)
    rows = found.results_.set_index("remedy")
    assert (rows.drop(index="SMOTE of features")["n_folds"] == 2).all()
    flat = compare(
        X.reshape(len(X), -1), y, LOGISTIC, remedies=PLAIN[:4], cv=(2, 1), random_state=0
    )
    assert rows.loc[PLAIN[:4], "auc"].tolist() == flat.results_["auc"].tolist()


def test_a_killed_run_resumes_to_the_same_table(table, tmp_path):
    options = {"remedies": PLAIN, "cv": (3, 1), "random_state": 0}
    whole = compare(*table, LOGISTIC, **options)
    compare(*table, LOGISTIC, **options, work=tmp_path / "work")
    log = tmp_path / "work" / "fits.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:4]) + lines[4][:20])  # as a kill leaves it
    again = compare(*table, LOGISTIC, **options, work=tmp_path / "work")
    pd.testing.assert_frame_equal(
        again.scores_.drop(columns="seconds"), whole.scores_.drop(columns="seconds")
    )
    assert len(log.read_text().splitlines()) == len(lines)
    assert [json.loads(line) for line in log.read_text().splitlines()[:4]] == [
        json.loads(line) for line in lines[:4]
    ]
    with pytest.raises(ValueError, match=r"other arguments: .*random_state was 0 and is 1"):
        compare(*table, LOGISTIC, **(options | {"random_state": 1}), work=tmp_path / "work")
    with pytest.raises(ValueError, match=r"remedies was .* and is "):
        compare(*table, LOGISTIC, **(options | {"remedies": PLAIN[:3]}), work=tmp_path / "work")
    with pytest.raises(ValueError, match="X was .* and is "):
        compare(table[0] + 1, table[1], LOGISTIC, **options, work=tmp_path / "work")


def test_an_interruption_says_where_the_work_lies(table, tmp_path):
    class Stop:
        def fit_resample(self, X, y):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        compare(
            *table, LOGISTIC, remedies={"stop": Stop(), **NO_GAN}, cv=(3, 1), work=tmp_path / "w"
        )
    assert str(tmp_path / "w") in caught.value.__notes__[0]


def test_a_remedy_that_raises_in_a_fold_is_recorded_and_the_rest_goes_on(table):
    calls = []

    class Fails:
        def fit_resample(self, X, y):
            calls.append(1)
            return 1 / 0

    class Odd:
        def fit_resample(self, X, y):
            return X[:, :2], y

    found = compare(
        *table,
        LOGISTIC,
        remedies={"fails": Fails(), "odd": Odd(), **NO_GAN},
        cv=(3, 1),
        random_state=0,
    )
    rows = found.results_.set_index("remedy")
    assert rows.loc["fails", "note"] == "failed in 3 folds: ZeroDivisionError: division by zero"
    assert "samples of shape (2,); X has (4,)" in rows.loc["odd", "note"]
    assert rows.loc["SMOTE", "n_folds"] == 3
    assert "fails: failed in 3 folds" in found.advice_


def test_labels_of_any_type_frames_with_categories_and_pipelines(table):
    X, y = table
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=np.where(X[:, 0] > 0, "x", "z"))
    labels = np.where(y == 1, "malignant", "benign")
    found = compare(
        frame,
        pd.Series(labels),
        "logistic regression",
        remedies=PLAIN,
        cv=(3, 1),
        random_state=0,
    )
    assert (found.results_["n_folds"] == 3).all()
    pipeline = make_sampling_pipeline(ADASYN(n_neighbors=3))
    added = compare(X, labels, LOGISTIC, remedies={"a": pipeline, **NO_GAN}, cv=(3, 1))
    assert added.results_.set_index("remedy").loc["a", "n_folds"] == 3


def test_boosting_takes_tables_with_categories(table):
    X, y = table
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=np.where(X[:, 0] > 0, "x", "z"))
    found = compare(frame, y, "gradient boosting", remedies=[NOTHING, WEIGHTS], cv=(2, 1))
    assert (found.results_["n_folds"] == 2).all()
    assert (found.results_["auc"] > 0.6).all()


def test_more_than_two_classes_have_no_threshold(table):
    X, y = make_classification(240, 5, n_informative=4, n_classes=3, n_redundant=0, random_state=0)
    y = np.where(np.arange(240) < 60, 0, y)
    found = compare(X, y, LOGISTIC, remedies=PLAIN, cv=(3, 1), random_state=0)
    assert THRESHOLD not in found.results_["remedy"].tolist()
    assert found.results_["balanced_accuracy_tuned"].isna().all()
    assert "no thresholds are tuned: there are more than two classes" in found.notes_


def test_without_pandas_tables_are_dicts_of_arrays(table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    found = compare(*table, LOGISTIC, remedies=PLAIN[:3], cv=(2, 1), random_state=0)
    assert isinstance(found.results_, dict)
    assert found.results_["remedy"].tolist() == PLAIN[:3]
    assert "class weights" in str(found)


def test_max_seconds_ends_the_comparison_and_says_so(table):
    found = compare(*table, LOGISTIC, remedies=PLAIN, cv=(3, 1), max_seconds=1e-6)
    assert (found.results_["n_folds"] == 0).all()
    assert "max_seconds ended the comparison" in found.advice_
    assert found.best_ == {"LogisticRegression": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(200, int)}, "y must hold two classes or more. Received: only 0"),
        ({"X": np.full((200, 4), np.nan)}, "contains NaN"),
        ({"y": [None] * 200}, "label everywhere"),
        ({"estimator": LinearSVC()}, "must have predict_proba"),
        ({"estimator": "small network"}, "classifier or one of 'gradient boosting'"),
        ({"estimator": [LOGISTIC, LOGISTIC]}, "names that differ"),
        ({"estimator": []}, "one classifier or more"),
        ({"remedies": {"smote": ADASYN()}}, "'smote', which collides with 'SMOTE'"),
        ({"remedies": {"a": ADASYN(), " A": ADASYN()}}, "' A', which collides with 'a'"),
        ({"remedies": {"a": 3}}, "fit_resample"),
        ({"remedies": ["SMOT"]}, "did you mean 'SMOTE'"),
        ({"remedies": "some"}, '"all", a list of names or a dict'),
        ({"remedies": []}, "one remedy or more"),
        ({"remedies": ["SMOTE", "smote"]}, "each remedy once"),
        ({"scoring": "f1"}, "scoring must be one of"),
        ({"max_seconds": 0}, "max_seconds"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"groups": [1, 2]}, "one entry for each of the 200 samples"),
        ({"groups": [None] * 200}, "groups must hold a label"),
    ],
)
def test_bad_input_is_refused_in_one_line(table, change, message):
    options = {"X": table[0], "y": table[1], "estimator": LOGISTIC, "remedies": PLAIN}
    with pytest.raises(ValueError, match=message) as caught:
        compare(**(options | change))
    assert "\n" not in str(caught.value).strip()
