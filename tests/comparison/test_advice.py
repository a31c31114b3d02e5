"""The advice, on scores that are made up."""

import numpy as np
import pytest

from melanet.comparison._comparison import Comparison, Summary
from melanet.comparison._measures import MEASURES
from melanet.comparison._remedies import NOTHING, OVER, SMOTE_ROWS, THRESHOLD
from melanet.comparison._runs import Store

SUMMARY = Summary({0: 400, 1: 100}, 1, 25, 5, 1 / 3, 20, 1, "rows", False)


def compared(shifts, summary=SUMMARY, n_folds=25, noise=0.004):
    """Return a comparison of remedies with given mean (AUC, balanced accuracy, tuned)."""
    store, rng = Store(None, {}), np.random.default_rng(0)
    for fold in range(n_folds):
        common = rng.normal(0, 0.03)
        for remedy, (auc, plain, tuned) in shifts.items():
            values = dict.fromkeys(MEASURES, 0.5)
            values |= {"auc": auc, "balanced_accuracy": plain, "balanced_accuracy_tuned": tuned}
            values = {name: v + common + rng.normal(0, noise) for name, v in values.items()}
            fits = {"m": {**values, "seconds": 0.5}}
            store.add({"remedy": remedy, "fold": fold, "seconds": 0.25, "fits": fits})
    names = [NOTHING, THRESHOLD, *(name for name in shifts if name != NOTHING)]
    return Comparison(["m"], names, "auc", summary, store)


def test_equal_remedies_lead_to_doing_nothing():
    found = compared({NOTHING: (0.8, 0.7, 0.7), OVER: (0.8, 0.7, 0.7), "mine": (0.8, 0.7, 0.7)})
    assert found.best_ == {"m": {"ranking": NOTHING, "decision": NOTHING}}
    assert "So do nothing." in found.advice_
    assert "no remedy ranks better than doing nothing (0." in found.advice_


def test_a_shift_of_the_threshold_is_told_from_a_gain():
    found = compared({NOTHING: (0.8, 0.6, 0.75), OVER: (0.8, 0.75, 0.75)})
    assert found.best_ == {"m": {"ranking": NOTHING, "decision": THRESHOLD}}
    assert "AUC does not change" in found.advice_
    assert "What you need is a threshold" in found.advice_


def test_a_gain_is_named_with_its_interval_and_seconds():
    found = compared({NOTHING: (0.8, 0.7, 0.7), OVER: (0.8, 0.7, 0.7), "mine": (0.9, 0.8, 0.8)})
    assert found.best_ == {"m": {"ranking": "mine", "decision": "mine"}}
    assert "By ranking take mine: AUC 0.9" in found.advice_
    row = found.results_.set_index("remedy").loc["mine"]
    interval = f"{row['auc_difference']:+.3f} [{row['auc_low']:+.3f}, {row['auc_high']:+.3f}]"
    assert interval in found.advice_
    assert "mine 0.75 s" in found.advice_


def test_a_gain_that_needs_a_threshold_as_well():
    found = compared({NOTHING: (0.8, 0.6, 0.7), "mine": (0.9, 0.6, 0.85)})
    assert found.best_["m"]["decision"] == "mine with a tuned threshold"


def test_a_noisy_remedy_on_few_folds_does_not_hide_a_real_gain():
    found = compared({NOTHING: (0.8, 0.7, 0.7), SMOTE_ROWS: (0.85, 0.75, 0.75)})
    store = found._store
    for fold in range(5):
        values = dict.fromkeys(MEASURES, 0.9 + 0.3 * (-1) ** fold)
        fits = {"m": {**values, "seconds": 1}}
        store.add({"remedy": "gan", "fold": fold, "seconds": 1, "fits": fits})
    names = [NOTHING, THRESHOLD, SMOTE_ROWS, "gan"]
    again = Comparison(["m"], names, "auc", SUMMARY, store)
    assert again.results_.set_index("remedy").loc["gan", "auc_difference"] > 0.05
    assert again.best_["m"]["ranking"] == SMOTE_ROWS


def test_a_harmful_remedy_is_named_as_such():
    found = compared({NOTHING: (0.8, 0.7, 0.7), "worse": (0.7, 0.6, 0.6)})
    assert found.best_ == {"m": {"ranking": NOTHING, "decision": NOTHING}}
    assert "AUC is worse with worse (-0." in found.advice_


@pytest.mark.parametrize("summary", [SUMMARY._replace(rare_tested=2, counts={0: 90, 1: 12})])
def test_too_few_rare_samples_name_no_winner(summary):
    found = compared({NOTHING: (0.6, 0.6, 0.6), OVER: (0.9, 0.9, 0.9)}, summary, noise=0.1)
    assert found.best_ == {"m": None}
    assert "Nothing can be told apart here: class 1 has 12 rows" in found.advice_
    assert "times as many samples of class 1" in found.advice_
    steady = compared({NOTHING: (0.6, 0.6, 0.6), OVER: (0.9, 0.9, 0.9)}, summary, 5, noise=0.007)
    assert "repeats of the folds (5 folds were run)" in steady.advice_


def test_remedies_that_failed_alike_are_named_together():
    found = compared({NOTHING: (0.8, 0.7, 0.7), "a": (0.8, 0.7, 0.7), "b": (0.8, 0.7, 0.7)})
    for record in found._store.records:
        if record["remedy"] != NOTHING:
            record["fits"]["m"] = {"error": "ValueError: no", "seconds": 0.1}
    again = Comparison(["m"], found.remedies, "auc", SUMMARY, found._store)
    assert "Not all fits succeeded: a and b: failed in 25 folds: ValueError: no." in again.advice_


def test_one_fold_tells_nothing():
    found = compared({NOTHING: (0.6, 0.6, 0.6), OVER: (0.9, 0.9, 0.9)}, n_folds=1)
    assert found.best_ == {"m": None}
    assert "no two folds" in found.advice_
