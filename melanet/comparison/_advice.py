"""Advice in plain words: the cheapest remedy that no other beats, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from melanet.comparison._measures import DECISION, MEASURES, TUNED
from melanet.comparison._remedies import NOTHING, THRESHOLD, WEIGHTS
from melanet.metrics._paired_differences import LEVEL, Paired, folds_needed, holm, samples_factor

if TYPE_CHECKING:
    from melanet.comparison._comparison import Comparison, Summary

# With fewer rare samples in a test fold, a score jumps by a third from one sample to the next.
FEWEST_TESTED = 3
WITH_THRESHOLD = " with a tuned threshold"
_WANTED = 0.02  # difference of a score that would matter to most users

Arm = tuple[str, str]  # remedy and measure


class Choice(NamedTuple):
    """The remedies to take before one estimator.

    Parameters
    ----------
    ranking, decision : str
        Names, by the ranking measure and by balanced accuracy. The latter may be of a remedy
        "with a tuned threshold".
    ranking_arm, decision_arm : (str, str)
        Remedy and measure of each.
    """

    ranking: str
    decision: str
    ranking_arm: Arm
    decision_arm: Arm


def name_arm(arm: Arm) -> str:
    """Return the name of a remedy with its decision rule."""
    remedy, measure = arm
    if measure != TUNED:
        return remedy
    return THRESHOLD if remedy == NOTHING else f"{remedy}{WITH_THRESHOLD}"


def choose(comparison: Comparison, model: str, scoring: str, summary: Summary) -> Choice | None:
    """Choose the cheapest remedy that no other beats, by ranking and by decisions.

    A remedy is beaten if another is better on their common folds with a p-value below .05, after
    Holm's correction for the comparisons with all others. Remedies are tried in the order of
    their cost, so that noise leads to the cheapest one. Whether a tuned threshold decides better
    than .5 is asked first and alone, as that comparison is the same on all data.

    Returns
    -------
    Choice or None
        None if no two remedies can be compared.
    """
    run = [r for r in comparison.remedies if comparison.values(model, r, scoring)]
    if too_few(summary) or len(comparison.values(model, run[0], scoring) if run else ()) < 2:
        return None
    ranking = [(remedy, scoring) for remedy in run if remedy != THRESHOLD or len(run) == 1]
    decision: list[Arm] = []
    tunes = THRESHOLD in run
    for remedy in run:
        if remedy == THRESHOLD:
            decision.append((NOTHING, TUNED))
            continue
        decision.append((remedy, DECISION))
        if tunes and remedy != NOTHING:
            decision.append((remedy, TUNED))
    plain, tuned = (NOTHING, DECISION), (NOTHING, TUNED)
    if plain in decision and tuned in decision:
        test, _ = comparison.paired(model, tuned, plain)
        if test.mean > 0 and test.p_value < LEVEL:
            decision.remove(plain)
    first, second = (_unbeaten(comparison, model, arms) for arms in (ranking, decision))
    return Choice(name_arm(first), name_arm(second), first, second)


def too_few(summary: Summary) -> bool:
    """Return whether the test folds hold too few rare samples to tell anything apart."""
    return summary.rare_tested < FEWEST_TESTED


def _unbeaten(comparison: Comparison, model: str, arms: Sequence[Arm]) -> Arm:
    for arm in arms:
        tests = [comparison.paired(model, other, arm)[0] for other in arms if other != arm]
        corrected = holm([test.p_value for test in tests])
        if not any(t.mean > 0 and p < LEVEL for t, p in zip(tests, corrected)):
            return arm
    # Each is beaten by another on some folds; the best on average remains.
    return max(arms, key=lambda arm: _mean(comparison, model, arm))


def _mean(comparison, model, arm):
    values = list(comparison.values(model, *arm).values())
    return sum(values) / len(values)


def write_advice(
    comparison: Comparison,
    choices: Mapping[str, Choice | None],
    scoring: str,
    summary: Summary,
) -> str:
    """Return the advice in one paragraph."""
    told = [model for model in comparison.models if choices[model] is not None]
    sentences: list[str] = []
    if too_few(summary):
        sentences += _cannot_tell(comparison, scoring, summary)
    elif not told:
        sentences.append(
            "Nothing can be told apart: there are no two folds on which remedies were measured"
        )
    else:
        told.sort(key=lambda model: -_mean(comparison, model, _arm(choices[model])))
        for model in told:
            sentences += _for_model(comparison, model, choices[model], scoring, len(told) > 1)
        sentences += _what_settles(comparison, told[0], choices[told[0]], scoring, summary)
        sentences.append(
            "Intervals are of the corrected resampled t-test at 95 %; choices are corrected for "
            f"the number of remedies by Holm's method{_within(told)}"
        )
    for remedy in comparison.remedies:
        sentences += _quality(comparison, remedy)
    sentences += _problems(comparison)
    if summary.stopped:
        sentences.append("max_seconds ended the comparison before its last fold")
    return " ".join(_sentence(text) for text in sentences)


def _arm(choice):
    return choice.ranking_arm


def _within(told):
    return ", within each estimator" if len(told) > 1 else ""


def _for_model(comparison, model, choice, scoring, named):
    title = MEASURES[scoring]
    before = f"Before {model}: " if named else ""
    run = [r for r in comparison.remedies if comparison.values(model, r, scoring)]
    reference = run[0]
    sentences = []
    rank, decide = choice.ranking_arm, choice.decision_arm
    ranks_alike = rank[0] == reference
    if ranks_alike:
        text = f"{before}{title} does not change: no remedy ranks better than {_doing(reference)}"
        text += f" ({_mean(comparison, model, rank):.3f})"
        others = [r for r in run if r not in (reference, THRESHOLD)]
        if others:
            gains = {r: comparison.paired(model, (r, scoring), rank)[0] for r in others}
            best = max(gains, key=lambda r: gains[r].mean)
            text += f"; the best of the others is {best}, {_interval(gains[best])}"
        sentences.append(text)
    else:
        test, _ = comparison.paired(model, rank, (reference, scoring))
        sentences.append(
            f"{before}By ranking take {rank[0]}: {title} "
            f"{_mean(comparison, model, rank):.3f}, {_interval(test)} over {_doing(reference)}, "
            "and no other remedy beats it"
        )
    test, _ = comparison.paired(model, decide, (reference, DECISION))
    score = f"{_mean(comparison, model, decide):.3f}"
    if decide == (NOTHING, TUNED):
        lead = "What you need is a threshold" if ranks_alike else "For decisions"
        sentences.append(
            f"{lead}: tuned on data set aside, it takes balanced accuracy to {score}, "
            f"{_interval(test)} over .5, and no remedy beats that"
        )
    elif decide[0] == reference and decide[1] == DECISION:
        also = "Nor" if ranks_alike else "But no remedy, nor"
        subject = " does any decide better" if ranks_alike else " a threshold, decides better"
        sentences.append(f"{also}{subject}: balanced accuracy {score} at .5")
    else:
        sentences.append(
            f"For decisions take {name_arm(decide)}: balanced accuracy {score}, "
            f"{_interval(test)} over {_doing(reference)} at .5"
        )
    if ranks_alike and decide == (NOTHING, DECISION):
        sentences.append("So do nothing")
    sentences += _costs(comparison, model, {rank[0], decide[0]}, reference)
    harmful = []
    for remedy in run:
        if remedy in (reference, THRESHOLD):
            continue
        test, _ = comparison.paired(model, (remedy, scoring), (reference, scoring))
        row = next(r for r in comparison.rows(model) if r["remedy"] == remedy)
        if test.mean < 0 and row[f"{scoring}_p_holm"] < LEVEL:
            harmful.append(f"{remedy} ({_interval(test)})")
    if harmful:
        sentences.append(f"{title} is worse with {_join(harmful)}")
    return sentences


def _costs(comparison, model, chosen, reference):
    plain = comparison.seconds_of(model, reference)
    extra = [name for name in comparison.remedies if name in chosen - {NOTHING, WEIGHTS, reference}]
    if not extra:
        return [f"That costs nothing beyond the fit, {_seconds(plain)} a fold"]
    shown = [f"{name} {_seconds(comparison.seconds_of(model, name))}" for name in extra]
    return [f"A fold takes {_seconds(plain)} with {reference}, and with {_join(shown)}"]


def _what_settles(comparison, model, choice, scoring, summary):
    """Say how many folds would tell the nearest rival from the choice."""
    rank = choice.ranking_arm
    rivals = [
        (remedy, scoring)
        for remedy in comparison.remedies
        if remedy not in (rank[0], THRESHOLD) and comparison.values(model, remedy, scoring)
    ]
    tests = {arm: comparison.paired(model, arm, rank) for arm in rivals}
    tests = {arm: found for arm, found in tests.items() if found[0].n_folds > 1}
    if not tests:
        return []
    best = max(tests, key=lambda arm: tests[arm][0].mean)
    test, differences = tests[best]
    if not math.isfinite(test.low) or test.high - test.mean <= _WANTED:
        return []
    return [_need(f"To tell {best[0]} from {rank[0]} by {_WANTED}", differences, test, summary)]


def _need(purpose, differences, test, summary):
    per_repeat = max(1, summary.n_folds // summary.n_repeats)
    folds = folds_needed(differences, summary.ratio, _WANTED)
    if math.isinf(folds):
        factor = samples_factor(differences, summary.ratio, _WANTED)
        return (
            f"{purpose}, no number of repeats suffices: it would take about "
            f"{max(2, math.ceil(factor))} times as many samples of class {summary.rarest!r}"
        )
    repeats = math.ceil(folds / per_repeat)
    return f"{purpose} would take {repeats} repeats of the folds ({test.n_folds} folds were run)"


def _cannot_tell(comparison, scoring, summary):
    sentences = [
        f"Nothing can be told apart here: class {summary.rarest!r} has "
        f"{summary.counts[summary.rarest]} {summary.unit}, and a test fold holds as few as "
        f"{summary.rare_tested}, so no remedy is named"
    ]
    for model in comparison.models:
        run = [r for r in comparison.remedies if comparison.values(model, r, scoring)]
        rivals = [r for r in run[1:] if r != THRESHOLD]
        if not rivals:
            continue
        tests = [comparison.paired(model, (r, scoring), (run[0], scoring)) for r in rivals]
        test, differences = max(tests, key=lambda found: found[1].std() if len(found[1]) else 0)
        if len(differences) > 1:
            purpose = f"To tell a difference of {_WANTED} {MEASURES[scoring]} before {model}"
            sentences.append(_need(purpose, differences, test, summary))
    return sentences


def _quality(comparison, remedy):
    sentences = []
    for record in comparison.records(remedy) if remedy != THRESHOLD else ():
        if "quality" in record:
            reasons = f" ({'; '.join(record['reasons'][:2])})" if record["reasons"] else ""
            sentences.append(f"The quality report on {remedy} says: {record['quality']}{reasons}")
            break
    counts = [(r["copies"], r["synthetic"]) for r in comparison.records(remedy) if "copies" in r]
    if counts and remedy != THRESHOLD:
        copies, made = (sum(values) for values in zip(*counts))
        if made:
            sentences.append(f"{copies / made:.0%} of the samples of {remedy} are copies")
    return sentences


def _problems(comparison):
    failed: dict[str, list[str]] = {}
    for note in comparison.notes_:
        name, sign, text = note.partition(": failed in ")
        if sign:
            failed.setdefault(f"failed in {text}", []).append(name)
    parts = [f"{_join(names)}: {text.rstrip('.')}" for text, names in failed.items()]
    return [f"Not all fits succeeded: {'; '.join(parts)}"] if parts else []


def _doing(reference):
    return "doing nothing" if reference == NOTHING else reference


def _interval(test: Paired) -> str:
    if math.isnan(test.low):
        return f"{test.mean:+.3f}"
    return f"{test.mean:+.3f} [{test.low:+.3f}, {test.high:+.3f}]"


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "an unknown time"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def _join(texts: Sequence[Any]) -> str:
    shown = list(map(str, texts))
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _sentence(text: str) -> str:
    start = text if text.startswith("max_") else text[:1].upper() + text[1:]
    return f"{start}{'' if text.endswith('.') else '.'}"
