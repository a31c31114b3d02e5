import math

import pytest

from melanet.metrics import judge_class
from melanet.metrics._verdict import translation_failures

USE, CARE, AVOID = "use", "use with care", "do not use"


@pytest.mark.parametrize(
    ("measure", "good", "care", "avoid"),
    [
        ("evidence", 0.51, 0.5, None),
        ("success_ratio", 0.76, 0.75, 0.5),
        ("kid_ratio", 0.49, 0.5, 1.0),
        ("identity", 0.19, 0.2, 0.5),
        ("diversity", 0.61, 0.6, 0.3),
        ("distinct", 0.51, 0.5, 0.1),
        ("copies", 0.49, 0.5, None),
    ],
)
def test_a_measure_alone_decides_at_its_thresholds(measure, good, care, avoid):
    verdicts = {good: USE, care: CARE, math.nan: USE} | ({} if avoid is None else {avoid: AVOID})
    for value, verdict in verdicts.items():
        found, reasons = judge_class({"n_real": 50, measure: value})
        assert found == verdict, value
        assert len(reasons) == (verdict != USE)
    worst = {"evidence": -1.0, "copies": 1.0}  # these never forbid
    if avoid is None:
        assert judge_class({"n_real": 50, measure: worst[measure]})[0] == CARE


def test_the_worst_measure_decides_and_nan_is_ignored():
    assert judge_class({"n_real": 50, "success_ratio": math.nan, "kid_ratio": math.nan}) == (
        "use",
        [],
    )
    verdict, reasons = judge_class({"n_real": 50, "distinct": 0.3, "kid_ratio": 1.2})
    assert verdict == "do not use"
    assert len(reasons) == 2
    assert "1.20" in reasons[0]
    assert judge_class({"n_real": 50, "success_real": 0.2})[0] == "use with care"


def test_few_real_samples_need_care():
    assert judge_class({"n_real": 6}) == (USE, [])
    verdict, reasons = judge_class({"n_real": 5, "success_real": 0.1})
    assert (verdict, reasons) == (CARE, ["5 real samples are too few to compare with"])


def test_values_that_are_not_finite_and_constant_images():
    assert judge_class({"n_real": 50, "n_non_finite": 1})[0] == AVOID
    # Beyond the share of constant images in the class itself.
    for constant, verdict in ((0.3, USE), (0.39, CARE), (0.41, AVOID)):
        measures = {"n_real": 50, "constant": constant, "constant_real": 0.3}
        assert judge_class(measures)[0] == verdict


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({"evidence": 0.1, "evidence_high": 0.25}, None),
        ({"evidence": 0.1, "evidence_high": 0.24}, "carry 0.10 of its evidence (at most 0.24)"),
        ({"evidence": math.nan, "evidence_high": math.nan}, None),
        ({"told": 0.94, "told_sources": 0.5}, None),
        ({"told": 0.95, "told_sources": 0.5}, "AUC of 0.95, their sources with 0.50"),
        ({"told": 0.97, "told_sources": 0.88}, None),  # the sources are told nearly as well
        ({"told": 0.99, "told_sources": 0.88}, "AUC of 0.99"),
        ({"told": math.nan, "told_sources": 0.5}, None),
        ({}, None),
    ],
)
def test_translations_fail_if_they_stay_or_are_told(measures, reason):
    reasons = translation_failures(measures)
    assert len(reasons) == (reason is not None)
    assert all(reason in text for text in reasons)
    assert judge_class({"n_real": 50, **measures})[1][: len(reasons)] == reasons
