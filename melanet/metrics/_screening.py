"""Measures of a screening test, with confidence intervals."""

import math
import re
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from melanet.metrics._group_bootstrap import group_intervals, wilson
from melanet.utils._groups import check_groups
from melanet.utils._labels import check_spelling, label_text, match_labels
from melanet.utils._validation import check_unmasked

if TYPE_CHECKING:
    import pandas as pd


class ScreeningReport(dict[str, Any]):
    """Dict of ints and floats, as returned by :func:`screening_report`.

    ``str(report)`` is a table. ``pandas.DataFrame([report_a, report_b])`` compares reports.
    """

    def to_text(self) -> str:
        """Return a table of the measures with their intervals."""
        lines = [
            f"{self['n']} samples, {self['n_positive']} positive, {self['n_negative']} negative "
            f"(prevalence {self['prevalence']:.4f})",
            *([f"intervals by {self['n_groups']} groups"] if "n_groups" in self else []),
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

    def to_frame(self) -> "pd.DataFrame":
        """Return the measures as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row per measure; columns ``value``, ``low``, ``high`` (NaN without an interval).

        Raises
        ------
        ImportError
            If pandas is not installed.
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
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    threshold: float = 0.5,
    pos_label: Any = None,
    classes: ArrayLike | None = None,
    at_specificity: float = 0.9,
    at_sensitivity: float = 0.9,
    confidence: float = 0.95,
    groups: ArrayLike | None = None,
) -> ScreeningReport:
    """Measure how well scores separate a positive class from a negative one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels: at most two different ones, unless `classes` is given.
    y_score : array-like of shape (n_samples,) or (n_samples, n_classes)
        Finite scores of the positive class, such as probabilities; a larger score is more
        positive. If there are several columns, as `predict_proba` returns them, that of the
        positive label is used: by its name in `classes` or in a DataFrame; otherwise there must
        be two columns, in the order of the sorted labels.
    threshold : float, default=0.5
        Scores of at least this are called positive.
    pos_label : label, default=None
        Positive label, matched by its text ("9" is 9). None means 1 if the labels are 0 and 1,
        -1 and 1, or bools.
    classes : array-like of shape (n_classes,) or None, default=None
        Labels of the columns of `y_score`, such as a classifier's ``classes_``. With more than
        two, `pos_label` is compared with all others.
    at_specificity, at_sensitivity : float in [0, 1], default=0.9
        Specificity at which to report the sensitivity, and the reverse.
    confidence : float in (0, 1), default=0.95
        Nominal coverage of the intervals.
    groups : array-like of shape (n_samples,) or None, default=None
        Lesion or patient of each sample. Intervals then are those of a bootstrap of the groups;
        the values are not changed.

    Returns
    -------
    report : ScreeningReport
        Dict of Python ints and floats; all measures are fractions in [0, 1].

        - ``n``, ``n_positive``, ``n_negative``, ``prevalence``
        - ``auc``, ``auc_low``, ``auc_high``, ``auc_se``; ``average_precision``
        - ``threshold`` and, at this threshold, ``tp``, ``fp``, ``tn``, ``fn``, ``sensitivity`` and
          ``specificity`` (both with ``_low`` and ``_high``), ``ppv``, ``npv``,
          ``balanced_accuracy``
        - ``at_specificity``, ``sensitivity_at_specificity``, ``threshold_at_specificity``: the
          highest sensitivity of any threshold with at least that specificity, and that threshold,
          which is infinite if no sample may be called positive; and the reverse
          (``at_sensitivity`` ...)
        - ``confidence``; with `groups`, ``n_groups``

        Undefined measures, such as a sensitivity without positives, are NaN.

    Raises
    ------
    TypeError
        If `threshold`, `at_specificity`, `at_sensitivity` or `confidence` is not a number.
    ValueError
        If the input is empty, has unequal lengths or a wrong shape, or holds missing or infinite
        values or more than two labels; if `pos_label` is required but missing, or not among the
        labels; or if a number is outside its range.

    Notes
    -----
    The standard error of the AUC is that of DeLong et al. [1]_, by the mid-rank algorithm of Sun
    and Xu [2]_. The interval is computed on the logit scale and transformed back [3]_, so that it
    stays within (0, 1). DeLong's variance needs two samples of each class. If it is zero, as for
    perfect separation, it does not measure the uncertainty, and the interval is NaN.
    The intervals of sensitivity and specificity are Wilson's [4]_. All of these assume
    independent samples; with several images of one lesion or patient they are too narrow.

    With `groups`, whole groups are drawn with replacement, 2,000 times and with a fixed seed, and
    the intervals are the percentiles of the draws [5]_. ``auc_se`` is their standard deviation. A
    rate of 0 or 1 is the same in every draw, so that its interval is Wilson's for as many samples
    as there are groups that hold some. The AUC needs two groups with samples of each class.

    PPV and NPV are valid only for the prevalence in `y_true`. Sensitivities and specificities at
    thresholds chosen on the same samples are too optimistic: choose a threshold on validation
    data and pass it as `threshold`.

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
    .. [5] Field, C. A., & Welsh, A. H. (2007). Bootstrapping clustered data. Journal of the Royal
       Statistical Society, Series B, 69(3), 369-390.

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
    threshold = _check_number("threshold", threshold, "finite", math.isfinite)
    at_specificity = _check_number("at_specificity", at_specificity, *_CLOSED)
    at_sensitivity = _check_number("at_sensitivity", at_sensitivity, *_CLOSED)
    confidence = _check_number("confidence", confidence, "in (0, 1)", lambda v: 0 < v < 1)
    positive, score = _check_data(y_true, y_score, pos_label, classes)

    n, n_positive = positive.size, int(positive.sum())
    n_negative = n - n_positive
    called_positive = score >= threshold
    tp = int((called_positive & positive).sum())
    fp = int((called_positive & ~positive).sum())
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
    codes = check_groups(groups, n)
    if codes is not None:
        report |= group_intervals(positive, score, threshold, codes, report, confidence)
    return report


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else math.nan


def _rate(name: str, count: int, total: int, confidence: float) -> dict[str, float]:
    """Return a rate with Wilson's interval."""
    low, high = wilson(count, total, confidence)
    return {name: _ratio(count, total), f"{name}_low": low, f"{name}_high": high}


def _auc(positive: NDArray[np.bool_], score: np.ndarray, confidence: float) -> dict[str, float]:
    """Return the AUC with DeLong's standard error and an interval from the logit scale."""
    auc = low = high = math.nan
    if 0 < positive.sum() < positive.size:
        auc = float(roc_auc_score(positive, score))
    error = _delong_standard_error(positive, score)
    if error > 0:
        reach = norm.ppf((1 + confidence) / 2) * error / (auc * (1 - auc))
        low, high = (float(expit(logit(auc) + step)) for step in (-reach, reach))
    return {"auc": auc, "auc_low": low, "auc_high": high, "auc_se": error}


def _delong_standard_error(positive: NDArray[np.bool_], score: np.ndarray) -> float:
    """Return the square root of DeLong's variance of the AUC, from mid-ranks in O(n log n)."""
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        return math.nan
    ranks = rankdata(score)
    # Fraction of negatives below each positive, and the reverse; ties count one half.
    below = (ranks[positive] - rankdata(score[positive])) / n
    above = 1 - (ranks[~positive] - rankdata(score[~positive])) / m
    return math.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n)


def _operating_curve(
    positive: NDArray[np.bool_], score: np.ndarray
) -> dict[str, np.ndarray] | None:
    """Return all thresholds, including infinity, and the measures at each; None for one class."""
    if not 0 < positive.sum() < positive.size:
        return None
    # Counts below each threshold; scikit-learn before 1.8 has no confusion_matrix_at_thresholds.
    thresholds = np.unique(score)[::-1]
    missed = np.searchsorted(np.sort(score[positive]), thresholds)
    cleared = np.searchsorted(np.sort(score[~positive]), thresholds)
    m, n = positive.sum(), (~positive).sum()
    # From counts, because 1 - fp / n can miss a round specificity by a rounding error.
    return {
        "sensitivity": np.append(0.0, (m - missed) / m),
        "specificity": np.append(1.0, cleared / n),
        "threshold": np.append(math.inf, thresholds),
    }


def _best(
    wanted: str, fixed: str, least: float, curve: dict[str, np.ndarray] | None
) -> dict[str, float]:
    """Return the highest `wanted` for which `fixed` is at least `least`, and its threshold."""
    value = threshold = math.nan
    if curve:
        allowed = np.flatnonzero(curve[fixed] >= least)
        # Ties are resolved by the higher fixed measure.
        best = allowed[np.lexsort((curve[fixed][allowed], curve[wanted][allowed]))[-1]]
        value, threshold = float(curve[wanted][best]), float(curve["threshold"][best])
    return {f"at_{fixed}": least, f"{wanted}_at_{fixed}": value, f"threshold_at_{fixed}": threshold}


_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]*)?\s*")
_CLOSED: tuple[str, Callable[[float], bool]] = ("in [0, 1]", lambda value: 0 <= value <= 1)


def _check_number(
    name: str, value: float, expected: str, is_allowed: Callable[[float], bool]
) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}.")
    if not is_allowed(value):
        raise ValueError(f"`{name}` must be {expected}. Received: {value!r}.")
    return float(value)


def _check_data(
    y_true: ArrayLike, y_score: ArrayLike, pos_label: Any, classes: ArrayLike | None
) -> tuple[NDArray[np.bool_], np.ndarray]:
    """Return a mask of the positives and all scores, both of shape (n_samples,)."""
    check_unmasked("`y_true`", y_true)
    check_unmasked("`y_score`", y_score)
    if classes is None:
        classes = _column_names(y_score)
    labels, scores = (
        values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        for values in (np.asarray(y_true), np.asarray(y_score))
    )
    if labels.ndim != 1:
        raise ValueError(
            "`y_true` must hold one label per sample, shape (n_samples,). "
            f"Received: shape {labels.shape}. Convert one-hot rows with argmax(axis=1)."
        )
    n_columns = 2 if classes is None else len(np.ravel(classes))
    if scores.ndim != 1 and (scores.ndim != 2 or scores.shape[1] != n_columns):
        raise ValueError(
            f"`y_score` must have shape (n_samples,) or (n_samples, {n_columns}). "
            f"Received: shape {scores.shape}. Pass the column of the positive class, or `classes`."
        )
    if len(labels) != len(scores) or not len(labels):
        raise ValueError(
            "`y_true` and `y_score` must have the same length, at least 1. "
            f"Received: {len(labels)} labels and {len(scores)} scores."
        )
    columns = None if classes is None else np.ravel(np.asarray(classes)).tolist()
    known, pos_label = _check_labels(labels.tolist(), pos_label, columns)
    if scores.ndim == 2:
        scores = scores[:, _find_column(known, pos_label, columns)]
    elif columns is not None and scores.ndim == 1 and len(columns) == 1:
        match_labels("`pos_label`", [pos_label], "names of the column of `y_score`", columns)
    try:
        # Floats keep their precision, so that float32 scores compare with the threshold as shown.
        scores = scores if scores.dtype.kind == "f" else scores.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`y_score` must hold numbers. Received: {scores.dtype}.") from error
    if bad := np.count_nonzero(~np.isfinite(scores)):
        raise ValueError(
            f"`y_score` must hold finite numbers. Received: {bad} of {scores.size} are NaN or "
            "infinite. Drop these samples."
        )
    positive = label_text(pos_label)
    return np.array([label_text(label) == positive for label in labels.tolist()]), scores


def _column_names(y_score: Any) -> list[Any] | None:
    """Return the names of a DataFrame's columns of scores, unless they are numbered."""
    if getattr(y_score, "ndim", 0) != 2 or not hasattr(y_score, "columns"):
        return None
    names = list(y_score.columns)
    return None if len(names) == 1 or names == list(range(len(names))) else names


def _find_column(known: list[Any], pos_label: Any, columns: list[Any] | None) -> int:
    """Return the column of the positive label, among columns named or in the order of labels."""
    if columns is not None:
        return int(match_labels("`pos_label`", [pos_label], "`classes`", columns)[0])
    if pos_label not in known or len(known) != 2:
        raise ValueError(
            "`y_score` has two columns, but `y_true` does not determine which belongs to "
            f"pos_label={pos_label!r}. Received: labels {known}. Pass only that column."
        )
    # A model of numbers sorts its columns 9, 10, one of texts "10", "9".
    numbers = all(isinstance(label, str) and _NUMBER.fullmatch(label) for label in known)
    if numbers and sorted(known, key=float) != known:
        raise ValueError(
            "`classes` must name the columns of `y_score` where labels are numbers written as "
            f"text, which sort in two ways. Received: labels {known}. Pass the model's classes_."
        )
    return known.index(pos_label)


def _check_labels(
    values: list[Any], pos_label: Any, columns: list[Any] | None
) -> tuple[list[Any], Any]:
    """Return the labels in sorted order (both, where they are known), and the positive one."""
    missing = [v for v in values if not label_text(v)]
    if missing:
        raise ValueError(
            f"`y_true` must not hold missing values. Received: {len(missing)}, such as "
            f"{missing[0]!r}. Drop these samples."
        )
    try:
        labels = sorted(set(values))
    except TypeError as error:
        raise ValueError("`y_true` must hold labels of one type, such as only numbers.") from error
    check_spelling("`y_true`", labels)
    if columns is not None:
        match_labels("`y_true`", labels, "`classes`", columns)
    elif len(labels) > 2:
        raise ValueError(
            "`y_true` must hold at most two labels. "
            f"Received: {len(labels)}, such as {labels[:3]}. Pass `classes` and `pos_label` to "
            "report one against the rest."
        )
    known = next((pair for pair in ([0, 1], [-1, 1]) if set(labels) <= set(pair)), None)
    if pos_label is None:
        if not known:
            raise ValueError(
                "`pos_label` must be given unless the labels are 0 and 1, -1 and 1, or bools. "
                f"Received: labels {labels}."
            )
        return known, 1
    named = {label_text(label): label for label in known or labels}
    if label_text(pos_label) in named:
        return known or labels, named[label_text(pos_label)]
    if columns is not None:
        match_labels("`pos_label`", [pos_label], "`classes`", columns)
    elif len(labels) == 2:
        raise ValueError(
            "`pos_label` must be one of the labels of `y_true`. "
            f"Received: {pos_label!r}, labels {labels}."
        )
    return known or labels, pos_label
