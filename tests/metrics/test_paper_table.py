"""Table 1 against an exhaustive search, and the page that explains it."""

import doctest
import math
import re
from pathlib import Path

import numpy as np
import pytest

from melanet.metrics import _paper_table, paper_table_1

PAGE = Path(__file__).parents[2] / "docs" / "table-1.md"

# Printed numbers: AUC, "Sensitivity", and FN (or TP, for the quoted rows, from the sensitivity).
PRINTED = {
    "VGG-GAP": (79.08, 84.46, 55),
    "VGG-GAP + Augment-5x": (78.81, 85.34, 51),
    "VGG-GAP + Augment-10x": (79.56, 86.09, 47),
    "MelaNet": (81.18, 91.76, 22),
}
QUOTED = {
    "Gutman et al.": (80.40, 50.70, 38),
    "Yu et al. (first row)": (78.20, 42.70, 32),
    "Yu et al. (second row)": (78.30, 54.70, 41),
}


def _all_matrices():
    """Return tn, fp, fn, tp of all confusion matrices of 304 benign and 75 malignant images."""
    tn, tp = (grid.ravel() for grid in np.mgrid[0:305, 0:76])
    return tn, 304 - tn, 75 - tp, tp


def test_rows_have_the_printed_numbers():
    rows = paper_table_1()

    assert [row["method"] for row in rows] == [*QUOTED, *PRINTED]
    for row in rows:
        printed = (QUOTED | PRINTED)[row["method"]]
        assert (row["printed_auc"], row["printed_sensitivity"]) == printed[:2]


@pytest.mark.parametrize("method", PRINTED)
def test_exactly_one_matrix_has_the_printed_npv_and_fn(method):
    _, printed, printed_fn = PRINTED[method]
    tn, fp, fn, tp = _all_matrices()
    with np.errstate(invalid="ignore"):
        npv = 100 * tn / (tn + fn)
    hits = np.flatnonzero((np.round(npv, 2) == printed) & (fn == printed_fn))
    row = next(row for row in paper_table_1() if row["method"] == method)

    assert len(hits) == 1
    found = [int(count[hits[0]]) for count in (tn, fp, fn, tp)]
    assert [row[name] for name in ("tn", "fp", "fn", "tp")] == found
    assert row["printed_fn"] == printed_fn
    assert row["printed_sensitivity_is"] == "negative predictive value"
    tn, fp, fn, tp = found
    expected = {
        "sensitivity": tp / 75,
        "specificity": tn / 304,
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "balanced_accuracy": (tp / 75 + tn / 304) / 2,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("method", PRINTED)
def test_no_matrix_has_the_printed_number_as_sensitivity(method):
    _, printed, printed_fn = PRINTED[method]
    _, _, fn, tp = _all_matrices()

    assert not np.any((np.abs(100 * tp / (tp + fn) - printed) <= 0.005) & (fn == printed_fn))


@pytest.mark.parametrize("method", QUOTED)
def test_quoted_rows_are_sensitivities(method):
    _, printed, tp = QUOTED[method]
    row = next(row for row in paper_table_1() if row["method"] == method)

    assert [k for k in range(76) if round(100 * k / 75, 1) == printed] == [tp]
    assert (row["tp"], row["fn"], row["sensitivity"]) == (tp, 75 - tp, tp / 75)
    assert row["printed_sensitivity_is"] == "sensitivity"
    unknown = ("printed_fn", "tn", "fp", "specificity", "ppv", "npv", "balanced_accuracy")
    assert all(math.isnan(row[name]) for name in unknown)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ((("no solution", 8000, 8447, 55),), r"\[\]"),
        ((("too many", 8000, 10000, 0),), r"\[1, 2, 3"),
    ],
)
def test_rows_without_a_unique_solution_raise(monkeypatch, rows, found):
    monkeypatch.setattr(_paper_table, "_OWN_ROWS", rows)
    with pytest.raises(ValueError, match=f"exactly one count between 0 and 304. Found: {found}"):
        paper_table_1()


def test_snippets_of_the_page_print_the_shown_output():
    snippets = re.findall(r"^( *)```python\n(.*?)^ *```", PAGE.read_text("utf-8"), re.M | re.S)
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    names = {}
    for number, (_, code) in enumerate(snippets):
        test = parser.get_doctest(code, names, f"snippet {number}", str(PAGE), 0)
        assert test.examples, code
        output = []
        runner.run(test, out=output.append, clear_globs=False)
        assert not runner.failures, "".join(output)
        names = test.globs  # later snippets use earlier names

    assert runner.tries >= 20
    assert len(snippets) == PAGE.read_text("utf-8").count("```") / 2


def test_the_table_of_the_page_equals_the_function():
    cells = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in PAGE.read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    assert cells[0][2:7] == ["NPV", "FN", "TN", "FP", "TP"]

    def shown(value, percent=True):
        if math.isnan(value):
            return "-"
        return f"{100 * value:.2f}" if percent else str(value)

    expected = [
        [row["method"], f"{row['printed_auc']:.2f}", shown(row["npv"])]
        + [shown(row[name], percent=False) for name in ("fn", "tn", "fp", "tp")]
        + [shown(row[name]) for name in ("sensitivity", "specificity", "balanced_accuracy")]
        for row in paper_table_1()
    ]
    assert cells[2:] == expected
