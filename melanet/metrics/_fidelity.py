"""How near synthetic samples come to real ones: measures on arrays of features or of pixels."""

import math

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import check_random_state

from melanet.metrics._distances import as_pair
from melanet.metrics._screening import screening_report
from melanet.utils._validation import check_integer


def kernel_inception_distance(real, synthetic, *, subset_size=100, n_subsets=50, random_state=None):
    """Kernel inception distance: an unbiased estimate of the squared distance of two sets.

    The squared maximum mean discrepancy under the kernel (x . y / d + 1)^3, as in [1]_. It is 0
    on average for two sets of one distribution, and then as often below 0 as above.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Features, finite, on a scale of about 1.
    subset_size : int, default=100
        Samples of each set in a subset; of smaller sets, as many as the smaller one has. The
        authors take 1000, which rare classes do not have.
    n_subsets : int, default=50
        Subsets, drawn without replacement in each. One is enough where it is all there is.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    mean, sd : float
        Over the subsets. Both are NaN if a set has fewer than two samples; sd is NaN if the
        subsets are all there is. The sd tells the choice of subsets, not the choice of the real
        samples: those of a small class are the same ones in every subset.

    Raises
    ------
    ValueError
        If the arrays are not finite, or of different widths, or a number is too small.

    References
    ----------
    .. [1] Binkowski, M., Sutherland, D. J., Arbel, M., & Gretton, A. (2018). Demystifying MMD
       GANs. ICLR 2018, arXiv:1801.01401.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.metrics import kernel_inception_distance
    >>> rng = np.random.default_rng(0)
    >>> real, same = rng.normal(size=(2, 200, 4))
    >>> near, _ = kernel_inception_distance(real, same, random_state=0)
    >>> far, _ = kernel_inception_distance(real, same + 2, random_state=0)
    >>> abs(near) < 0.3 < 10 < far
    True
    """
    real, synthetic = as_pair(real, synthetic)
    check_integer("subset_size", subset_size, 2)
    check_integer("n_subsets", n_subsets, 1)
    size = min(subset_size, len(real), len(synthetic))
    if size < 2:
        return math.nan, math.nan
    if size == len(real) == len(synthetic):
        return _unbiased_mmd(real, synthetic), math.nan
    rng = check_random_state(random_state)
    values = [
        _unbiased_mmd(*(x[rng.choice(len(x), size, replace=False)] for x in (real, synthetic)))
        for _ in range(n_subsets)
    ]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if n_subsets > 1 else math.nan


def _unbiased_mmd(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_of_pairs(a):  # a sample with itself is no pair
        matrix = kernel(a, a)
        return (matrix.sum() - np.trace(matrix)) / (len(a) * (len(a) - 1))

    return float(mean_of_pairs(x) + mean_of_pairs(y) - 2 * kernel(x, y).mean())


def manifold_scores(real, synthetic, *, k=5):
    """Precision, recall, density and coverage, by balls around the samples.

    A ball reaches from a sample to its k-th nearest neighbour within its own set. Precision [1]_
    is the share of synthetic samples inside some real ball, recall the share of real samples
    inside some synthetic ball. Density [2]_ counts in how many real balls a synthetic sample
    lies, over k; coverage is the share of real balls that hold a synthetic sample.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Features, finite.
    k : int, default=5
        Neighbours, as in [2]_; [1]_ takes 3. Of a set of n samples at most (n - 1) / 2, rounded
        down, but at least one: a ball that holds most of the set is no neighbourhood.

    Returns
    -------
    dict
        ``precision``, ``recall``, ``coverage`` in [0, 1], ``density`` from 0 up, and
        ``coverage_expected``, what two sets of one distribution have on average; density's is 1.
        NaN where a set has too few samples.

    Raises
    ------
    ValueError
        If the arrays are not finite, or of different widths, or `k` is less than one.

    Notes
    -----
    Of n real and m synthetic samples of one distribution, a real ball stays empty if the k
    samples nearest to its centre are all real: the product of (n - j) / (n + m - j), j = 1..k.

    References
    ----------
    .. [1] Kynkaanniemi, T., Karras, T., Laine, S., Lehtinen, J., & Aila, T. (2019). Improved
       precision and recall metric for assessing generative models. NeurIPS 2019,
       arXiv:1904.06991.
    .. [2] Naeem, M. F., Oh, S. J., Uh, Y., Choi, Y., & Yoo, J. (2020). Reliable fidelity and
       diversity metrics for generative models. ICML 2020, arXiv:2002.09797.

    Examples
    --------
    >>> from melanet.metrics import manifold_scores
    >>> scores = manifold_scores([[0.0], [1.0], [2.0]], [[0.5], [9.0]], k=1)
    >>> scores["precision"], scores["coverage"]
    (0.5, 0.6666666666666666)
    """
    real, synthetic = as_pair(real, synthetic)
    check_integer("k", k, 1)
    n, m = len(real), len(synthetic)
    scores = dict.fromkeys(("precision", "recall", "density", "coverage"), math.nan)
    scores["coverage_expected"] = math.nan
    if n >= 2 and m:
        k_real = max(1, min(k, (n - 1) // 2))
        inside = cdist(real, synthetic) <= _radii(real, k_real)[:, None]
        steps = np.arange(1, k_real + 1)
        scores["precision"] = float(inside.any(axis=0).mean())
        scores["density"] = float(inside.sum() / (k_real * m))
        scores["coverage"] = float(inside.any(axis=1).mean())
        scores["coverage_expected"] = float(1 - np.prod((n - steps) / (n + m - steps)))
    if m >= 2 and n:
        radii = _radii(synthetic, max(1, min(k, (m - 1) // 2)))
        scores["recall"] = float((cdist(real, synthetic) <= radii).any(axis=1).mean())
    return scores


def _radii(points, k):
    # The nearest of all is the point itself.
    return np.partition(cdist(points, points), k, axis=1)[:, k]


def two_sample_test(real, synthetic, *, classifier=None, random_state=None):
    """Test whether a classifier can tell synthetic samples from real ones.

    The test is that of [1]_.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Features, finite.
    classifier : scikit-learn classifier or None, default=None
        Has ``predict_proba``; it is cloned. None takes a logistic regression that weighs both
        sets alike.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Returns
    -------
    dict
        ``auc`` by at most five folds with ``auc_low`` and ``auc_high`` (DeLong's 95 % interval,
        NaN for perfect separation), ``balanced_accuracy``, and ``p_value`` of the rank-sum test
        against an AUC of one half or less. NaN if a set has fewer than two samples. An AUC well
        below one half points to copies: each half of a pair has its twin on the other side.

    Raises
    ------
    ValueError
        If the arrays are not finite, or of different widths.

    References
    ----------
    .. [1] Lopez-Paz, D., & Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR 2017,
       arXiv:1610.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.metrics import two_sample_test
    >>> real, same = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> two_sample_test(real, same + 4, random_state=0)["auc"]
    1.0
    """
    real, synthetic = as_pair(real, synthetic)
    names = ("auc", "auc_low", "auc_high", "balanced_accuracy")
    n_folds = min(5, len(real), len(synthetic))
    if n_folds < 2:
        return dict.fromkeys((*names, "p_value"), math.nan)
    if classifier is None:
        classifier = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    X = np.concatenate([real, synthetic])
    is_synthetic = np.repeat([0, 1], [len(real), len(synthetic)])
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(classifier, X, is_synthetic, cv=folds, method="predict_proba")[:, 1]
    report = screening_report(is_synthetic, scores)
    test = mannwhitneyu(scores[len(real) :], scores[: len(real)], alternative="greater")
    return {name: report[name] for name in names} | {"p_value": float(test.pvalue)}
