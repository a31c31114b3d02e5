"""Checked samples, labels and features for `quality_report`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from melanet.images._transform import downscale
from melanet.metrics._patch_features import PatchFeatures
from melanet.preprocessing import TableForm, as_numbers, read_form
from melanet.preprocessing._containers import align_columns
from melanet.utils._labels import check_spelling, match_labels
from melanet.utils._validation import check_unmasked, to_python

_TIMED = 16  # samples on which a user's features are timed

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]  # of the real and the synthetic samples


@dataclass
class SampleSets:
    """Real and synthetic samples in a common form.

    Parameters
    ----------
    kind : {"images", "table"}
        Kind of the samples.
    real, synthetic : ndarray of shape (n, H, W, C), float32, or (n, n_columns), float64
        Images in [-1, 1], or columns standardised on the real rows. Synthetic samples that are
        not finite are left out.
    raw_real, raw_synthetic : ndarray
        The same samples in the user's form.
    kept : ndarray of int
        Rows of the finite samples among the user's synthetic samples.
    n_given : int
        Number of the user's synthetic samples.
    """

    kind: str
    real: np.ndarray
    synthetic: np.ndarray
    raw_real: np.ndarray
    raw_synthetic: np.ndarray
    kept: NDArray[np.intp]
    n_given: int
    _builtin: Pair | None = field(default=None, init=False, repr=False)

    @classmethod
    def read(
        cls,
        X: ArrayLike,
        X_synthetic: ArrayLike,
        image_shape: Iterable[int] | None,
        value_range: Iterable[float] | None,
    ) -> "SampleSets":
        """Check both arrays and convert them to a common form, or raise ValueError."""
        X_synthetic = align_columns("X_synthetic", X_synthetic, X)
        X, X_synthetic = _to_array("X", X), _to_array("X_synthetic", X_synthetic)
        if X.shape[1:] != X_synthetic.shape[1:]:
            raise ValueError(
                "X and X_synthetic must hold samples of the same shape. "
                f"Received: shapes {X.shape} and {X_synthetic.shape}"
            )
        finite = _are_finite(X)
        if not finite.all():
            raise ValueError(
                f"X must be finite. Received: {(~finite).sum()} of {len(X)} samples with NaN or "
                "infinite values. Drop or impute them; in X_synthetic they are only counted"
            )
        form = read_form(X, image_shape, value_range)
        kept = np.flatnonzero(_are_finite(X_synthetic))
        finite_synthetic = X_synthetic[kept]
        if isinstance(form, TableForm):
            real, synthetic = (x.astype("float64") for x in (X, finite_synthetic))
            offset, spread = real.mean(axis=0), real.std(axis=0)
            spread[np.ptp(real, axis=0) == 0] = 0  # not a rounding error of the mean
            scale = _nonzero(spread)
            real, synthetic = (real - offset) / scale, (synthetic - offset) / scale
        else:
            real = form.encode(X)
            try:
                form.check(finite_synthetic)
                synthetic = form.encode(finite_synthetic)
            except ValueError as error:
                raise ValueError(f"X_synthetic must have the form of X: {error}") from error
        n_given = len(X_synthetic)
        return cls(form.kind, real, synthetic, X, finite_synthetic, kept, n_given)

    def flat(self) -> Pair:
        """Return both sets as rows of pixels (of reduced images, if they are large) or columns."""
        real, synthetic = self._reduced()
        real = real.reshape(len(real), -1).astype("float64")
        return real, synthetic.reshape(len(synthetic), real.shape[1]).astype("float64")

    def features(self, features: Any, seed: int) -> Pair:
        """Return the features of both sets, with mean 0 and mean square 1 on the real samples."""
        if features is None:
            return self.builtin(seed)
        if isinstance(features, str) and features == "pixels":
            real, synthetic = self.flat()
        elif callable(features):
            real = _call(features, self.raw_real)
            synthetic = np.zeros((0, real.shape[1]))
            if len(self.raw_synthetic):
                synthetic = _call(features, self.raw_synthetic)
        else:
            raise ValueError(
                'features must be None, "pixels", or a callable that takes samples and returns '
                f"an array of shape (n, d). Received: features={features!r}"
            )
        offset = real.mean(axis=0)
        # A common scale for all columns preserves the ratios of distances.
        scale = float(_nonzero(np.sqrt(np.mean(real.var(axis=0)))))
        return (real - offset) / scale, (synthetic - offset) / scale

    def seconds_per_sample(self, features: Callable[[np.ndarray], ArrayLike]) -> float:
        """Time a callable on a few samples, after a first call that may load or compile."""
        few = self.raw_real[:_TIMED]
        features(few)
        start = time.perf_counter()
        features(few)
        return (time.perf_counter() - start) / len(few)

    def builtin(self, seed: int) -> Pair:
        """Return the columns of tables, or the `PatchFeatures` of images."""
        if self.kind == "table":
            return self.real, self.synthetic
        if self._builtin is None:
            real, synthetic = self._reduced()
            network = PatchFeatures(seed=seed)
            features = network.fit_transform(real)
            empty = np.zeros((0, features.shape[1]))
            self._builtin = features, network.transform(synthetic) if len(synthetic) else empty
        return self._builtin

    def _reduced(self) -> tuple[np.ndarray, np.ndarray]:
        return downscale(self.real), downscale(self.synthetic)


def _call(features: Callable[[np.ndarray], ArrayLike], X: np.ndarray) -> NDArray[np.float64]:
    values = np.asarray(features(X), "float64")
    if values.ndim != 2 or len(values) != len(X) or not np.isfinite(values).all():
        raise ValueError(
            "features must return finite numbers of shape (n, d), one row per sample. "
            f"Received: shape {values.shape} for {len(X)} samples"
            + ("" if np.isfinite(values).all() else ", some not finite")
        )
    return values


def _to_array(name: str, X: Any) -> np.ndarray:
    try:
        X = as_numbers(X)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    X = X.toarray() if sparse.issparse(X) else np.asarray(X)
    if X.dtype == object:
        try:
            X = X.astype("float64")
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} must be numeric. Received: other values. Encode categorical columns "
                "first, for instance with sklearn's OrdinalEncoder"
            ) from error
    if X.ndim < 2 or not len(X):
        raise ValueError(
            f"{name} must hold at least one sample, as a row of a table or an image. "
            f"Received: shape {X.shape}"
        )
    return X


def _are_finite(X: np.ndarray) -> NDArray[np.bool_]:
    return np.isfinite(X).reshape(len(X), -1).all(axis=1)


def _nonzero(spread: Any) -> Any:
    """Replace zeros by ones, so that columns can be divided by their spread."""
    return np.where(spread > 0, spread, 1.0)


def check_labels(name: str, y: ArrayLike, n: int) -> np.ndarray:
    """Return labels as an array of shape (n,), or raise ValueError."""
    check_unmasked(name, y)
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(
            f"{name} must hold one label per sample, shape ({n},). Received: shape {y.shape}"
        )
    check_spelling(name, y)
    return y


def encode_labels(
    y: np.ndarray, y_synthetic: np.ndarray
) -> tuple[np.ndarray, NDArray[np.intp], NDArray[np.intp]]:
    """Return the classes of the real samples, and the labels of both sets as indices of them."""
    classes, codes = np.unique(y, return_inverse=True)
    synthetic_codes = match_labels("y_synthetic", y_synthetic, "classes of y", classes)
    for code in np.unique(synthetic_codes):
        if (codes == code).sum() < 2:
            raise ValueError(
                f"Class {to_python(classes[code])!r} has 1 real sample, but at least 2 are needed. "
                "Collect more, or leave out its synthetic samples"
            )
    return classes, codes, synthetic_codes


def check_sources(
    source_indices: ArrayLike | None, n_synthetic: int, n_real: int
) -> NDArray[np.intp] | None:
    """Return source_indices as an array of integers or None, or raise ValueError."""
    if source_indices is None:
        return None
    rows = np.asarray(source_indices)
    if rows.shape != (n_synthetic,) or rows.dtype.kind not in "iu":
        raise ValueError(
            "source_indices must hold a row of X for each synthetic sample, integers of "
            f"shape ({n_synthetic},), such as GANOversampler's source_indices_. "
            f"Received: shape {rows.shape}, dtype {rows.dtype}"
        )
    if n_synthetic and not (rows.min() >= 0 and rows.max() < n_real):
        raise ValueError(
            f"source_indices must be rows of X, 0 to {n_real - 1}. "
            f"Received: {rows.min()} to {rows.max()}"
        )
    return rows
