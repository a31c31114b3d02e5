import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from melanet.metrics import _group_bootstrap, screening_report
from melanet.metrics._group_bootstrap import _weighted_auc, group_intervals


def scores(n, seed, ties=False):
    """Return labels, a third of them positive, and overlapping scores."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    score = rng.normal(y, 1)
    return y, np.round(score, 1) if ties else score


@pytest.mark.parametrize("seed", range(10))
def test_weighted_auc_is_that_of_repeated_samples(seed):
    y, score = scores(20, seed, ties=True)
    weights = np.random.default_rng(seed).integers(0, 4, (3, 20)).astype(float)
    weights[:, :2] = 1  # both classes
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    found = _weighted_auc(weights[:, order], y[order] == 1, starts)
    for w, auc in zip(weights.astype(int), found):
        assert auc == pytest.approx(roc_auc_score(np.repeat(y, w), np.repeat(score, w)))


@pytest.mark.parametrize("ties", [False, True])
def test_groups_of_one_sample_give_about_delongs_interval(ties):
    y, score = scores(300, 0, ties)
    plain = screening_report(y, score)
    grouped = screening_report(y, score, groups=np.arange(300))
    assert grouped["auc_se"] == pytest.approx(plain["auc_se"], rel=0.06)
    for name in ("auc", "sensitivity", "specificity"):
        assert grouped[name] == plain[name]
        for end in ("low", "high"):
            assert grouped[f"{name}_{end}"] == pytest.approx(plain[f"{name}_{end}"], abs=0.015)


def test_images_taken_twice_do_not_narrow_the_interval():
    y, score = scores(90, 1)
    once = screening_report(y, score, groups=np.arange(90))
    four = np.repeat(np.arange(90), 4)
    repeated = screening_report(y[four], score[four], groups=four)
    for name in ("auc", "sensitivity", "specificity"):
        assert repeated[f"{name}_low"] == pytest.approx(once[f"{name}_low"])
        assert repeated[f"{name}_high"] == pytest.approx(once[f"{name}_high"])
    assert repeated["auc_se"] == pytest.approx(once["auc_se"])
    too_narrow = screening_report(y[four], score[four])
    assert too_narrow["auc_se"] == pytest.approx(once["auc_se"] / 2, rel=0.1)
    assert (repeated["n"], repeated["n_groups"]) == (360, 90)


def test_the_interval_covers_the_true_value_in_about_95_percent(monkeypatch):
    monkeypatch.setattr(_group_bootstrap, "_DRAWS", 300)
    # Groups of three whose scores share a part: the true AUC of N(1, 2) against N(0, 2) is known.
    rng = np.random.default_rng(0)
    true = 0.6914624612740131  # Phi(1 / sqrt(2 * 2)) = Phi(0.5)
    covered = plain = 0
    for _ in range(60):
        y = np.repeat(np.arange(120) % 2, 3)
        score = y + np.repeat(rng.normal(size=120), 3) + rng.normal(size=360)
        report = screening_report(y, score, groups=np.repeat(np.arange(120), 3))
        covered += report["auc_low"] <= true <= report["auc_high"]
        report = screening_report(y, score)
        plain += report["auc_low"] <= true <= report["auc_high"]
    assert 53 <= covered <= 60
    assert plain < covered


def test_rates_of_all_or_none_have_wilsons_interval_of_the_groups():
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    score = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.6, 0.1, 0.1])
    report = screening_report(y, score, groups=[0, 0, 1, 2, 3, 3, 4, 5])
    low, high = binomtest(3, 3).proportion_ci(method="wilson")
    assert (report["sensitivity_low"], report["sensitivity_high"]) == pytest.approx((low, high))
    assert report["specificity_low"] < 0.75 < report["specificity_high"]
    assert np.isnan(report["auc_low"])  # perfect in every draw
    none = screening_report(y, score, threshold=2, groups=[0, 0, 1, 2, 3, 3, 4, 5])
    assert none["sensitivity_low"] == 0
    assert none["sensitivity_high"] == pytest.approx(1 - low)


def test_single_groups_and_single_classes_have_no_interval():
    y, score = scores(9, 2)
    one = screening_report(y, score, groups=["a"] * 9)
    assert all(np.isnan(one[f"auc_{end}"]) for end in ("low", "high", "se"))
    positive = screening_report([1, 1], [0.2, 0.7], pos_label=1, groups=[1, 2])
    assert np.isnan(positive["auc_low"])
    assert np.isnan(positive["specificity_low"])


def test_groups_are_shown_and_checked():
    y, score = scores(30, 3)
    text = str(screening_report(y, score, groups=np.arange(30) // 2))
    assert "intervals by 15 groups" in text
    with pytest.raises(ValueError, match="groups must have one entry for each sample"):
        screening_report(y, score, groups=[1, 2])


def test_draws_do_not_depend_on_how_many_fit_in_memory(monkeypatch):
    y, score = scores(60, 4)
    arguments = (y == 1, score, 0.5, np.arange(60) // 2, {"sensitivity": 0.5, "specificity": 0.5})
    whole = group_intervals(*arguments, 0.9)
    monkeypatch.setattr(_group_bootstrap, "_CELLS", 1000)
    assert group_intervals(*arguments, 0.9) == pytest.approx(whole)
