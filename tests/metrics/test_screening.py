"""The screening report against brute-force definitions and scikit-learn."""

import json
import math
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from melanet.metrics import ScreeningReport, screening_report


def _samples(seed, n_positive=23, n_negative=61, decimals=None):
    rng = np.random.RandomState(seed)
    y = np.repeat([0, 1], [n_negative, n_positive])
    score = 1 / (1 + np.exp(-rng.normal(loc=1.2 * y - 0.6)))
    if decimals is not None:
        score = score.round(decimals)  # many ties
    order = rng.permutation(len(y))
    return y[order], score[order]


def _wins(y, score):
    """Return the matrix of pairs: 1 if the positive scores higher, 1/2 for a tie."""
    return np.array(
        [[(p > q) + 0.5 * (p == q) for q in score[y == 0]] for p in score[y == 1]], dtype=float
    )


DATA = [_samples(0), _samples(1, decimals=1), _samples(2, 3, 200, decimals=2), _samples(3, 2, 2, 1)]


@pytest.mark.parametrize(("y", "score"), DATA)
def test_auc_and_its_standard_error_equal_counts_of_pairs(y, score):
    report = screening_report(y, score)
    wins = _wins(y, score)
    m, n = wins.shape
    # DeLong's structural components, one for each positive and each negative.
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    s10 = sum((v - wins.mean()) ** 2 for v in v10) / (m - 1)
    s01 = sum((v - wins.mean()) ** 2 for v in v01) / (n - 1)

    assert report["auc"] == pytest.approx(wins.mean(), abs=1e-12)
    assert report["auc_se"] == pytest.approx(math.sqrt(s10 / m + s01 / n), abs=1e-12)


@pytest.mark.parametrize(("y", "score"), DATA[:3])
def test_auc_interval_is_symmetric_on_the_logit_scale(y, score):
    report = screening_report(y, score, confidence=0.9)
    auc, se = report["auc"], report["auc_se"]
    center = math.log(auc / (1 - auc))
    reach = 1.6448536269514722 * se / (auc * (1 - auc))

    for end, sign in (("auc_low", -1), ("auc_high", 1)):
        assert report[end] == pytest.approx(1 / (1 + math.exp(-(center + sign * reach))))
    assert 0 < report["auc_low"] < auc < report["auc_high"] < 1
    wider = screening_report(y, score, confidence=0.99)
    assert wider["auc_low"] < report["auc_low"]
    assert wider["auc_high"] > report["auc_high"]


def test_intervals_have_about_nominal_coverage():
    rng = np.random.RandomState(0)
    y = np.repeat([0, 1], [60, 40])
    hits = dict.fromkeys(["auc", "sensitivity", "specificity"], 0)
    cdf = 0.5 * (1 + math.erf(0.5))  # of the standard normal at 1 / sqrt(2)
    truth = {"auc": cdf, "sensitivity": 0.5, "specificity": 0.5 * (1 + math.erf(1 / math.sqrt(2)))}
    for _ in range(300):
        report = screening_report(y, rng.normal(size=100) + y, threshold=1.0)
        for name, value in truth.items():
            hits[name] += report[f"{name}_low"] < value < report[f"{name}_high"]
    for name, count in hits.items():
        assert 0.90 <= count / 300 <= 0.99, name


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
@pytest.mark.parametrize(("y", "score"), DATA[:3])
def test_counts_and_rates_agree_with_scikit_learn(y, score, threshold):
    report = screening_report(y, score, threshold=threshold)
    called = (score >= threshold).astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(y, called).ravel()

    assert [report[k] for k in ("tn", "fp", "fn", "tp")] == [tn, fp, fn, tp]
    assert min(tn, fp, fn, tp) >= 0
    nan = {"zero_division": np.nan}
    expected = {
        "sensitivity": sk.recall_score(y, called),
        "specificity": sk.recall_score(y, called, pos_label=0),
        "ppv": sk.precision_score(y, called, **nan),
        "npv": sk.precision_score(y, called, pos_label=0, **nan),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called),
        "average_precision": sk.average_precision_score(y, score),
        "prevalence": y.mean(),
    }
    for name, value in expected.items():
        assert report[name] == pytest.approx(value, nan_ok=True), name
    assert (report["n"], report["n_positive"], report["n_negative"]) == (len(y), sum(y), sum(1 - y))


def _wilson(k, n, z):
    center = (k + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return center - reach, center + reach


def test_wilson_intervals():
    y, score = DATA[0]
    report = screening_report(y, score)
    z = 1.959963984540054
    for name, k, n in (("sensitivity", "tp", "n_positive"), ("specificity", "tn", "n_negative")):
        low, high = _wilson(report[k], report[n], z)
        assert (report[f"{name}_low"], report[f"{name}_high"]) == pytest.approx((low, high))


@pytest.mark.parametrize("least", [0.0, 0.3, 0.7, 0.9, 0.95, 1.0])
@pytest.mark.parametrize(("y", "score"), DATA)
def test_operating_points_equal_an_exhaustive_sweep(y, score, least):
    report = screening_report(y, score, at_specificity=least, at_sensitivity=least)

    def rates(threshold):
        called = score >= threshold
        return called[y == 1].mean(), (~called)[y == 0].mean()

    swept = [rates(t) for t in [*score, math.inf]]
    best_sensitivity = max(sens for sens, spec in swept if spec >= least)
    best_specificity = max(spec for sens, spec in swept if sens >= least)
    assert report["sensitivity_at_specificity"] == pytest.approx(best_sensitivity, abs=1e-12)
    assert report["specificity_at_sensitivity"] == pytest.approx(best_specificity, abs=1e-12)
    # The thresholds reach these measures.
    sens, spec = rates(report["threshold_at_specificity"])
    assert (sens, spec >= least) == (pytest.approx(best_sensitivity), True)
    sens, spec = rates(report["threshold_at_sensitivity"])
    assert (sens >= least, spec) == (True, pytest.approx(best_specificity))


def test_round_specificities_are_met_exactly():
    # In floating point, 1 - k / n does not always equal (n - k) / n.
    for n in (10, 20, 50, 100):
        for k in range(n + 1):
            y = np.r_[np.zeros(n, int), 1]
            score = np.r_[np.zeros(k), np.ones(n - k), 1.0]
            report = screening_report(y, score, at_specificity=k / n)
            assert report["sensitivity_at_specificity"] == 1.0, (k, n)


def test_infinite_threshold_if_no_sample_may_be_called_positive():
    report = screening_report([0, 1, 0], [0.9, 0.2, 0.1], at_specificity=1.0)

    assert report["sensitivity_at_specificity"] == 0.0
    assert report["threshold_at_specificity"] == math.inf


def test_ties_are_resolved_by_the_higher_fixed_measure():
    y, score = [0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9]
    report = screening_report(y, score, at_specificity=0.0, at_sensitivity=0.5)

    assert (report["sensitivity_at_specificity"], report["threshold_at_specificity"]) == (1.0, 0.7)
    assert (report["specificity_at_sensitivity"], report["threshold_at_sensitivity"]) == (1.0, 0.7)


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_undefined_measures_are_nan_and_do_not_warn(y):
    scores = [0.1, 0.2, 0.3] if not sum(y) else [0.7, 0.8, 0.9]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = screening_report(y, scores)
    shared = {"auc", "auc_low", "auc_high", "auc_se", "balanced_accuracy"}
    shared |= {"sensitivity_at_specificity", "threshold_at_specificity"}
    shared |= {"specificity_at_sensitivity", "threshold_at_sensitivity"}
    absent, own = ("specificity", {"npv"}) if sum(y) else ("sensitivity", {"ppv"})
    own |= {absent, f"{absent}_low", f"{absent}_high"}
    if not sum(y):
        own.add("average_precision")

    assert {name for name, value in report.items() if math.isnan(value)} == shared | own


def test_ppv_without_positive_calls_and_npv_without_negative_ones_are_nan():
    y, score = [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4]

    assert math.isnan(screening_report(y, score, threshold=0.9)["ppv"])
    assert screening_report(y, score, threshold=0.9)["npv"] == 0.5
    assert math.isnan(screening_report(y, score, threshold=0.0)["npv"])
    assert screening_report(y, score, threshold=0.0)["ppv"] == 0.5


@pytest.mark.parametrize("score", [[0.1, 0.2, 0.8, 0.9], [0.5] * 4, [0.9, 0.8, 0.2, 0.1]])
def test_no_interval_if_the_variance_is_zero(score):
    report = screening_report([0, 0, 1, 1], score)

    assert report["auc"] in (0.0, 0.5, 1.0)
    assert report["auc_se"] == 0.0
    assert math.isnan(report["auc_low"])
    assert math.isnan(report["auc_high"])


def test_no_standard_error_with_a_single_positive():
    report = screening_report([0, 0, 1], [0.1, 0.6, 0.5])

    assert report["auc"] == 0.5
    assert math.isnan(report["auc_se"])


@pytest.mark.parametrize(
    ("relabel", "options"),
    [
        (lambda y: y.astype(bool), {}),
        (lambda y: 2 * y - 1, {}),
        (lambda y: y.astype(float), {}),
        (lambda y: y.tolist(), {}),
        (lambda y: y[:, None], {}),
        (lambda y: np.where(y == 1, "melanoma", "nevus"), {"pos_label": "melanoma"}),
        (lambda y: np.where(y == 1, "melanoma", "nevus").astype(object), {"pos_label": "melanoma"}),
        (lambda y: np.where(y == 1, 2, 10), {"pos_label": 2}),
        (lambda y: 1 - y, {"pos_label": 0}),
    ],
)
def test_labels_of_any_type(relabel, options):
    y, score = DATA[0]
    expected = screening_report(y, score)

    assert screening_report(relabel(y), score, **options) == expected


@pytest.mark.parametrize(
    ("relabel", "options", "column"),
    [
        (lambda y: y, {}, 1),
        (lambda y: 1 - y, {"pos_label": 0}, 0),
        (lambda y: np.where(y == 1, "melanoma", "nevus"), {"pos_label": "melanoma"}, 0),
        (lambda y: np.where(y == 1, 10, 2), {"pos_label": 10}, 1),
    ],
)
def test_two_columns_are_read_in_the_order_of_the_sorted_labels(relabel, options, column):
    y, score = DATA[0]
    columns = np.column_stack([1 - score, score] if column else [score, 1 - score])

    assert screening_report(relabel(y), columns, **options) == screening_report(y, score)


def test_float32_scores_reach_a_threshold_with_the_same_decimals():
    report = screening_report([0, 1], np.array([0.1, 0.9], "float32"), threshold=0.9)

    assert report["tp"] == 1
    assert np.float32(0.9) == report["threshold_at_specificity"]


def test_series_and_frame():
    pd = pytest.importorskip("pandas")
    y, score = DATA[1]
    report = screening_report(pd.Series(y, index=range(7, 7 + len(y))), pd.Series(score))
    frame = report.to_frame()

    assert report == screening_report(y, score)
    assert frame.loc["auc"].tolist() == [report["auc"], report["auc_low"], report["auc_high"]]
    assert frame.loc["fn", "value"] == report["fn"]
    assert math.isnan(frame.loc["ppv", "low"])
    assert set(frame.index) == {k for k in report if not k.endswith(("_low", "_high"))}
    with pytest.raises(ValueError, match="`y_true` must not hold missing values"):
        screening_report(pd.Series([1, None, 0], dtype="Int64"), [0.1, 0.2, 0.3])


def test_to_frame_without_pandas_names_the_package(monkeypatch):
    report = screening_report(*DATA[0])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_frame needs pandas: pip install .*melanet\[test\]"):
        report.to_frame()


def test_the_report_is_a_plain_dict():
    report = screening_report(*DATA[0])

    assert isinstance(report, dict)
    assert {type(value) for value in report.values()} == {int, float}
    assert json.loads(json.dumps(report)) == report
    again = pickle.loads(pickle.dumps(report))
    assert again == report
    assert type(again) is ScreeningReport


def test_text_shows_every_measure():
    report = screening_report(*DATA[0], at_specificity=0.85)
    text = str(report)

    assert text == report.to_text()
    for name in ("auc", "auc_low", "auc_high", "average_precision", "sensitivity", "specificity"):
        assert f"{report[name]:.4f}" in text
    for name in ("ppv", "npv", "balanced_accuracy", "sensitivity_at_specificity"):
        assert f"{report[name]:.4f}" in text
    assert f"FN {report['fn']}" in text
    assert "sensitivity at specificity >= 0.85" in text
    assert max(map(len, text.splitlines())) < 80
    assert "nan" in str(screening_report([0, 0], [0.1, 0.2]))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([], []), {}, ValueError, "at least 1. Received: 0 labels and 0 scores"),
        (([0, 1], [0.5]), {}, ValueError, "same length.* 2 labels and 1 scores"),
        (([0, 1], [0.5, math.nan]), {}, ValueError, "`y_score` must hold finite.* 1 of 2"),
        (([0, 1], [0.5, math.inf]), {}, ValueError, "`y_score` must hold finite"),
        (([0, 1], ["a", "b"]), {}, ValueError, "`y_score` must hold numbers"),
        (([0, 1, 2], [0.1, 0.2, 0.3]), {}, ValueError, "at most two labels. Received: 3"),
        (([0, 1, 2], [0.1, 0.2, 0.3]), {"pos_label": 2}, ValueError, "at most two labels"),
        (([0, math.nan], [0.1, 0.2]), {}, ValueError, "`y_true` must not hold missing"),
        ((np.array([0, None]), [0.1, 0.2]), {}, ValueError, "`y_true` must not hold missing"),
        (([[0, 1], [1, 0]], [0.1, 0.2]), {}, ValueError, r"`y_true`.*\(2, 2\).*argmax"),
        ((1, 0.5), {}, ValueError, r"`y_true` must hold one label.*shape \(\)"),
        (([0, 1], [[0.1] * 3] * 2), {}, ValueError, r"`y_score` must have shape.*\(2, 3\)"),
        ((["a", "b"], [0.1, 0.2]), {}, ValueError, r"`pos_label` must be given.*\['a', 'b'\]"),
        (([1, 2], [0.1, 0.2]), {}, ValueError, r"`pos_label` must be given.*\[1, 2\]"),
        (([0, 1], [0.1, 0.2]), {"pos_label": 2}, ValueError, "`pos_label` must be one of"),
        (([0, 1], [0.1, 0.2]), {"pos_label": -1}, ValueError, "`pos_label` must be one of"),
        ((np.array([0, "a"], object), [0.1, 0.2]), {"pos_label": 0}, ValueError, "of one type"),
        ((["a"], [[0.1, 0.9]]), {"pos_label": "a"}, ValueError, "does not determine which"),
        (([0, 1], [0.1, 0.2]), {"threshold": math.nan}, ValueError, "`threshold` must be finite"),
        (([0, 1], [0.1, 0.2]), {"threshold": "best"}, TypeError, "`threshold` must be a number"),
        (([0, 1], [0.1, 0.2]), {"at_specificity": 90}, ValueError, r"in \[0, 1\]. Received: 90"),
        (([0, 1], [0.1, 0.2]), {"at_sensitivity": -0.1}, ValueError, "`at_sensitivity` must be"),
        (([0, 1], [0.1, 0.2]), {"confidence": 1}, ValueError, r"`confidence` must be in \(0, 1\)"),
        (([0, 1], [0.1, 0.2]), {"confidence": True}, TypeError, "`confidence` must be a number"),
    ],
)
def test_invalid_input_is_rejected(arguments, options, error, message):
    with pytest.raises(error, match=message):
        screening_report(*arguments, **options)


def test_metrics_load_neither_keras_nor_pandas():
    code = """if True:
        import sys

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"pandas", "keras", "tensorflow", "torch", "jax"}:
                    raise ImportError(name)

        sys.meta_path.insert(0, Blocker())
        import melanet.metrics as metrics

        assert metrics.screening_report([0, 1], [0.2, 0.9])["auc"] == 1
        assert len(metrics.paper_table_1()) == 7
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_columns_are_named_not_counted():
    pd = pytest.importorskip("pandas")
    y, score = DATA[1]
    expected = screening_report(y, score)
    names = np.where(y == 1, "10", "9")
    columns = np.column_stack([1 - score, score])  # of a model whose classes are 9 and 10
    options = {"pos_label": 10}
    assert screening_report(names, columns, classes=[9, 10], **options) == expected
    assert screening_report(names, columns[:, ::-1], classes=["10", "9"], **options) == expected
    frame = pd.DataFrame(columns, columns=[9, 10])
    assert screening_report(names, frame, **options) == expected
    assert screening_report(names, frame[[10, 9]], **options) == expected
    with pytest.raises(ValueError, match=r"sort in two ways. Received: labels \['10', '9'\]"):
        screening_report(names, columns, **options)
    for classes, message in ((["a", "b"], "`y_true` must be among"), ([9], r"\(n_samples, 1\)")):
        with pytest.raises(ValueError, match=message):
            screening_report(names, columns, classes=classes, **options)
    with pytest.raises(ValueError, match="spell each label in one way"):
        screening_report(["a", "a "], [0.1, 0.2], pos_label="a")


def test_a_label_of_another_type_is_found():
    report = screening_report([1, 1], [0.9, 0.2], pos_label="1")
    assert report["n_positive"] == 2
