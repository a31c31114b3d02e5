"""A report on synthetic samples: like their class, new, various, recognised, or not."""

import math

import numpy as np
from sklearn.utils import check_random_state

from melanet.metrics import _quality_samples
from melanet.metrics._quality_measures import ClassComparison
from melanet.metrics._quality_rendering import report_text
from melanet.metrics._verdict import VERDICTS
from melanet.utils._validation import check_integer, to_python


class QualityReport:
    """What :func:`quality_report` returns: the measures, a verdict, text and pictures.

    Parameters
    ----------
    classes : dict
        label -> dict of the class's measures, see `quality_report`.
    pictures : dict or None, default=None
        label -> what the page of pictures shows of it; None for tables.

    Attributes
    ----------
    verdict : {"use", "use with care", "do not use"}
        The worst of the classes' verdicts.
    reasons : list of str
        Why, the worst first, each naming its class; empty for "use".
    """

    def __init__(self, classes, pictures=None):
        self.classes = classes
        self._pictures = pictures
        worst = max(VERDICTS.index(m["verdict"]) for m in classes.values())
        self.verdict = VERDICTS[worst]
        order = sorted(classes, key=lambda label: -VERDICTS.index(classes[label]["verdict"]))
        self.reasons = [
            f"class {label}: {reason}" for label in order for reason in classes[label]["reasons"]
        ]

    def __str__(self):
        return report_text(self)

    def __repr__(self):
        return f"<QualityReport: {self.verdict}; classes {list(self.classes)}>"

    def to_dict(self):
        """Give all of it as what JSON can hold.

        Returns
        -------
        dict
            Of lists, dicts, str, int and float, with None for NaN.
        """
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "classes": [{"label": label, **_jsonable(m)} for label, m in self.classes.items()],
        }

    def to_picture(self):
        """Draw some synthetic samples of each class between their sources and neighbours.

        For each class three rows (two without `source_indices`): sources, synthetic samples, and
        the nearest real sample of the class to each. A frame marks the samples that the
        classifier did not recognise. No basis for a diagnosis.

        Returns
        -------
        PIL.Image.Image

        Raises
        ------
        ValueError
            If the samples are no images.
        """
        if self._pictures is None:
            raise ValueError(
                "the samples must be images to be drawn. Received: rows of a table. If the rows "
                "are images, give quality_report their image_shape"
            )
        from melanet.metrics._quality_rendering import draw_page

        return draw_page(self, self._pictures)

    def picture(self, path):
        """Write `to_picture` to a file that is whole or not there.

        Parameters
        ----------
        path : str or path-like
            Its name, ending in ``.png`` or another format that Pillow writes.
        """
        from melanet.images._io import save_picture

        save_picture(np.asarray(self.to_picture()), path)


def quality_report(
    X,
    y,
    X_synthetic,
    y_synthetic,
    *,
    source_indices=None,
    features=None,
    image_shape=None,
    value_range=None,
    k=5,
    subset_size=100,
    n_subsets=50,
    n_folds=3,
    random_state=None,
    verbose=0,
):
    """Measure synthetic samples against the real ones, and say whether to use them.

    Parameters
    ----------
    X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_columns)
        Real training samples: images of integers or floats, or the rows of a numeric table.
    y : array-like of shape (n,)
        Their labels.
    X_synthetic : array-like of shape (m, ...)
        Synthetic samples in the form of X. Those that are not finite are counted and left out.
    y_synthetic : array-like of shape (m,)
        Their labels; each has at least two real samples.
    source_indices : array-like of int of shape (m,) or None, default=None
        Row of X that each was made from, such as ``GANOversampler.source_indices_``.
    features : None, "pixels" or callable, default=None
        What kernel inception distance, precision to coverage, two-sample test and diversity are
        measured on. None takes a small network trained on X without labels
        (`melanet.metrics.PatchFeatures`), and of tables the standardised columns.
        A callable takes samples as given here and returns an array (n, d): `MelaNet.embed`, say.
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C), if the rows of a two-dimensional X are images.
    value_range : (float, float) or None, default=None
        Limits that pixels can take, as for `GANOversampler`.
    k : int, default=5
        Neighbours, see `manifold_scores`.
    subset_size, n_subsets : int, default=100, 50
        See `kernel_inception_distance`.
    n_folds : int, default=3
        Classifiers that judge, each trained on the real samples outside its fold.
    random_state : int, RandomState instance or None, default=None
        Seed. The same seed gives the same report on one machine and thread count.
    verbose : int, default=0
        1 prints which class is at work.

    Returns
    -------
    report : QualityReport
        ``report.classes[label]`` holds, with NaN for what the data leave undefined:

        - ``n_real``, ``n_synthetic``, ``n_non_finite``; ``n_translations``, those whose source is
          of another class (None without sources)
        - ``success``: share accepted as the class; ``success_real``, the same of real samples
          that were held out; ``success_ratio``
        - ``kid``, ``kid_sd``; ``kid_others``, that of the other classes' real samples;
          ``kid_ratio``
        - ``precision``, ``recall``, ``density``, ``coverage``, ``coverage_expected``
        - ``two_sample``: dict, see `two_sample_test`
        - ``nearest``: median distance to the nearest real sample of the class over
          that between the real ones; ``copies``: share that are near or exact copies of those;
          ``copies_real``: share of real samples that have such a twin
        - ``copy_list``: a dict for each copy of any real sample: ``index`` into X_synthetic,
          ``row`` of X, ``exact``, ``same_class``
        - ``identity``: share of the translations that are near copies of their source;
          ``change``: their median distance from the source, over that of two real samples, one
          of each class
        - ``diversity``: see `diversity_ratio`; ``distinct``: share that are no near copy of an
          earlier synthetic sample
        - ``constant``, ``constant_real``: share of images of one value
        - ``verdict``, ``reasons``

    Raises
    ------
    ValueError
        If shapes, labels, sources or features do not fit, X is not finite, X_synthetic leaves
        the range of X, or a class has a single real sample.

    See Also
    --------
    melanet.metrics._verdict : The rule of the verdict, with its thresholds.

    Notes
    -----
    The judge of a class is a logistic regression on the built-in features (a random forest on a
    table's columns), never trained on synthetic samples. With `source_indices` each sample is
    judged by the classifier whose fold held its source out. Copies, sources and constants are
    compared by pixels (of images over 64 pixels, reduced), a table's by standardised columns.
    Nothing here shows that a classifier gains from the samples, and nothing is a basis for a
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
    samples = _quality_samples.Samples.read(X, X_synthetic, image_shape, value_range)
    n_real = len(samples.real)
    y = _quality_samples.read_labels("y", y, n_real)
    y_synthetic = _quality_samples.read_labels("y_synthetic", y_synthetic, samples.n_given)
    classes, codes, given_codes = _quality_samples.read_codes(y, y_synthetic)
    sources = _quality_samples.read_sources(source_indices, len(y_synthetic), n_real)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    if verbose:
        print(f"quality_report: features of {n_real} real and {len(samples.kept)} synthetic")
    comparison = ClassComparison(samples, codes, given_codes, sources, features, seed, n_folds)
    report, pictures = {}, {}
    for code in np.unique(given_codes):
        label = to_python(classes[code])
        if verbose:
            print(f"quality_report: class {label}")
        report[label] = comparison.measure(code, k, subset_size, n_subsets)
        if samples.kind == "images":
            pictures[label] = comparison.pictures(code)
    return QualityReport(report, pictures if samples.kind == "images" else None)


def _jsonable(value):
    if isinstance(value, dict):
        return {name: _jsonable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_jsonable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
