"""The tables of a comparison, on scores that are made up, by arithmetic of their own."""

import csv
import math

import numpy as np
import pytest
from scipy import stats

from melanet.comparison._comparison import Comparison, Summary
from melanet.comparison._measures import MEASURES
from melanet.comparison._remedies import NOTHING, OVER, THRESHOLD
from melanet.comparison._runs import Store

N_FOLDS, RATIO = 6, 0.5
SUMMARY = Summary({0: 90, 1: 10}, 1, N_FOLDS, 1, RATIO, 5, 1, "rows", False)
NAMES = [NOTHING, THRESHOLD, OVER, "mine", "broken", "unfit", "late"]


@pytest.fixture(scope="module")
def scores():
    """Return remedy -> measure -> value on each fold."""
    rng = np.random.default_rng(0)
    gains = {NOTHING: 0, OVER: 0.03, "mine": 0.05}
    return {
        name: {measure: 0.7 + gain + rng.normal(0, 0.04, N_FOLDS) for measure in MEASURES}
        for name, gain in gains.items()
    }


@pytest.fixture(scope="module")
def found(scores):
    store = Store(None, {})
    for fold in reversed(range(N_FOLDS)):
        for name, values in scores.items():
            fit = {measure: v[fold] for measure, v in values.items()} | {"seconds": 2.0 + fold}
            record = {"remedy": name, "fold": fold, "seconds": 0.25, "fits": {"m": fit, "n": fit}}
            if name == "mine":
                record["translation_warning"] = f"told in fold {fold}"
                record["warnings"] = {"FutureWarning": 2}
            store.add(record)
    for fold in range(2):
        store.add({"remedy": "broken", "fold": fold, "seconds": 1.0, "fits": {}, "error": "E: no"})
    fits = {"m": {"skipped": "too few", "seconds": 0.0}, "n": {"error": "F: odd", "seconds": 0.0}}
    store.add({"remedy": "unfit", "fold": 0, "seconds": 0.0, "fits": fits})
    return Comparison(["m", "n"], NAMES, "auc", SUMMARY, store)


@pytest.fixture(scope="module")
def rows(found):
    return found.results_.query("estimator == 'm'").set_index("remedy")


def p_value(differences):
    """By Nadeau and Bengio's variance."""
    n = len(differences)
    error = np.sqrt(differences.var(ddof=1) * (1 / n + RATIO))
    return 2 * stats.t.sf(abs(differences.mean()) / error, n - 1)


def test_means_and_differences_are_those_of_the_folds(rows, scores):
    for name, values in scores.items():
        assert rows.loc[name, "n_folds"] == N_FOLDS
        for measure, v in values.items():
            assert rows.loc[name, measure] == pytest.approx(v.mean())
        for measure in ("auc", "balanced_accuracy"):
            difference = (values[measure] - scores[NOTHING][measure]).mean()
            assert rows.loc[name, f"{measure}_difference"] == pytest.approx(difference)
    assert rows.loc[NOTHING, ["auc_low", "auc_difference", "auc_high"]].tolist() == [0, 0, 0]


def test_a_tuned_threshold_ranks_as_nothing_and_decides_as_the_tuned_measure(rows, scores):
    plain = scores[NOTHING]
    assert rows.loc[THRESHOLD, "auc"] == pytest.approx(plain["auc"].mean())
    tuned = plain["balanced_accuracy_tuned"]
    assert rows.loc[THRESHOLD, "balanced_accuracy"] == pytest.approx(tuned.mean())
    gain = rows.loc[THRESHOLD, "balanced_accuracy_difference"]
    assert gain == pytest.approx((tuned - plain["balanced_accuracy"]).mean())


def test_holms_correction_counts_the_remedies_that_are_tests(rows, scores):
    auc = {name: values["auc"] - scores[NOTHING]["auc"] for name, values in scores.items()}
    low, high = sorted((p_value(auc[name]), name) for name in (OVER, "mine"))
    # Another threshold is no other ranking, so there are two tests.
    assert rows.loc[low[1], "auc_p_holm"] == pytest.approx(min(1, 2 * low[0]))
    assert rows.loc[high[1], "auc_p_holm"] == pytest.approx(max(min(1, 2 * low[0]), high[0]))
    assert math.isnan(rows.loc[THRESHOLD, "auc_p_holm"])
    assert math.isnan(rows.loc[NOTHING, "auc_p_holm"])
    # In decisions it is one of three.
    plain = scores[NOTHING]["balanced_accuracy"]
    arms = [scores[name]["balanced_accuracy"] for name in (OVER, "mine")]
    arms.append(scores[NOTHING]["balanced_accuracy_tuned"])
    least = min(p_value(arm - plain) for arm in arms)
    tested = rows["balanced_accuracy_p_holm"].dropna()
    assert sorted(tested.index) == sorted([THRESHOLD, OVER, "mine"])
    assert tested.min() == pytest.approx(min(1, 3 * least))


def test_seconds_are_the_median_fold_with_its_resampling(found, rows):
    assert rows.loc[OVER, "seconds"] == 0.25 + 2 + 2.5
    assert rows.loc[THRESHOLD, "seconds"] == rows.loc[NOTHING, "seconds"]
    fits = 3 * N_FOLDS * 0.25 + 2 * 3 * sum(2 + fold for fold in range(N_FOLDS))
    assert found.seconds_ == fits + 2 * 1.0


def test_a_row_without_scores_says_why(found, rows):
    assert rows.loc["broken", "note"] == "failed in 2 folds: E: no"
    assert rows.loc["unfit", "note"] == "does not apply: too few"
    assert rows.loc["late", "note"] == "not run: max_seconds was over"
    assert (rows.loc[["broken", "unfit", "late"], "n_folds"] == 0).all()
    assert found.notes_ == [
        "mine warned in 6 of its folds, at first: told in fold 0",
        "broken: failed in 2 folds: E: no",
        "unfit before m: does not apply: too few",
        "unfit before n: failed in 1 folds: F: odd",
        "late: not run: max_seconds was over",
        "FutureWarning: warned 12 times during the fits",
    ]


def test_scores_have_a_row_for_each_fold_in_order(found, scores):
    assert list(found.scores_["fold"]) == 6 * list(range(N_FOLDS))
    assert set(found.scores_["remedy"]) == {NOTHING, OVER, "mine"}
    own = found.scores_.query("estimator == 'n' and remedy == 'mine'")
    np.testing.assert_array_equal(own["brier"], scores["mine"]["brier"])
    assert own["seconds"].tolist() == [2.25 + fold for fold in range(N_FOLDS)]


def test_files_hold_the_tables_with_undefined_numbers_empty(found, tmp_path):
    found.to_csv(tmp_path / "results.csv", tmp_path / "scores.csv")
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["remedy"] for line in lines] == 2 * NAMES
    for line, (_, row) in zip(lines, found.results_.iterrows(), strict=True):
        for name, value in row.items():
            if isinstance(value, str):
                assert line[name] == value
            else:
                assert line[name] == "" if math.isnan(value) else float(line[name]) == value
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(found.scores_)


def test_intervals_are_those_of_the_rows_that_ran(found, rows):
    panels = found.intervals()
    assert len(panels) == 4  # two estimators, ranking and decision
    ranking = panels["m: AUC, difference to nothing"]
    assert list(ranking) == [NOTHING, THRESHOLD, OVER, "mine"]
    columns = ["auc_difference", "auc_low", "auc_high"]
    assert ranking["mine"] == tuple(rows.loc["mine", columns])
