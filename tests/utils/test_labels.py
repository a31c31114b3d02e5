import decimal
import unicodedata

import numpy as np
import pytest

from melanet.utils._labels import (
    check_spelling,
    label_text,
    match_keys,
    match_labels,
    merge_spellings,
)

SPELLINGS = {
    "1": [1, 1.0, True, np.int8(1), np.float32(1), np.bool_(True), "1", "1.0", " 1", "1.", b"1"],
    "0": [0, -0.0, False, "0", "-0", "FALSE", "0.00"],
    "benign": ["benign", " benign\t", "benign ", np.str_("benign")],
    "Benign": ["Benign"],
    "01": ["01"],
    "0.5": [0.5, np.float32(0.5), "0.5"],
    "0.1": [0.1, np.float32(0.1), np.float16(0.1)],
    "100000000000000000000": [10**20, 1e20],
    "2": [decimal.Decimal("2.0"), "2"],
    "naïf": [unicodedata.normalize(form, "naïf") for form in ("NFC", "NFD")],
    "": [None, float("nan"), np.nan, np.datetime64("NaT"), "", " \n", "nan", "NaN", "<NA>"],
    "None": ["None"],
    "none": ["none"],
    "1e3": ["1e3"],
}


def test_labels_have_one_text_for_all_spellings():
    for text, labels in SPELLINGS.items():
        assert {label_text(label) for label in labels} == {text}


def test_pandas_missing_values_are_missing():
    pd = pytest.importorskip("pandas")
    assert label_text(pd.NA) == label_text(pd.NaT) == ""


def test_labels_are_matched_in_any_order():
    assert match_labels("y", ["10", "9", 10.0], "classes", [9, 10]).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"y must be among classes, \[9, 10\]. Received: \['x'\]"):
        match_labels("y", ["9", "x"], "classes", [9, 10])
    with pytest.raises(ValueError, match="nan in row 1"):
        match_labels("y", [9, float("nan")], "classes", [9, 10])
    with pytest.raises(ValueError, match="'9' and 9"):
        match_labels("y", [9], "classes", ["9", 9])


def test_keys_name_a_class_once():
    assert match_keys("m", {"9": "a"}, "classes", [9, 10]) == {9: "a"}
    with pytest.raises(ValueError, match=r"The keys of m .*9 and '9'"):
        match_keys("m", {9: "a", "9": "b"}, "classes", [9, 10])


def test_spellings_are_merged_with_a_warning_and_missing_labels_are_named():
    with pytest.warns(UserWarning, match=r"'1' \(line 2\) and '1.0' \(line 4\).*class, '1'"):
        found = merge_spellings("The labels", ["1", "b ", "1.0"], ["line 2", "line 3", "line 4"])
    assert found == ["1", "b", "1"]
    with pytest.raises(ValueError, match="'nan' in line 3, line 4"):
        merge_spellings("The labels", ["1", "nan", ""], ["line 2", "line 3", "line 4"])
    check_spelling("y", [1, True, 1.0, 2])
