"""Verdict on synthetic samples: the rule and its thresholds.

The thresholds were chosen by reasoning, not on a benchmark.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

USE, CARE, AVOID = VERDICTS = ("use", "use with care", "do not use")

# With fewer real samples, no measure says much about their class.
FEWEST_REAL = 6
# A sample is a near copy of a real one if they differ by less than this fraction of the usual
# distance between neighbours in the class.
NEAR_COPY = 1 / 3
# A translation of an image is unchanged if it differs from its source by less than this fraction
# of that distance. Edits of photographs that were good by all other measures start at 0.12.
UNCHANGED = 0.1
# Class evidence of the translations (see `class_evidence`). Below 0.25 at the upper end of the
# interval, the sources might as well have been relabelled.
EVIDENCE_AVOID, EVIDENCE_CARE = 0.25, 0.5
# AUC by which translations are told from real samples of the class (see `realism`), if the
# sources themselves are told less well by the margin. Good edits of 64x64 photographs measured
# 0.61 to 0.77, blurred ones 0.93, a ResNet's after 300 steps 0.999.
TOLD_AVOID, TOLD_MARGIN = 0.95, 0.1
# Recognition rate, relative to real samples of the class. At 0.5, half of the labels are wrong.
SUCCESS_AVOID, SUCCESS_CARE = 0.5, 0.75
# If fewer real samples of the class are recognised, recognition proves nothing.
LEAST_RECOGNISED = 0.5
# Kernel inception distance, relative to that of the other classes' real samples. At 1, the
# synthetic samples are as far from the class as samples of other classes.
DISTANCE_AVOID, DISTANCE_CARE = 1.0, 0.5
# Share of translations that are near copies of their sources, which belong to other classes. At
# 0.5, class weights do less harm.
IDENTITY_AVOID, IDENTITY_CARE = 0.5, 0.2
# Diversity, relative to the real samples. Random over-sampling keeps it at about 1.
DIVERSITY_AVOID, DIVERSITY_CARE = 0.3, 0.6
# Share of samples that are not near copies of an earlier synthetic sample.
DISTINCT_AVOID, DISTINCT_CARE = 0.1, 0.5
# Share of near copies of the class's real samples. At 0.5, this is mostly random over-sampling.
COPIES_CARE = 0.5
# Share of images with a single value, beyond the share in the class itself.
CONSTANT_AVOID = 0.1


class _Rule(NamedTuple):
    """A threshold rule for one measure; NaN never triggers it."""

    measure: str
    avoid: float | None  # threshold of "do not use", None for never
    care: float  # threshold of "use with care"
    low_is_bad: bool  # whether values at or below the threshold trigger it, or at or above
    reason: str  # format string of the value


_RULES = (
    _Rule("evidence", None, EVIDENCE_CARE, True,
          "the translations carry {:.2f} of the evidence of the class"),
    _Rule("success_ratio", SUCCESS_AVOID, SUCCESS_CARE, True,
          "recognised as the class {:.2f} times as often as real samples"),
    _Rule("kid_ratio", DISTANCE_AVOID, DISTANCE_CARE, False,
          "the kernel inception distance is {:.2f} of that of the other classes' samples"),
    _Rule("identity", IDENTITY_AVOID, IDENTITY_CARE, False,
          "{:.0%} of the translations hardly differ from their sources"),
    _Rule("diversity", DIVERSITY_AVOID, DIVERSITY_CARE, True,
          "the synthetic samples are {:.2f} times as diverse as the real ones"),
    _Rule("distinct", DISTINCT_AVOID, DISTINCT_CARE, True,
          "{:.0%} of the synthetic samples are distinct"),
)  # fmt: skip


def translation_failures(measures: Mapping[str, Any]) -> list[str]:
    """Return why translations are no samples of their class, by `translation_measures`."""
    reasons = []
    if measures.get("evidence_high", math.inf) < EVIDENCE_AVOID:
        reasons.append(
            "they do not move towards the class: they carry "
            f"{measures['evidence']:.2f} of its evidence (at most {measures['evidence_high']:.2f})"
        )
    told, yardstick = measures.get("told", math.nan), measures.get("told_sources", math.nan)
    if told >= max(TOLD_AVOID, yardstick + TOLD_MARGIN):
        reasons.append(
            f"they are told from real samples of the class with an AUC of {told:.2f}, their "
            f"sources with {yardstick:.2f}"
        )
    return reasons


def judge_class(measures: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the verdict on the synthetic samples of one class.

    Parameters
    ----------
    measures : dict
        Measures as in `QualityReport.classes`. NaN and missing measures are ignored, except for
        ``n_real``, which is required.

    Returns
    -------
    verdict : {"use", "use with care", "do not use"}
        The worst verdict of all measures.
    reasons : list of str
        A reason for each measure that calls for "do not use" or "use with care", the worst
        first; empty for "use".

    Examples
    --------
    >>> from melanet.metrics import judge_class
    >>> judge_class({"n_real": 40, "diversity": 0.1})
    ('do not use', ['the synthetic samples are 0.10 times as diverse as the real ones'])
    """
    found = []
    found += [(AVOID, reason) for reason in translation_failures(measures)]
    if n := measures.get("n_non_finite"):
        found.append((AVOID, f"{n} samples hold values that are not finite"))
    constant = measures.get("constant", 0.0) - measures.get("constant_real", 0.0)
    if constant > 0:
        level = AVOID if constant > CONSTANT_AVOID else CARE
        found.append((level, f"{measures['constant']:.0%} of the images are of one value"))
    for rule in _RULES:
        value = measures.get(rule.measure)
        if value is None:
            continue
        sign = -1 if rule.low_is_bad else 1
        # Comparisons with NaN are false.
        if rule.avoid is not None and sign * value >= sign * rule.avoid:
            found.append((AVOID, rule.reason.format(value)))
        elif sign * value >= sign * rule.care:
            found.append((CARE, rule.reason.format(value)))
    if measures.get("copies", math.nan) >= COPIES_CARE:
        found.append((CARE, f"{_describe_copies(measures)}: little more than random over-sampling"))
    if measures["n_real"] < FEWEST_REAL:
        found.append((CARE, f"{measures['n_real']} real samples are too few to compare with"))
    elif measures.get("success_real", 1.0) < LEAST_RECOGNISED:
        share = measures["success_real"]
        found.append((CARE, f"only {share:.0%} of the real samples themselves are recognised"))
    found.sort(key=lambda item: -VERDICTS.index(item[0]))
    return found[0][0] if found else USE, [reason for _, reason in found]


def _describe_copies(measures: Mapping[str, Any]) -> str:
    near, changed = measures["copies"], measures.get("changed_copies", math.nan)
    if not changed > 0:
        return f"{near:.0%} are copies of real samples of the class"
    return (
        f"{near + changed:.0%} are copies of real samples of the class ({near:.0%} exact or nearly "
        f"so, {changed:.0%} changed)"
    )
