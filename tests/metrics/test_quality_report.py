import json
import math

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from melanet.metrics import quality_report


@pytest.fixture(scope="module")
def digits():
    """Return 100 threes and 20 eights for training, and the others, shuffled."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    threes, eights = (rng.permutation(np.flatnonzero(y == c)) for c in (3, 8))
    X = X.reshape(-1, 8, 8)
    train = np.concatenate([threes[:100], eights[:20]])
    return X[train], y[train], X[threes[100:]], X[eights[20:120]]


def _report(digits, made, labels=8, **options):
    X, y, _, _ = digits
    labels = np.full(len(made), labels) if np.isscalar(labels) else labels
    options = {"value_range": (0, 16), "random_state": 0} | options
    return quality_report(X, y, made, labels, **options)


@pytest.fixture(scope="module")
def held_out(digits):
    return _report(digits, digits[3], source_indices=np.arange(100))


def test_held_out_real_samples_are_good(digits, held_out):
    m = held_out.classes[8]
    assert held_out.verdict == "use"
    assert held_out.reasons == []
    assert m["success"] > 0.85
    assert m["kid_ratio"] < 0.2
    assert m["copy_list"] == []
    assert m["n_translations"] == 100
    assert m["identity"] == 0
    assert 0.8 < m["diversity"] < 1.2
    assert m["two_sample"]["auc_low"] < 0.5 < m["two_sample"]["auc_high"]
    assert _report(digits, digits[3], features="pixels").verdict == "use"


def test_the_same_seed_gives_the_same_report(digits, held_out):
    again = _report(digits, digits[3], source_indices=np.arange(100))
    assert str(again) == str(held_out)
    assert again.to_dict() == held_out.to_dict()


def test_noise_is_rejected(digits):
    noise = np.random.default_rng(0).uniform(0, 16, (100, 8, 8))
    report = _report(digits, noise)
    assert report.verdict == "do not use"
    assert report.classes[8]["precision"] == 0
    assert report.classes[8]["two_sample"]["auc"] > 0.99


def test_copies_are_listed_with_their_rows(digits):
    X, _, _, eights = digits
    made = eights[:40].copy()
    made[[3, 17]] = X[[105, 110]]
    made[30] = np.clip(X[119] + 0.5, 0, 16)  # half of one of 16 grey levels
    listed = _report(digits, made).classes[8]["copy_list"]
    assert [(c["index"], c["row"], c["exact"], c["same_class"]) for c in listed] == [
        (3, 105, True, True),
        (17, 110, True, True),
        (30, 119, False, True),
    ]


def test_random_over_sampling_is_named(digits):
    X = digits[0]
    report = _report(digits, X[100 + np.arange(100) % 20])
    assert report.verdict == "use with care"
    assert report.classes[8]["copies"] == 1
    assert report.classes[8]["distinct"] == pytest.approx(0.2)
    assert "random over-sampling" in str(report)


def test_exact_and_changed_copies_are_told_apart_and_summed(digits):
    X = digits[0]
    rows = 100 + np.arange(80) % 20
    made = X[rows]
    made[1::2] = np.roll(made[1::2], 2, axis=2)  # half of them moved by two of eight pixels
    report = _report(digits, made, source_indices=rows)
    m = report.classes[8]
    assert (m["copies"], m["changed_copies"], m["n_translations"]) == (0.5, 0.5, 0)
    assert any(
        "100% are copies of real samples of the class (50% exact or nearly so, 50% changed)" in text
        for text in report.reasons
    )
    assert "  changed copies                       0.50            made from" in str(report)
    unknown = _report(digits, made)
    assert math.isnan(unknown.classes[8]["changed_copies"])
    assert any(": 50% are copies" in reason for reason in unknown.reasons)
    assert "changed copies" not in str(unknown)
    # One in four is a translation, neither an exact nor a changed copy.
    mixed = np.where(np.arange(80) % 4 == 1, np.arange(80), rows)
    m = _report(digits, made, source_indices=mixed).classes[8]
    assert (m["copies"], m["changed_copies"], m["n_translations"]) == (0.5, 0.25, 20)


def test_identity_map_is_detected(digits):
    X = digits[0]
    made = np.clip(X[:100] + np.random.default_rng(0).normal(0, 0.2, (100, 8, 8)), 0, 16)
    report = _report(digits, made, source_indices=np.arange(100))
    m = report.classes[8]
    assert report.verdict == "do not use"
    assert m["identity"] == 1
    assert m["change"] < 0.1
    assert m["success"] < 0.1
    assert not any(c["same_class"] for c in m["copy_list"])
    assert any("hardly differ from their sources" in reason for reason in report.reasons)


def test_copies_of_the_same_class_do_not_count_as_translations(digits):
    X = digits[0]
    m = _report(digits, X[100:], source_indices=np.arange(100, 120)).classes[8]
    assert m["n_translations"] == 0
    assert math.isnan(m["identity"])


def test_collapse_is_detected(digits):
    rng = np.random.default_rng(0)
    made = np.clip(digits[3][:1] + rng.normal(0, 0.1, (60, 8, 8)), 0, 16)
    report = _report(digits, made)
    assert report.verdict == "do not use"
    assert report.classes[8]["diversity"] < 0.1
    assert report.classes[8]["distinct"] == pytest.approx(1 / 60)


def test_swapped_labels_are_detected(digits):
    _, _, threes, eights = digits
    n = min(len(threes), len(eights))
    made, labels = np.concatenate([threes[:n], eights[:n]]), np.repeat([8, 3], n)
    report = _report(digits, made, labels)
    assert list(report.classes) == [3, 8]
    for m in report.classes.values():
        assert m["success"] < 0.2
        assert m["verdict"] == "do not use"


def test_values_that_are_not_finite_are_counted(digits):
    X, _, _, eights = digits
    made = eights[:30].copy()
    made[4, 0, 0], made[7, 2, 2] = np.nan, np.inf
    made[20] = X[101]
    report = _report(digits, made, source_indices=np.arange(30))
    m = report.classes[8]
    assert (m["n_synthetic"], m["n_non_finite"]) == (30, 2)
    assert [(c["index"], c["row"]) for c in m["copy_list"]] == [(20, 101)]
    assert report.verdict == "do not use"
    made[:] = np.nan
    report = _report(digits, made)
    assert report.verdict == "do not use"
    json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_picture().width > 0


def test_constant_images_are_detected(digits):
    made = digits[3][:20].copy()
    made[:5] = 3.0
    report = _report(digits, made)
    assert report.classes[8]["constant"] == 0.25
    assert report.verdict == "do not use"


@pytest.mark.parametrize("n_real", [2, 3, 5])
def test_tiny_classes_need_care(digits, n_real):
    X, y, _, eights = digits
    options = {"value_range": (0, 16), "random_state": 0}
    report = quality_report(X[: 100 + n_real], y[: 100 + n_real], eights[:20], [8] * 20, **options)
    assert report.verdict != "use"
    assert f"{n_real} real samples are too few" in str(report)
    json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="Class 8 has 1 real sample"):
        quality_report(X[:101], y[:101], eights[:20], [8] * 20, **options)
    one = quality_report(X[: 100 + n_real], y[: 100 + n_real], eights[:1], [8], **options)
    json.dumps(one.to_dict(), allow_nan=False)


def test_recognition_of_a_single_class_is_undefined(digits):
    X, y, _, eights = digits
    report = quality_report(X[y == 8], y[y == 8], eights, [8] * 100, value_range=(0, 16))
    assert report.verdict == "use"
    assert math.isnan(report.classes[8]["success"])


def test_table_rows():
    X, y = load_wine(return_X_y=True)
    X, names = X[y > 0], np.array(["", "a", "b"])[y[y > 0]]
    rows = np.random.default_rng(0).permutation(len(X))
    train, rest = rows[:70], rows[70:]
    good = quality_report(X[train], names[train], X[rest], names[rest], random_state=0)
    assert good.verdict == "use"
    assert set(good.classes) == {"a", "b"}
    rng = np.random.default_rng(1)
    shuffled = np.stack([rng.permutation(column) for column in X[rest].T], axis=1) * 3
    bad = quality_report(X[train], names[train], shuffled, names[rest], random_state=0)
    assert bad.verdict == "do not use"
    with pytest.raises(ValueError, match="must be images to be drawn"):
        good.to_picture()


def test_callable_features_receive_the_samples_in_the_users_form(digits):
    seen = []

    def embed(X):
        seen.append(X)
        return X.reshape(len(X), -1)[:, 16:48] * 1000

    report = _report(digits, digits[3], features=embed)
    np.testing.assert_array_equal(seen[0], digits[0])
    np.testing.assert_array_equal(seen[1], digits[3])
    assert report.verdict == "use"
    with pytest.raises(ValueError, match=r"features must return .* shape \(120,\)"):
        _report(digits, digits[3], features=lambda X: X[:, 0, 0])


def test_picture_page(digits, held_out, tmp_path):
    held_out.picture(tmp_path / "page.png")
    page = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    without = np.asarray(_report(digits, digits[3]).to_picture())
    assert page.shape[0] > without.shape[0]  # no row of sources
    # The row of sources starts with the first training image, enlarged.
    rows, framed = held_out._pictures[8]
    assert set(rows) == {"source", "synthetic", "edit", "nearest real"}
    first = np.rint((rows["source"][0, ..., 0] + 1) * 127.5).repeat(7, 0).repeat(7, 1)
    np.testing.assert_array_equal(page[28:84, 98:154, 0], first)
    red = (page == (214, 39, 40)).all(axis=-1)
    assert red.any() == framed.any()


def test_text_of_a_report(held_out):
    m, text = held_out.classes[8], str(held_out)
    lines = {line[2:34].strip(): line[34:].split() for line in text.splitlines()}
    assert lines["recognised as the class"][:2] == [
        f"{m['success']:.2f}",
        f"{m['success_real']:.2f}",
    ]
    assert lines["coverage"][0] == f"{m['coverage']:.2f}"
    assert lines["told from real, AUC"][0] == f"{m['two_sample']['auc']:.2f}"
    assert "verdict: use\nNo basis for a diagnosis." in text


def test_synthetic_images_on_another_scale_are_rejected(digits):
    X, y, _, eights = digits
    X, eights = X / 16 * 255, eights[:2] / 16
    with pytest.raises(ValueError, match="X_synthetic must have the form.*to 255.*from 0 to 1"):
        quality_report(X, y, eights, [8, 8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_synthetic": np.zeros((2, 9, 9))}, r"same shape. Received: shapes \(120, 8, 8\)"),
        ({"X_synthetic": np.full((2, 8, 8), 40.0)}, "X_synthetic must have the form of X"),
        ({"y_synthetic": [8]}, r"y_synthetic must hold .*shape \(2,\)"),
        ({"y_synthetic": [8, 5]}, r"Received: \[5\]"),
        ({"source_indices": [0.0, 1.0]}, "source_indices must hold a row of X"),
        ({"source_indices": [0, 120]}, "rows of X, 0 to 119. Received: 0 to 120"),
        ({"features": "inception"}, "features='inception'"),
        ({"n_folds": 1}, "n_folds must be an integer of at least"),
        ({"X": np.full((120, 8, 8), np.nan)}, "X must be finite. Received: 120 of 120"),
    ],
)
def test_invalid_input_is_rejected(digits, change, message):
    X, y, _, eights = digits
    options = {"X": X, "y": y, "X_synthetic": eights[:2], "y_synthetic": [8, 8]} | change
    with pytest.raises(ValueError, match=message):
        quality_report(value_range=(0, 16), **options)
