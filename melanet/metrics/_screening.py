"""What a screening test is worth: rates by their right names, with intervals."""

import math
from numbers import Real

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binomtest, norm, rankdata
from sklearn.metrics import average_precision_score, confusion_matrix_at_thresholds, roc_auc_score


class ScreeningReport(dict):
    """The dict that :func:`screening_report` returns: plain ints and floats under plain names.

    ``str`` gives a table, and ``pandas.DataFrame([report_a, report_b])`` compares several.
    """

    def to_text(self):
        """Give a table of the measures with their intervals, as one string."""
        lines = [
            f"{self['n']} samples, {self['n_positive']} positive, {self['n_negative']} negative "
            f"(prevalence {self['prevalence']:.4f})",
            "",
            f"{'':38}{'value':>8}  {100 * self['confidence']:g} % interval",
            self._line("AUC", "auc"),
            self._line("average precision", "average_precision"),
            "",
            f"called positive at a score of {self['threshold']:.4g} or more: "
            f"TP {self['tp']}, FP {self['fp']}, TN {self['tn']}, FN {self['fn']}",
            self._line("sensitivity  TP / (TP + FN)", "sensitivity"),
            self._line("specificity  TN / (TN + FP)", "specificity"),
            self._line("positive predictive value (PPV)", "ppv"),
            self._line("negative predictive value (NPV)", "npv"),
            self._line("balanced accuracy", "balanced_accuracy"),
            "",
            "at the threshold that suits best",
        ]
        for found, fixed in (("sensitivity", "specificity"), ("specificity", "sensitivity")):
            label = f"{found} at {fixed} >= {self[f'at_{fixed}']:g}"
            threshold = f"threshold {self[f'threshold_at_{fixed}']:.4g}"
            lines.append(self._line(label, f"{found}_at_{fixed}") + f"  {threshold}")
        return "\n".join(lines)

    __str__ = to_text

    def to_frame(self):
        """Give the measures as a pandas DataFrame; ImportError without pandas.

        A row for each measure; columns ``value``, ``low``, ``high`` (NaN without an interval).
        """
        try:
            import pandas as pd
        except ImportError as error:
            message = "ScreeningReport.to_frame needs pandas: pip install pandas, or melanet[test]."
            raise ImportError(message) from error
        names = [name for name in self if not name.endswith(("_low", "_high"))]
        ends = {"value": "", "low": "_low", "high": "_high"}
        columns = {
            column: [float(self.get(name + end, math.nan)) for name in names]
            for column, end in ends.items()
        }
        return pd.DataFrame(columns, index=pd.Index(names, name="measure"))

    def _line(self, label, name):
        line = f"  {label:<36}{self[name]:>8.4f}"
        if f"{name}_low" in self:
            line += f"  [{self[f'{name}_low']:.4f}, {self[f'{name}_high']:.4f}]"
        return line


def screening_report(
    y_true,
    y_score,
    *,
    threshold=0.5,
    pos_label=None,
    at_specificity=0.9,
    at_sensitivity=0.9,
    confidence=0.95,
):
    """Measure how well scores tell a positive class from a negative one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels, of at most two kinds.
    y_score : array-like of shape (n_samples,) or (n_samples, 2)
        Finite scores of the positive class, the larger the more positive: probabilities, or any
        others if `threshold` suits them. Two columns are read as `predict_proba` writes them, one
        for each label in sorted order, and the positive label's is taken.
    threshold : float, default=0.5
        A score of this or more is called positive.
    pos_label : label, default=None
        The positive label. None takes 1 where the labels are 0 and 1, -1 and 1, or bools.
    at_specificity, at_sensitivity : float in [0, 1], default=0.9
        The specificity at which to give the sensitivity, and the reverse.
    confidence : float in (0, 1), default=0.95
        Coverage that the intervals aim at.

    Returns
    -------
    report : ScreeningReport
        A dict of Python ints and floats; all measures are fractions in [0, 1].

        - ``n``, ``n_positive``, ``n_negative``, ``prevalence``
        - ``auc``, ``auc_low``, ``auc_high``, ``auc_se``; ``average_precision``
        - ``threshold`` and, at it, ``tp``, ``fp``, ``tn``, ``fn``, ``sensitivity`` and
          ``specificity`` (both with ``_low`` and ``_high``), ``ppv``, ``npv``,
          ``balanced_accuracy``
        - ``at_specificity``, ``sensitivity_at_specificity``, ``threshold_at_specificity``: the
          highest sensitivity that any threshold reaches with at least that specificity, and the
          threshold, infinite if nobody may be called positive; and the reverse
          (``at_sensitivity`` ...)
        - ``confidence``

        A measure that the data leave undefined (a sensitivity without positives) is NaN.

    Raises
    ------
    TypeError
        If `threshold`, `at_specificity`, `at_sensitivity` or `confidence` is not a number.
    ValueError
        If the input is empty, of unequal lengths or the wrong shape, holds missing or infinite
        values or more than two labels; if `pos_label` is needed and absent, or is none of the
        labels; or if a number is outside its range.

    Notes
    -----
    The standard error of the AUC is that of DeLong et al. [1]_, by the mid-rank algorithm of Sun
    and Xu [2]_. The interval is formed on the logit scale and brought back [3]_, so that it stays
    within (0, 1). DeLong's variance needs two samples of each class. Where it is zero, as for
    perfect separation, it says nothing about the uncertainty, and the interval is NaN.
    The intervals of sensitivity and specificity are Wilson's [4]_. All of them take the samples to
    be independent: several pictures of one lesion or one patient make them too narrow.

    PPV and NPV hold for the prevalence in `y_true` alone. Sensitivities and specificities at
    thresholds that were chosen on the same samples flatter: choose a threshold on validation data
    and pass it as `threshold`.

    References
    ----------
    .. [1] DeLong, E. R., DeLong, D. M., & Clarke-Pearson, D. L. (1988). Comparing the areas under
       two or more correlated receiver operating characteristic curves: a nonparametric approach.
       Biometrics, 44(3), 837-845.
    .. [2] Sun, X., & Xu, W. (2014). Fast implementation of DeLong's algorithm for comparing the
       areas under correlated receiver operating characteristic curves. IEEE Signal Processing
       Letters, 21(11), 1389-1393.
    .. [3] Qin, G., & Hotilovac, L. (2008). Comparison of non-parametric confidence intervals for
       the area under the ROC curve of a continuous-scale diagnostic test. Statistical Methods in
       Medical Research, 17(2), 207-221.
    .. [4] Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
       inference. Journal of the American Statistical Association, 22(158), 209-212.

    Examples
    --------
    >>> from melanet.metrics import screening_report
    >>> y_true = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    >>> y_score = [0.1, 0.2, 0.2, 0.3, 0.4, 0.7, 0.3, 0.6, 0.8, 0.9]
    >>> report = screening_report(y_true, y_score, at_specificity=0.8)
    >>> report["fn"], report["sensitivity"]
    (1, 0.75)
    >>> print(report)
    10 samples, 4 positive, 6 negative (prevalence 0.4000)
    <BLANKLINE>
                                             value  95 % interval
      AUC                                   0.8542  [0.4388, 0.9777]
      average precision                     0.8304
    <BLANKLINE>
    called positive at a score of 0.5 or more: TP 3, FP 1, TN 5, FN 1
      sensitivity  TP / (TP + FN)           0.7500  [0.3006, 0.9544]
      specificity  TN / (TN + FP)           0.8333  [0.4365, 0.9699]
      positive predictive value (PPV)       0.7500
      negative predictive value (NPV)       0.8333
      balanced accuracy                     0.7917
    <BLANKLINE>
    at the threshold that suits best
      sensitivity at specificity >= 0.8     0.7500  threshold 0.6
      specificity at sensitivity >= 0.9     0.5000  threshold 0.3
    """
    threshold = _number("threshold", threshold, "finite", math.isfinite)
    at_specificity = _number("at_specificity", at_specificity, "in [0, 1]", lambda v: 0 <= v <= 1)
    at_sensitivity = _number("at_sensitivity", at_sensitivity, "in [0, 1]", lambda v: 0 <= v <= 1)
    confidence = _number("confidence", confidence, "in (0, 1)", lambda v: 0 < v < 1)
    positive, score = _check_data(y_true, y_score, pos_label)

    n, n_positive = positive.size, int(positive.sum())
    n_negative = n - n_positive
    called = score >= threshold
    tp, fp = int((called & positive).sum()), int((called & ~positive).sum())
    fn, tn = n_positive - tp, n_negative - fp
    report = ScreeningReport(n=n, n_positive=n_positive, n_negative=n_negative)
    report |= {"prevalence": n_positive / n} | _auc(positive, score, confidence)
    precision = float(average_precision_score(positive, score)) if n_positive else math.nan
    report |= {"average_precision": precision, "threshold": threshold}
    report |= {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    report |= _rate("sensitivity", tp, n_positive, confidence)
    report |= _rate("specificity", tn, n_negative, confidence)
    report |= {"ppv": _ratio(tp, tp + fp), "npv": _ratio(tn, tn + fn)}
    report["balanced_accuracy"] = (report["sensitivity"] + report["specificity"]) / 2
    curve = _operating_curve(positive, score)
    report |= _best("sensitivity", "specificity", at_specificity, curve)
    report |= _best("specificity", "sensitivity", at_sensitivity, curve)
    report["confidence"] = confidence
    return report


def _ratio(numerator, denominator):
    return numerator / denominator if denominator else math.nan


def _rate(name, count, total, confidence):
    """Give a rate with Wilson's interval."""
    low = high = math.nan
    if total:
        low, high = binomtest(count, total).proportion_ci(confidence, method="wilson")
    return {name: _ratio(count, total), f"{name}_low": float(low), f"{name}_high": float(high)}


def _auc(positive, score, confidence):
    """Give the AUC with DeLong's standard error and an interval formed on the logit scale."""
    auc = low = high = math.nan
    if 0 < positive.sum() < positive.size:
        auc = float(roc_auc_score(positive, score))
    error = _delong_standard_error(positive, score)
    if error > 0:
        reach = norm.ppf((1 + confidence) / 2) * error / (auc * (1 - auc))
        low, high = (float(expit(logit(auc) + step)) for step in (-reach, reach))
    return {"auc": auc, "auc_low": low, "auc_high": high, "auc_se": error}


def _delong_standard_error(positive, score):
    """Square root of DeLong's variance of the AUC, from mid-ranks in O(n log n)."""
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        return math.nan
    ranks = rankdata(score)
    # For each positive the fraction of negatives below it, and the reverse; ties count a half.
    below = (ranks[positive] - rankdata(score[positive])) / n
    above = 1 - (ranks[~positive] - rankdata(score[~positive])) / m
    return math.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n)


def _operating_curve(positive, score):
    """Thresholds, one of them above every score, with the measures at each; or None."""
    if not 0 < positive.sum() < positive.size:
        return None
    tn, fp, fn, tp, thresholds = confusion_matrix_at_thresholds(positive, score)
    # From counts, since 1 - fp / n can miss a round specificity by a rounding error.
    return {
        "sensitivity": np.append(0.0, tp / (tp + fn)),
        "specificity": np.append(1.0, tn / (tn + fp)),
        "threshold": np.append(math.inf, thresholds),
    }


def _best(wanted, fixed, least, curve):
    """Give the highest `wanted` where `fixed` is at least `least`, and the threshold for it."""
    value = threshold = math.nan
    if curve:
        allowed = np.flatnonzero(curve[fixed] >= least)
        # Among equals, the one with the most of the fixed measure too.
        best = allowed[np.lexsort((curve[fixed][allowed], curve[wanted][allowed]))[-1]]
        value, threshold = float(curve[wanted][best]), float(curve["threshold"][best])
    return {f"at_{fixed}": least, f"{wanted}_at_{fixed}": value, f"threshold_at_{fixed}": threshold}


def _number(name, value, expected, allowed):
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}.")
    if not allowed(value):
        raise ValueError(f"`{name}` must be {expected}. Received: {value!r}.")
    return float(value)


def _check_data(y_true, y_score, pos_label):
    """Return a boolean mask of the positives and their scores, both of shape (n_samples,)."""
    y_true, y_score = (
        values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        for values in (np.asarray(y_true), np.asarray(y_score))
    )
    if y_true.ndim != 1:
        raise ValueError(
            "`y_true` must hold one label for each sample, shape (n_samples,). "
            f"Received: shape {y_true.shape}. Turn one-hot rows into labels with argmax(axis=1)."
        )
    if y_score.ndim != 1 and (y_score.ndim != 2 or y_score.shape[1] != 2):
        raise ValueError(
            "`y_score` must have shape (n_samples,) or (n_samples, 2). "
            f"Received: shape {y_score.shape}. Pass the positive class's column."
        )
    if len(y_true) != len(y_score) or not len(y_true):
        raise ValueError(
            "`y_true` and `y_score` must be of the same length, at least 1. "
            f"Received: {len(y_true)} labels and {len(y_score)} scores."
        )
    labels, pos_label = _check_labels(y_true.tolist(), pos_label)
    if y_score.ndim == 2:
        if pos_label not in labels or len(labels) != 2:
            raise ValueError(
                "`y_score` has two columns, but `y_true` does not tell which belongs to "
                f"pos_label={pos_label!r}. Received: labels {labels}. Pass that column alone."
            )
        y_score = y_score[:, labels.index(pos_label)]
    try:
        # Floats keep their own precision, so that a threshold compares as the caller sees it.
        y_score = y_score if y_score.dtype.kind == "f" else y_score.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`y_score` must hold numbers. Received: {y_score.dtype}.") from error
    if bad := np.count_nonzero(~np.isfinite(y_score)):
        raise ValueError(
            f"`y_score` must hold finite numbers. Received: {bad} of {y_score.size} are NaN or "
            "infinite. Drop or mend these samples."
        )
    return y_true == pos_label, y_score


def _check_labels(values, pos_label):
    """Return the two labels in sorted order, or those that are known, and the positive one."""
    missing = [v for v in values if type(v).__name__ in ("NoneType", "NAType") or v != v]
    if missing:
        raise ValueError(
            f"`y_true` must not hold missing values. Received: {len(missing)}, the first being "
            f"{missing[0]!r}. Drop these samples."
        )
    try:
        labels = sorted(set(values))
    except TypeError as error:
        raise ValueError("`y_true` must hold labels of one kind, all numbers, say.") from error
    if len(labels) > 2:
        raise ValueError(
            f"`y_true` must hold at most two labels. Received: {len(labels)}, {labels[:3]} among "
            "them. Report one against the rest: screening_report(y == label, scores_of_label)."
        )
    known = next((pair for pair in ([0, 1], [-1, 1]) if set(labels) <= set(pair)), None)
    if pos_label is None:
        if not known:
            raise ValueError(
                "`pos_label` must be given unless the labels are 0 and 1, -1 and 1, or bools. "
                f"Received: labels {labels}."
            )
        pos_label = 1
    elif pos_label not in labels and len(labels) == 2:
        raise ValueError(
            "`pos_label` must be one of the labels of `y_true`. "
            f"Received: {pos_label!r}, labels {labels}."
        )
    return known or labels, pos_label
