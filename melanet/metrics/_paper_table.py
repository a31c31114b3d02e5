"""The paper's Table 1, and the confusion matrices that its numbers determine."""

import math

# The ISIC 2016 Part 3 test set.
_BENIGN, _MALIGNANT = 304, 75
# Method, AUC and "Sensitivity" in hundredths of a percent as printed, false negatives as printed.
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


def paper_table_1():
    """Table 1 of the MelaNet paper, with what each printed number is.

    The column headed "Sensitivity" in [1]_ holds two measures. For the rows of the paper's own
    experiments it is the negative predictive value TN / (TN + FN): the released evaluation divides
    the first cell of the confusion matrix by the sum of its first column. For the rows quoted
    from other authors it is the sensitivity TP / (TP + FN).

    The test set holds 304 benign and 75 malignant images. Together with the printed number of
    false negatives, the rounded NPV leaves one whole number for the true negatives, and with it
    the whole confusion matrix is known. Other authors' rows determine TP and FN only.

    Returns
    -------
    rows : list of dict
        One dict for each row: the other authors' three, then the paper's four. Numbers that the
        table does not determine are NaN.

        - ``method`` : str
        - ``printed_auc``, ``printed_sensitivity``, ``printed_fn`` : as printed; the first two in
          percent
        - ``printed_sensitivity_is`` : ``"negative predictive value"`` or ``"sensitivity"``
        - ``tp``, ``fn``, ``tn``, ``fp`` : counts of images, malignant being positive
        - ``sensitivity``, ``specificity``, ``ppv``, ``npv``, ``balanced_accuracy`` : fractions in
          [0, 1], computed from the counts

    Raises
    ------
    ValueError
        If a printed number does not determine exactly one confusion matrix. Cannot happen with
        the numbers held here; it guards whoever changes them.

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
        # Printed to one decimal, the second being a zero throughout.
        tp = _only_count(printed, 10, lambda tp: (tp, _MALIGNANT), _MALIGNANT)
        rows.append(_row(method, auc, printed, "sensitivity", tp, math.nan, math.nan))
    for method, auc, printed, fn in _OWN_ROWS:
        tn = _only_count(printed, 1, lambda tn, fn=fn: (tn, tn + fn), _BENIGN)
        name = "negative predictive value"
        rows.append(_row(method, auc, printed, name, _MALIGNANT - fn, tn, fn))
    return rows


def _only_count(printed, unit, ratio, largest):
    """Return the one count in 0..largest whose ratio rounds to what is printed.

    `printed` is in hundredths of a percent and was rounded to multiples of `unit`. ``ratio(count)``
    gives numerator and denominator. Whole numbers throughout, so nothing is rounded here.
    """
    found = []
    for count in range(largest + 1):
        numerator, denominator = ratio(count)
        error = abs(10_000 * numerator - printed * denominator)
        if denominator and 2 * error <= unit * denominator:
            found.append(count)
    if len(found) != 1:
        raise ValueError(
            f"{printed / 100} % must belong to exactly one count between 0 and {largest}. "
            f"Found: {found}. Check the printed numbers."
        )
    return found[0]


def _row(method, auc, printed, name, tp, tn, printed_fn):
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
