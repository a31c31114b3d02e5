"""Report on the quality of synthetic samples."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from sklearn.utils import check_random_state

from melanet.images import save_picture
from melanet.metrics._quality_measures import SetComparison
from melanet.metrics._quality_rendering import draw_page, format_report
from melanet.metrics._quality_samples import (
    SampleSets,
    check_labels,
    check_sources,
    encode_labels,
)
from melanet.metrics._verdict import VERDICTS
from melanet.utils._files import check_writable
from melanet.utils._typing import PathLike, RandomState
from melanet.utils._validation import check_integer, to_python


class QualityReport:
    """Measures of synthetic samples and a verdict, as returned by :func:`quality_report`.

    ``str(report)`` is a table of the measures.

    Parameters
    ----------
    classes : dict
        Label -> dict of the class's measures, see `quality_report`.
    pictures : dict or None, default=None
        Label -> images for the picture page; None for tables.

    Attributes
    ----------
    verdict : {"use", "use with care", "do not use"}
        The worst verdict of all classes.
    reasons : list of str
        Reasons with the names of their classes, the worst first; empty for "use".
    """

    def __init__(self, classes: dict[Any, dict[str, Any]], pictures: dict[Any, Any] | None = None):
        self.classes = classes
        self._pictures = pictures
        worst = max(VERDICTS.index(m["verdict"]) for m in classes.values())
        self.verdict = VERDICTS[worst]
        order = sorted(classes, key=lambda label: -VERDICTS.index(classes[label]["verdict"]))
        self.reasons = [
            f"class {label}: {reason}" for label in order for reason in classes[label]["reasons"]
        ]

    def __str__(self) -> str:
        return format_report(self)

    def __repr__(self) -> str:
        return f"<QualityReport: {self.verdict}; classes {list(self.classes)}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values.

        Returns
        -------
        dict
            Lists, dicts, str, int and float, with None for NaN.
        """
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "classes": [{"label": label, **_jsonable(m)} for label, m in self.classes.items()],
        }

    def to_picture(self) -> Image.Image:
        """Draw synthetic images of each class beside their sources and nearest real images.

        There are four rows per class (two without `source_indices`): sources, synthetic images,
        where the two differ (see `melanet.images.difference_map`), and the nearest real image of
        the class to each. A frame marks the images that the
        classifier did not recognise. The picture is no basis for a diagnosis.

        Returns
        -------
        PIL.Image.Image

        Raises
        ------
        ValueError
            If the samples are not images.
        """
        if self._pictures is None:
            raise ValueError(
                "the samples must be images to be drawn. Received: rows of a table. If the rows "
                "are images, pass image_shape to quality_report"
            )
        return draw_page(self, self._pictures)

    def picture(self, path: PathLike) -> None:
        """Write the picture of `to_picture` to a file atomically.

        Parameters
        ----------
        path : str or path-like
            Path with the suffix ``.png`` or another that Pillow writes.
        """
        check_writable(path)
        save_picture(np.asarray(self.to_picture()), path)


def quality_report(
    X: ArrayLike,
    y: ArrayLike,
    X_synthetic: ArrayLike,
    y_synthetic: ArrayLike,
    *,
    source_indices: ArrayLike | None = None,
    features: Any = None,
    image_shape: Iterable[int] | None = None,
    value_range: Iterable[float] | None = None,
    k: int = 5,
    subset_size: int = 100,
    n_subsets: int = 50,
    n_folds: int = 3,
    random_state: RandomState = None,
    verbose: int = 0,
) -> QualityReport:
    """Compare synthetic samples with real ones, and judge whether to use them.

    Parameters
    ----------
    X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_columns)
        Real training samples: images of integers or floats, or the rows of a numeric table.
    y : array-like of shape (n,)
        Labels of X.
    X_synthetic : array-like of shape (m, ...)
        Synthetic samples in the form of X. Samples that are not finite are counted and ignored.
    y_synthetic : array-like of shape (m,)
        Labels of X_synthetic; each must have at least two real samples.
    source_indices : array-like of int of shape (m,) or None, default=None
        Row of X that each synthetic sample was made from, such as
        ``GANOversampler.source_indices_``.
    features : None, "pixels" or callable, default=None
        Features for the kernel inception distance, precision to coverage, two-sample test and
        diversity. None uses a small network trained on X without labels
        (`melanet.metrics.PatchFeatures`), or the standardised columns of a table. A callable
        takes samples in the form of X and returns an array of shape (n, d), as `MelaNet.embed`
        does.
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C), if the rows of a two-dimensional X are images.
    value_range : (float, float) or None, default=None
        Smallest and largest possible pixel value, as for `GANOversampler`.
    k : int, default=5
        Number of neighbours, see `manifold_scores`.
    subset_size, n_subsets : int, default=100, 50
        Subsets, see `kernel_inception_distance`.
    n_folds : int, default=3
        Number of classifiers for the recognition, each trained on the real samples outside its
        fold.
    random_state : int, RandomState instance or None, default=None
        Seed. The same seed gives the same report on one machine and number of threads.
    verbose : int, default=0
        1 prints progress, and beforehand how long a callable `features` will take.

    Returns
    -------
    report : QualityReport
        ``report.classes[label]`` is a dict of measures; undefined ones are NaN.

        - ``n_real``, ``n_synthetic``, ``n_non_finite``: numbers of samples; ``n_translations``:
          number of synthetic samples whose source is of another class (None without sources)
        - ``success``: share of synthetic samples recognised as the class; ``success_real``: the
          same for held-out real samples; ``success_ratio``: their ratio
        - ``kid``, ``kid_sd``: kernel inception distance; ``kid_others``: that of the other
          classes' real samples; ``kid_ratio``: their ratio
        - ``precision``, ``recall``, ``density``, ``coverage``, ``coverage_expected``: see
          `manifold_scores`
        - ``two_sample``: dict, see `two_sample_test`
        - ``nearest``: median distance to the nearest real sample of the class, divided by that
          between real samples; ``copies``: share of near or exact copies of those;
          ``changed_copies``: share of others that were made from samples of the class (NaN without
          sources), as augmented copies are; ``copies_real``: share of real samples that have such
          a twin
        - ``copy_list``: a dict for each copy of any real sample, with ``index`` in X_synthetic,
          ``row`` of X, ``exact``, ``same_class``
        - ``identity``: share of translations that are near copies of their source; ``change``:
          median distance of translations from their source, divided by that of real samples of
          the two classes
        - ``evidence`` and the other measures of `class_evidence`, ``told`` and ``told_sources`` of
          `realism`, for ten or more translations of images into a class of as many
        - ``diversity``: see `diversity_ratio`; ``distinct``: share that are not near copies of an
          earlier synthetic sample
        - ``constant``, ``constant_real``: share of images with a single value
        - ``verdict``, ``reasons``: see `judge_class`

    Raises
    ------
    ValueError
        If shapes, labels, sources or features do not fit, X is not finite, X_synthetic exceeds
        the range of X, or a class has a single real sample.

    See Also
    --------
    judge_class : The rule of the verdict.

    Notes
    -----
    Samples are recognised by logistic regressions on the built-in features (random forests on
    the columns of a table), which are never trained on synthetic samples. With `source_indices`,
    each sample is judged by the classifier that has not seen its source. Copies, sources and
    constants are compared by pixels (images over 64 pixels are reduced) or standardised columns.
    The report does not show that a classifier gains from the samples, and is no basis for a
    diagnosis.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from melanet.metrics import quality_report
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> X = X.reshape(-1, 8, 8)
    >>> report = quality_report(
    ...     X[:200], y[:200], X[200:], y[200:], value_range=(0, 16), random_state=0
    ... )
    >>> report.verdict
    'use'
    """
    for name, value, least in (("k", k, 1), ("n_folds", n_folds, 2)):
        check_integer(name, value, least)
    samples = SampleSets.read(X, X_synthetic, image_shape, value_range)
    n_real, n_synthetic = len(samples.real), samples.n_given
    classes, codes, given_codes = encode_labels(
        check_labels("y", y, n_real), check_labels("y_synthetic", y_synthetic, n_synthetic)
    )
    sources = check_sources(source_indices, n_synthetic, n_real)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    if verbose:
        n_all = n_real + len(samples.kept)
        print(f"quality_report: features of {n_real} real and {len(samples.kept)} synthetic")
        if callable(features):
            seconds = samples.seconds_per_sample(features) * n_all
            print(f"quality_report: the features will take about {seconds:.0f} s")
    comparison = SetComparison(samples, codes, given_codes, sources, features, n_folds, seed)
    measures, pictures = {}, {}
    for code in np.unique(given_codes):
        label = to_python(classes[code])
        if verbose:
            print(f"quality_report: class {label}")
        measures[label] = comparison.measure(code, k, subset_size, n_subsets)
        if samples.kind == "images":
            pictures[label] = comparison.pictures(code)
    return QualityReport(measures, pictures if samples.kind == "images" else None)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _jsonable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_jsonable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
