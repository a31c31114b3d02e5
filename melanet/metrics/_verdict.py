"""The rule that turns measures of synthetic samples into a verdict, and its thresholds."""

USE, CARE, AVOID = VERDICTS = ("use", "use with care", "do not use")
# Chosen by reason, on no benchmark: each stands for a sentence that a user would agree with.

# Fewer real samples than this say little about their class, whatever is measured on them.
FEWEST_REAL = 6
# A sample is a near copy if it differs from a real one by less than this part of the usual
# distance between neighbours in the class: neighbours are different samples, a third is not.
NEAR_COPY = 1 / 3
# Synthetic samples that are recognised half as often as real ones of the class teach a wrong
# label as often as a right one.
SUCCESS_AVOID, SUCCESS_CARE = 0.5, 0.75
# If real samples of the class are recognised less often than this, recognition proves nothing.
LEAST_RECOGNISED = 0.5
# Kernel inception distance over that of the other classes' real samples: at 1 the synthetic
# samples are as far from the class as samples that do not belong to it.
DISTANCE_AVOID, DISTANCE_CARE = 1.0, 0.5
# Share of the translations that are near copies of their sources: other classes' samples under
# this class's label. Class weights do less harm than one in two.
IDENTITY_AVOID, IDENTITY_CARE = 0.5, 0.2
# Diversity over that of the real samples; share of samples that are no near copy of another
# synthetic one. Random over-sampling keeps the first at about 1.
DIVERSITY_AVOID, DIVERSITY_CARE = 0.3, 0.6
DISTINCT_AVOID, DISTINCT_CARE = 0.1, 0.5
# More copies of the class's real samples than new ones: random over-sampling in the main.
COPIES_CARE = 0.5
# Constant images, where the class has none. A few are a nuisance, more are a failure.
CONSTANT_AVOID = 0.1
# measure, threshold for "do not use", for "use with care", whether less is worse, the reason
_RULES = (
    ("success_ratio", SUCCESS_AVOID, SUCCESS_CARE, True,
     "recognised as the class {:.2f} times as often as real samples"),
    ("kid_ratio", DISTANCE_AVOID, DISTANCE_CARE, False,
     "the kernel inception distance is {:.2f} of that of the other classes' samples"),
    ("identity", IDENTITY_AVOID, IDENTITY_CARE, False,
     "{:.0%} of the translations hardly differ from their sources"),
    ("diversity", DIVERSITY_AVOID, DIVERSITY_CARE, True,
     "the synthetic samples are {:.2f} times as diverse as the real ones"),
    ("distinct", DISTINCT_AVOID, DISTINCT_CARE, True,
     "{:.0%} of the synthetic samples are distinct"),
    ("copies", None, COPIES_CARE, False,
     "{:.0%} are copies of real samples of the class: little more than random over-sampling"),
)  # fmt: skip


def judge_class(measures):
    """Give the verdict on one class.

    Parameters
    ----------
    measures : dict
        As in `QualityReport.classes`; a measure that is NaN has no say.

    Returns
    -------
    verdict : {"use", "use with care", "do not use"}
        The worst that any measure calls for.
    reasons : list of str
        One for each measure that calls for it or for care, the worst first; empty for "use".

    Examples
    --------
    >>> from melanet.metrics import judge_class
    >>> judge_class({"n_real": 40, "diversity": 0.1})
    ('do not use', ['the synthetic samples are 0.10 times as diverse as the real ones'])
    """
    found = []
    if n := measures.get("n_non_finite"):
        found.append((AVOID, f"{n} samples hold values that are not finite"))
    constant = measures.get("constant", 0.0) - measures.get("constant_real", 0.0)
    if constant > 0:
        level = AVOID if constant > CONSTANT_AVOID else CARE
        found.append((level, f"{measures['constant']:.0%} of the images are of one value"))
    for name, avoid, care, less_is_worse, text in _RULES:
        value = measures.get(name)
        if value is None:
            continue
        sign = -1 if less_is_worse else 1
        # No comparison with NaN holds.
        if avoid is not None and sign * value >= sign * avoid:
            found.append((AVOID, text.format(value)))
        elif sign * value >= sign * care:
            found.append((CARE, text.format(value)))
    if measures["n_real"] < FEWEST_REAL:
        found.append((CARE, f"{measures['n_real']} real samples are too few to compare with"))
    elif measures.get("success_real", 1.0) < LEAST_RECOGNISED:
        share = measures["success_real"]
        found.append((CARE, f"only {share:.0%} of the real samples themselves are recognised"))
    found.sort(key=lambda item: -VERDICTS.index(item[0]))
    return found[0][0] if found else USE, [reason for _, reason in found]
