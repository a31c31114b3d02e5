"""Table 1 of the MelaNet paper, and the confusion matrices that its numbers determine."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

# Images in the ISIC 2016 Part 3 test set.
_BENIGN, _MALIGNANT = 304, 75
# Printed numbers: method, AUC and "Sensitivity" in hundredths of a percent, false negatives.
_OWN_ROWS = (
    ("VGG-GAP", 7908, 8446, 55),
    ("VGG-GAP + Augment-5x", 7881, 8534, 51),
    ("VGG-GAP + Augment-10x", 7956, 8609, 47),
    ("MelaNet", 8118, 9176, 22),
)
_OTHER_ROWS = (
    ("Gutman et al.", 8040, 5070),
    ("Yu et al. (first row)", 7820, 4270),
    ("Yu et al. (second row)", 7830, 5470),
)


def paper_table_1() -> list[dict[str, Any]]:
    """Return Table 1 of the MelaNet paper, with the true name of each printed number.

    The column headed "Sensitivity" in [1]_ holds two measures. For the rows of the paper's own
    experiments it is the negative predictive value (NPV), TN / (TN + FN): the released evaluation
    divides the first cell of the confusion matrix by the sum of its first column. For the rows
    quoted from other authors it is the sensitivity, TP / (TP + FN).

    The test set has 304 benign and 75 malignant images. The printed number of false negatives
    and the rounded NPV fit only one number of true negatives, which determines the confusion
    matrix. The rows of other authors determine only TP and FN.

    Returns
    -------
    rows : list of dict
        One dict per row: three of other authors, then four of the paper. Numbers that the table
        does not determine are NaN.

        - ``method`` : str
        - ``printed_auc``, ``printed_sensitivity``, ``printed_fn`` : as printed; the first two in
          percent
        - ``printed_sensitivity_is`` : ``"negative predictive value"`` or ``"sensitivity"``
        - ``tp``, ``fn``, ``tn``, ``fp`` : numbers of images; malignant is positive
        - ``sensitivity``, ``specificity``, ``ppv``, ``npv``, ``balanced_accuracy`` : fractions in
          [0, 1], computed from the counts

    Raises
    ------
    ValueError
        If a printed number does not determine exactly one confusion matrix. This cannot happen
        unless the numbers in this module are changed.

    See Also
    --------
    screening_report : The same measures, and more, from labels and scores.

    References
    ----------
    .. [1] Zunair, H., & Ben Hamza, A. (2020). Melanoma detection using adversarial training and
       deep transfer learning. Physics in Medicine & Biology, 65(13), 135005.

    Examples
    --------
    >>> from melanet.metrics import paper_table_1
    >>> melanet = paper_table_1()[-1]
    >>> melanet["printed_sensitivity"], melanet["printed_sensitivity_is"]
    (91.76, 'negative predictive value')
    >>> [melanet[count] for count in ("tp", "fn", "tn", "fp")]
    [53, 22, 245, 59]
    >>> print(f"{melanet['sensitivity']:.4f}")
    0.7067
    """
    rows = []
    for method, auc, printed in _OTHER_ROWS:
        # Rounded to one decimal; the printed second one is always zero.
        tp = _only_count(printed, 10, lambda tp: (tp, _MALIGNANT), _MALIGNANT)
        rows.append(_row(method, auc, printed, "sensitivity", tp, math.nan, math.nan))
    for method, auc, printed, fn in _OWN_ROWS:
        tn = _only_count(printed, 1, partial(_npv_ratio, fn), _BENIGN)
        name = "negative predictive value"
        rows.append(_row(method, auc, printed, name, _MALIGNANT - fn, tn, fn))
    return rows


def _only_count(
    printed: int, unit: int, ratio: Callable[[int], tuple[int, int]], largest: int
) -> int:
    """Return the only count in 0..largest whose ratio rounds to the printed number.

    `printed` is in hundredths of a percent, rounded to multiples of `unit`. ``ratio(count)``
    returns a numerator and a denominator. Integer arithmetic avoids rounding errors.
    """
    found = []
    for count in range(largest + 1):
        numerator, denominator = ratio(count)
        error = abs(10_000 * numerator - printed * denominator)
        if denominator and 2 * error <= unit * denominator:
            found.append(count)
    if len(found) != 1:
        raise ValueError(
            f"{printed / 100} % must match exactly one count between 0 and {largest}. "
            f"Found: {found}. Check the printed numbers."
        )
    return found[0]


def _npv_ratio(fn: int, tn: int) -> tuple[int, int]:
    return tn, tn + fn


def _row(
    method: str, auc: int, printed: int, name: str, tp: int, tn: float, printed_fn: float
) -> dict[str, Any]:
    fn, fp = _MALIGNANT - tp, _BENIGN - tn
    sensitivity, specificity = tp / _MALIGNANT, tn / _BENIGN
    return {
        "method": method,
        "printed_auc": auc / 100,
        "printed_sensitivity": printed / 100,
        "printed_sensitivity_is": name,
        "printed_fn": printed_fn,
        "tp": tp,
        "fn": fn,
        "tn": tn,
        "fp": fp,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "balanced_accuracy": (sensitivity + specificity) / 2,
    }
