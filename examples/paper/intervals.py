"""Screening measures under many weightings of the test images at once, for the bootstrap."""

import numpy as np

# Column name -> heading in the tables.
MEASURES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity at .5",
    "specificity": "specificity at .5",
    "sensitivity_at_specificity": "sensitivity at 90 % specificity",
    "balanced_accuracy": "balanced accuracy",
    "npv": "NPV (the paper's “Sensitivity”)",
}


def measures(positive, score, weights, threshold=0.5, at_specificity=0.9):
    """Compute the measures for every weighting of the samples.

    Parameters
    ----------
    positive : ndarray of bool of shape (n,)
        Whether each sample is positive; both classes are present.
    score : ndarray of shape (n,)
        Scores; a larger one is more positive.
    weights : ndarray of shape (n_weightings, n)
        Weight of each sample. With ones, the measures equal those of
        `melanet.metrics.screening_report`.
    threshold : float, default=0.5
        Score from which a sample is predicted positive.
    at_specificity : float, default=0.9
        Minimum specificity of the ROC point whose sensitivity is reported.

    Returns
    -------
    dict
        Name -> ndarray of shape (n_weightings,); NPV is NaN if no sample is predicted negative.
    """
    order = np.argsort(-score, kind="stable")
    score, positive, weights = score[order], positive[order], weights[:, order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # of each tie
    tp = np.cumsum(weights * positive, axis=1)[:, last].astype(float)
    fp = np.cumsum(weights * ~positive, axis=1)[:, last].astype(float)
    p, n = tp[:, -1:], fp[:, -1:]
    zero = np.zeros_like(p)
    tpr, fpr = np.hstack([zero, tp / p]), np.hstack([zero, fp / n])
    predicted = tp + fp
    precision = np.divide(tp, predicted, out=np.zeros_like(tp), where=predicted > 0)
    at = np.searchsorted(-score[last], -threshold, side="right")  # thresholds at or above
    sensitivity, specificity = tpr[:, at], 1 - fpr[:, at]
    fn, tn = p[:, 0] * (1 - sensitivity), n[:, 0] * specificity
    allowed = 1 - fpr >= at_specificity - 1e-9
    with np.errstate(invalid="ignore"):
        npv = tn / (tn + fn)
    return {
        "auc": np.sum(np.diff(fpr) * (tpr[:, 1:] + tpr[:, :-1]) / 2, axis=1),
        "average_precision": np.sum(np.diff(tpr) * precision, axis=1),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "sensitivity_at_specificity": np.where(allowed, tpr, 0).max(axis=1),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "npv": npv,
    }


def bootstrap_weights(positive, n_draws, seed, groups=None):
    """Draw samples, or whole groups of them, with replacement.

    Groups with a positive sample and groups without are drawn apart. Without groups each sample
    is one, so that the draws are within each class.

    Returns
    -------
    ndarray of int of shape (1 + n_draws, n)
        Number of times each sample was drawn. The first row, all ones, is the original sample.
    """
    rng = np.random.default_rng(seed)
    groups = np.arange(len(positive)) if groups is None else np.asarray(groups)
    _, codes = np.unique(groups, return_inverse=True)
    with_positive = np.isin(np.arange(codes.max() + 1), codes[positive])
    times = np.ones((1 + n_draws, len(with_positive)), int)
    for drawn in (np.flatnonzero(with_positive), np.flatnonzero(~with_positive)):
        if len(drawn):
            share = np.full(len(drawn), 1 / len(drawn))
            times[1:, drawn] = rng.multinomial(len(drawn), share, size=n_draws)
    return times[:, codes]


def percentiles(draws, confidence=0.95):
    """Return the ends of the percentile interval of draws, ignoring NaN."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    return tuple(float(v) for v in np.quantile(draws, [tail, 1 - tail]))
