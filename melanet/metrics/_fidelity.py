"""Measures of the difference between real and synthetic samples, from features or pixels."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import check_random_state

from melanet.metrics._distances import CHUNK, check_pair
from melanet.metrics._screening import screening_report
from melanet.utils._typing import RandomState
from melanet.utils._validation import check_integer

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin


def kernel_inception_distance(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    subset_size: int = 100,
    n_subsets: int = 50,
    random_state: RandomState = None,
) -> tuple[float, float]:
    """Return the kernel inception distance between two sets.

    This is an unbiased estimate of the squared maximum mean discrepancy under the kernel
    (x . y / d + 1)^3 [1]_. For two sets of one distribution it is 0 on average, and negative
    about as often as positive.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Finite features, on a scale of about 1.
    subset_size : int, default=100
        Number of samples of each set in a subset, at most the size of the smaller set. The
        authors use 1000, more than rare classes have.
    n_subsets : int, default=50
        Number of subsets, each drawn without replacement. If a subset would hold all samples,
        there is only one.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    mean, sd : float
        Mean and standard deviation over the subsets. Both are NaN if a set has fewer than two
        samples; sd is NaN if there is only one subset. The sd reflects the choice of subsets, not
        the choice of real samples: every subset of a small class holds the same ones.

    Raises
    ------
    ValueError
        If the arrays are not finite, or have different numbers of columns, or a number is too
        small.

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
    x, y = check_pair(real, synthetic)
    check_integer("subset_size", subset_size, 2)
    check_integer("n_subsets", n_subsets, 1)
    size = min(subset_size, len(x), len(y))
    if size < 2:
        return math.nan, math.nan
    if size == len(x) == len(y):
        return _unbiased_mmd(x, y), math.nan
    rng = check_random_state(random_state)
    values = [
        _unbiased_mmd(*(part[rng.choice(len(part), size, replace=False)] for part in (x, y)))
        for _ in range(n_subsets)
    ]
    return float(np.mean(values)), float(np.std(values, ddof=1)) if n_subsets > 1 else math.nan


def _unbiased_mmd(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    def kernel(a, b):
        base = a @ b.T / a.shape[1] + 1
        return base * base * base  # far quicker than a power

    def mean_of_pairs(a):  # excludes the pairs of a sample with itself
        matrix = kernel(a, a)
        return (matrix.sum() - np.trace(matrix)) / (len(a) * (len(a) - 1))

    return float(mean_of_pairs(x) + mean_of_pairs(y) - 2 * kernel(x, y).mean())


def manifold_scores(real: ArrayLike, synthetic: ArrayLike, *, k: int = 5) -> dict[str, float]:
    """Return precision, recall, density and coverage.

    All four use balls that reach from a sample to its k-th nearest neighbour in its own set.
    Precision [1]_ is the share of synthetic samples inside a real ball, recall the share of real
    samples inside a synthetic ball. Density [2]_ is the mean number of real balls around a
    synthetic sample, divided by k; coverage is the share of real balls that contain a synthetic
    sample.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Finite features.
    k : int, default=5
        Number of neighbours, as in [2]_; [1]_ uses 3. For a set of n samples it is limited to
        (n - 1) / 2, rounded down, and at least one, since a ball that contains most of the set
        is not a neighbourhood.

    Returns
    -------
    dict
        ``precision``, ``recall``, ``coverage`` in [0, 1], ``density`` >= 0, and
        ``coverage_expected``, the mean coverage of two sets of one distribution (their mean
        density is 1). NaN where a set has too few samples.

    Raises
    ------
    ValueError
        If the arrays are not finite, or have different numbers of columns, or `k` is less than
        one.

    Notes
    -----
    With n real and m synthetic samples of one distribution, a real ball is empty if the k
    samples nearest to its centre are all real. The probability is the product of
    (n - j) / (n + m - j) for j = 1..k.

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
    x, y = check_pair(real, synthetic)
    check_integer("k", k, 1)
    n, m = len(x), len(y)
    scores = dict.fromkeys(("precision", "recall", "density", "coverage"), math.nan)
    scores["coverage_expected"] = math.nan
    if n >= 2 and m:
        k_real = max(1, min(k, (n - 1) // 2))
        radii = _radii(x, k_real)
        covered, holders = [], np.zeros(m, int)  # real balls that hold some; balls of each
        for rows, near in _distances(x, y):
            inside = near <= radii[rows, None]
            covered.append(inside.any(axis=1))
            holders += inside.sum(axis=0)
        steps = np.arange(1, k_real + 1)
        scores["precision"] = float((holders > 0).mean())
        scores["density"] = float(holders.sum() / (k_real * m))
        scores["coverage"] = float(np.concatenate(covered).mean())
        scores["coverage_expected"] = float(1 - np.prod((n - steps) / (n + m - steps)))
    if m >= 2 and n:
        radii = _radii(y, max(1, min(k, (m - 1) // 2)))
        scores["recall"] = float(
            np.concatenate([(near <= radii).any(axis=1) for _, near in _distances(x, y)]).mean()
        )
    return scores


def _radii(points: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    # Index 0 is the distance to the point itself.
    parts = [np.partition(near, k, axis=1)[:, k] for _, near in _distances(points, points)]
    return np.concatenate(parts)


def _distances(x, y):
    """Yield slices of x, and the distances of their points from those of y."""
    step = max(1, CHUNK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield rows, cdist(x[rows], y)


def two_sample_test(
    real: ArrayLike,
    synthetic: ArrayLike,
    *,
    classifier: "ClassifierMixin | None" = None,
    random_state: RandomState = None,
) -> dict[str, float]:
    """Test whether a classifier can tell synthetic samples from real ones [1]_.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, d)
        Finite features.
    classifier : scikit-learn classifier or None, default=None
        Classifier with ``predict_proba``; it is cloned. None uses a logistic regression with
        balanced class weights.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Returns
    -------
    dict
        ``auc`` from cross-validation with up to five folds, ``auc_low`` and ``auc_high``
        (DeLong's 95 % interval, NaN for perfect separation), ``balanced_accuracy``, and
        ``p_value`` of the rank-sum test against an AUC of one half or less. NaN if a set has
        fewer than two samples. An AUC well below one half points to copies: a held-out sample
        has a twin with the opposite label among the training samples.

    Raises
    ------
    ValueError
        If the arrays are not finite, or have different numbers of columns.

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
    x, y = check_pair(real, synthetic)
    names = ("auc", "auc_low", "auc_high", "balanced_accuracy")
    n_folds = min(5, len(x), len(y))
    if n_folds < 2:
        return dict.fromkeys((*names, "p_value"), math.nan)
    if classifier is None:
        classifier = LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    X = np.concatenate([x, y])
    is_synthetic = np.repeat([0, 1], [len(x), len(y)])
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(classifier, X, is_synthetic, cv=folds, method="predict_proba")[:, 1]
    report = screening_report(is_synthetic, scores)
    test = mannwhitneyu(scores[len(x) :], scores[: len(x)], alternative="greater")
    return {name: report[name] for name in names} | {"p_value": float(test.pvalue)}
