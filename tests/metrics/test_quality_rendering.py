"""The text and the picture page of a report that is made up."""

import math

import numpy as np
import pytest

from melanet.metrics import QualityReport
from melanet.metrics._quality_rendering import draw_page, format_report

FRAME = (214, 39, 40)
NUMBERS = [
    "success",
    "success_real",
    "kid",
    "kid_sd",
    "kid_others",
    "precision",
    "recall",
    "density",
    "coverage",
    "coverage_expected",
    "nearest",
    "copies",
    "copies_real",
    "changed_copies",
    "diversity",
    "distinct",
]


def measures(**changes):
    numbers = dict.fromkeys(NUMBERS, 0.25)
    test = {"auc": 0.5, "auc_low": 0.4, "auc_high": 0.6, "p_value": 0.01234}
    counts = {"n_real": 7, "n_synthetic": 9, "n_non_finite": 0, "n_translations": None}
    verdict = {"verdict": "use", "reasons": [], "copy_list": [], "constant": 0, "constant_real": 0}
    return {**numbers, **counts, **verdict, "two_sample": test, **changes}


def lines(**changes):
    """Return the name of each line -> the rest of it."""
    text = format_report(QualityReport({8: measures(**changes)}))
    return {line[2:34].strip(): line[34:].split(maxsplit=2) for line in text.splitlines()}


def test_columns_are_aligned_and_undefined_numbers_are_dashes():
    found = lines(success=math.nan, kid=1.23456e-5)
    assert found["recognised as the class"] == ["-", "0.25", "real, held out"]
    assert found["kernel inception distance"][0] == "1.23e-05"
    assert found["told from real, AUC"] == ["0.50", "0.50", "[0.40, 0.60], p = 0.012"]
    text = format_report(QualityReport({8: measures(), "b": measures(kid=1e-12)}))
    columns = [line.split("  ")[-1] for line in text.splitlines() if "yardstick" in line]
    assert len(columns) == 2
    ends = {line.index("0.25") for line in text.splitlines() if line.startswith("  precision")}
    assert ends == {line.index("0.25") for line in text.splitlines() if line.startswith("  recall")}


@pytest.mark.parametrize(
    ("test", "shown"),
    [
        ({"auc": math.nan}, ["-", "0.50"]),
        ({"auc": 0.9, "auc_low": math.nan, "p_value": 0.2}, ["0.90", "0.50", "p = 0.2"]),
    ],
)
def test_a_test_of_too_few_samples_has_no_interval(test, shown):
    assert lines(two_sample=test)["told from real, AUC"] == shown


def test_lines_appear_where_there_is_something_to_say():
    few = lines()
    assert not {"like its source", "class evidence", "images of one value"} & set(few)
    more = lines(
        n_translations=4, identity=0.5, change=0.75, constant=0.1, constant_real=0.05,
        evidence=0.8, evidence_low=0.7, evidence_high=0.9, class_auc=0.99, towards=1.0, told=0.6,
        told_sources=0.95,
    )  # fmt: skip
    assert more["like its source"][:2] == ["0.50", "0.00"]
    assert more["class evidence"] == ["0.80", "1.00", "[0.70, 0.90]"]
    assert more["told from the class, AUC"] == ["0.60", "0.95", "their sources"]
    assert more["images of one value"][:2] == ["0.10", "0.05"]


def test_evidence_is_unknown_where_real_classes_are_not_told_apart():
    found = lines(
        evidence=math.nan, evidence_low=math.nan, evidence_high=math.nan, class_auc=0.55,
        towards=0.5, told=0.5, told_sources=0.5,
    )  # fmt: skip
    assert found["class evidence"][0] == "-"
    assert found["class evidence"][2].endswith("AUC 0.55")


def test_five_copies_are_named_and_the_others_counted():
    copies = [{"index": i, "row": 10 * i, "exact": i != 1, "same_class": i != 2} for i in range(7)]
    text = format_report(QualityReport({8: measures(copy_list=copies)}))
    assert (
        "  copies (= exact, ~ near): 0 = X[0], 1 ~ X[10], 2 = X[20] of another class, 3 = X[30], "
        "4 = X[40] and 2 more\n"
    ) in text
    assert "more" not in format_report(QualityReport({8: measures(copy_list=copies[:5])}))


def test_the_title_counts_and_the_verdict_names_the_classes():
    worse = measures(verdict="do not use", reasons=["one", "two"], n_non_finite=2)
    worse |= {"n_translations": 3, "identity": 0.0, "change": 1.0}
    text = format_report(QualityReport({"a": measures(), "b": worse}))
    assert "class a: 9 synthetic, 7 real\n" in text
    assert (
        "class b: 9 synthetic, 7 real, 3 made from other classes, 2 not finite and left out\n"
    ) in text
    assert "  do not use: one; two\n" in text
    assert "\nverdict: do not use (class b: one; class b: two)\nNo basis for a diagnosis." in text


def test_a_frame_surrounds_each_image_that_is_not_recognised():
    pictures = {
        name: np.full((3, 8, 8, 1), level, "float32")
        for name, level in (("synthetic", 0.0), ("nearest real", -1.0))
    }
    report = QualityReport({8: measures()})
    page = np.asarray(draw_page(report, {8: (pictures, np.array([False, True, False]))}))
    # Cells of 56 pixels with 2 between them, behind 96 pixels of names and below 26 of the title.
    left, top = 96 + 2 + 58, 26 + 2
    expected = np.zeros(page.shape[:2], bool)
    expected[top - 2 : top + 58, left - 2 : left + 58] = True
    expected[top : top + 56, left : left + 56] = False
    np.testing.assert_array_equal((page == FRAME).all(axis=2), expected)
    assert (page[top : top + 56, left : left + 56] == 128).all()
    assert (page[top + 58 : top + 114, left : left + 56] == 0).all()


def test_a_class_without_finite_samples_is_a_line_and_classes_lie_below_each_other():
    empty = {"synthetic": np.zeros((0, 8, 8, 1), "float32")}
    one = {"synthetic": np.zeros((1, 8, 8, 1), "float32")}
    report = QualityReport({8: measures(), 9: measures()})
    nothing = draw_page(report, {8: (empty, np.zeros(0, bool))})
    page = draw_page(report, {8: (empty, np.zeros(0, bool)), 9: (one, np.zeros(1, bool))})
    assert nothing.height == 28 + 28
    assert page.height == nothing.height + 28 + 60
