"""What `quality_report` compares: checked samples, their features, and the votes of a judge."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from melanet.metrics._patch_features import PatchFeatures
from melanet.preprocessing._forms import read_form
from melanet.preprocessing._validation import as_numbers
from melanet.utils._validation import to_python

_SIDE = 64  # larger images are compared at this size


@dataclass
class Samples:
    """Real and synthetic samples in one form.

    Parameters
    ----------
    kind : {"images", "table"}
        What they are.
    real, synthetic : ndarray of shape (n, H, W, C), float32, or (n, n_columns), float64
        Images in [-1, 1]; columns of mean 0 and sd 1 on the real rows. Of the synthetic samples
        only the finite ones.
    raw_real, raw_synthetic : ndarray
        The same samples as the user holds them.
    kept : ndarray of int
        Rows of the user's synthetic samples that are finite.
    n_given : int
        Synthetic samples, finite or not.
    """

    kind: str
    real: np.ndarray
    synthetic: np.ndarray
    raw_real: np.ndarray
    raw_synthetic: np.ndarray
    kept: np.ndarray
    n_given: int

    @classmethod
    def read(cls, X, X_synthetic, image_shape, value_range):
        """Check both arrays and bring them into one form; ValueError says what is wrong."""
        X, X_synthetic = _array("X", X), _array("X_synthetic", X_synthetic)
        if X.shape[1:] != X_synthetic.shape[1:]:
            raise ValueError(
                "X and X_synthetic must hold samples of one shape. "
                f"Received: shapes {X.shape} and {X_synthetic.shape}"
            )
        finite = _finite(X)
        if not finite.all():
            raise ValueError(
                f"X must be finite. Received: {(~finite).sum()} of {len(X)} samples with NaN or "
                "infinite values. Drop or mend them; of X_synthetic they are counted"
            )
        form = read_form(X, image_shape, value_range)
        kept = np.flatnonzero(_finite(X_synthetic))
        chosen = X_synthetic[kept]
        if form.kind == "table":
            real, made = (x.astype("float64") for x in (X, chosen))
            offset, scale = real.mean(axis=0), _scale(real.std(axis=0))
            real, made = (real - offset) / scale, (made - offset) / scale
        else:
            real = form.encode(X)
            try:
                made = form.encode(chosen)
            except ValueError as error:
                raise ValueError(f"X_synthetic is not in the form of X: {error}") from error
        return cls(form.kind, real, made, X, chosen, kept, len(X_synthetic))

    def flat(self):
        """Return both sets as rows of pixels, or of columns; large images reduced."""
        real, made = self._small()
        real = real.reshape(len(real), -1).astype("float64")
        return real, made.reshape(len(made), real.shape[1]).astype("float64")

    def features(self, features, seed):
        """Return both sets' features, of mean 0 and mean square 1 over the real samples."""
        if features is None:
            return self.builtin(seed)
        if isinstance(features, str) and features == "pixels":
            real, made = self.flat()
        elif callable(features):
            real, made = (self._called(features, x) for x in (self.raw_real, self.raw_synthetic))
            if not len(made):
                made = made.reshape(0, real.shape[1])
        else:
            raise ValueError(
                'features must be None, "pixels", or a callable that takes samples and returns '
                f"an array of shape (n, d). Received: features={features!r}"
            )
        offset = real.mean(axis=0)
        # One scale for all columns keeps the distances that the user's features mean.
        scale = float(_scale(np.sqrt(np.mean(real.var(axis=0)))))
        return (real - offset) / scale, (made - offset) / scale

    def builtin(self, seed):
        """Return the columns of a table, or what `PatchFeatures` makes of images."""
        if self.kind == "table":
            return self.real, self.synthetic
        if not hasattr(self, "_builtin"):
            real, made = self._small()
            network = PatchFeatures(seed=seed).fit(real)
            empty = np.zeros((0, len(network._offset)))
            self._builtin = network.transform(real), network.transform(made) if len(made) else empty
        return self._builtin

    def _small(self):
        large = self.kind == "images" and min(self.real.shape[1:3]) > _SIDE
        if not large:
            return self.real, self.synthetic
        from melanet.images._transform import resize

        return tuple(resize(x, (_SIDE, _SIDE)) for x in (self.real, self.synthetic))

    def _called(self, features, X):
        if not len(X):
            return np.zeros((0, 1))
        values = np.asarray(features(X), "float64")
        if values.ndim != 2 or len(values) != len(X) or not np.isfinite(values).all():
            raise ValueError(
                "features must return finite numbers of shape (n, d), a row for each sample. "
                f"Received: shape {values.shape} for {len(X)} samples"
                + ("" if np.isfinite(values).all() else ", some not finite")
            )
        return values


def _array(name, X):
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
                f"{name} must be numeric. Received: values that are no numbers. Encode "
                "categorical columns first, for instance by sklearn's OrdinalEncoder"
            ) from error
    if X.ndim < 2 or not len(X):
        raise ValueError(
            f"{name} must hold at least one sample, and one row or image for each. "
            f"Received: shape {X.shape}"
        )
    return X


def _finite(X):
    return np.isfinite(X).reshape(len(X), -1).all(axis=1)


def _scale(spread):
    """Return spreads to divide by: what does not vary keeps its own unit."""
    return np.where(spread > 0, spread, 1.0)


def read_labels(name, y, n):
    """Return labels as an array of shape (n,)."""
    y = np.asarray(y)
    if y.shape != (n,):
        raise ValueError(
            f"{name} must hold one label for each sample, shape ({n},). Received: shape {y.shape}"
        )
    return y


def read_codes(y, y_synthetic):
    """Return the real samples' classes, and both sets' labels as codes into them."""
    classes, codes = np.unique(y, return_inverse=True)
    unknown = set(y_synthetic.tolist()) - set(classes.tolist())
    if unknown:
        raise ValueError(
            "y_synthetic must hold classes of y. Received: "
            f"{sorted(unknown, key=str)[:5]}, not among {classes.tolist()[:10]}"
        )
    made_codes = np.searchsorted(classes, y_synthetic.astype(classes.dtype))
    for code in np.unique(made_codes):
        if (codes == code).sum() < 2:
            raise ValueError(
                f"Class {to_python(classes[code])!r} has 1 real sample; at least 2 are needed to "
                "compare with. Collect more, or leave its synthetic samples out"
            )
    return classes, codes, made_codes


def read_sources(source_indices, n_synthetic, n_real):
    """Return source_indices as an array of whole numbers, or None."""
    if source_indices is None:
        return None
    rows = np.asarray(source_indices)
    if rows.shape != (n_synthetic,) or rows.dtype.kind not in "iu":
        raise ValueError(
            "source_indices must hold a row of X for each synthetic sample, whole numbers of "
            f"shape ({n_synthetic},), such as GANOversampler's source_indices_. "
            f"Received: shape {rows.shape}, dtype {rows.dtype}"
        )
    if n_synthetic and not (rows.min() >= 0 and rows.max() < n_real):
        raise ValueError(
            f"source_indices must be rows of X, 0 to {n_real - 1}. "
            f"Received: {rows.min()} to {rows.max()}"
        )
    return rows


def make_classifier(kind, seed):
    """Return the classifier that judges, and that tells synthetic samples from real ones."""
    if kind == "table":
        return RandomForestClassifier(
            50, min_samples_leaf=3, class_weight="balanced_subsample", random_state=seed
        )
    return LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)


def cross_fit(kind, real, codes, synthetic, synthetic_codes, sources, n_folds, seed):
    """Have every sample judged by a classifier that has not seen it, nor its source.

    Parameters
    ----------
    kind : {"images", "table"}
        Of samples.
    real, synthetic : ndarray of shape (n, d)
        Features.
    codes, synthetic_codes : ndarray of int
        Their classes.
    sources : ndarray of int or None
        Row of `real` that each synthetic sample was made from. Without it all the classifiers
        vote on each.
    n_folds : int
        Classifiers; each is trained on the real samples outside its fold.
    seed : int
        Seed of the folds.

    Returns
    -------
    real_accepted, accepted : ndarray of float
        Share of the votes on each sample that are for its class: 0 or 1 where a single
        classifier votes. NaN if there is but one class, or none with two samples.
    """
    counts = np.bincount(codes)
    n_folds = min(n_folds, int(counts.max()))
    real_accepted = np.full(len(real), math.nan)
    accepted = np.full((n_folds, len(synthetic)), math.nan)
    if len(counts) < 2 or n_folds < 2:
        return real_accepted, np.full(len(synthetic), math.nan)
    fold_of = np.empty(len(real), int)
    # Stratified by hand: scikit-learn warns of classes with fewer samples than folds.
    rng = np.random.default_rng(seed)
    for code in range(len(counts)):
        rows = rng.permutation(np.flatnonzero(codes == code))
        fold_of[rows] = (np.arange(len(rows)) + rng.integers(n_folds)) % n_folds
    for fold in range(n_folds):
        training, held_out = fold_of != fold, np.flatnonzero(fold_of == fold)
        if len(np.unique(codes[training])) < 2:
            continue
        judge = make_classifier(kind, seed).fit(real[training], codes[training])
        if len(held_out):
            real_accepted[held_out] = judge.predict(real[held_out]) == codes[held_out]
        voters = np.ones(len(synthetic), bool) if sources is None else fold_of[sources] == fold
        if voters.any():
            votes = judge.predict(synthetic[voters]) == synthetic_codes[voters]
            accepted[fold, voters] = votes
    n_votes = (~np.isnan(accepted)).sum(axis=0)
    votes = np.nansum(accepted, axis=0)
    return real_accepted, np.where(n_votes > 0, votes / np.maximum(n_votes, 1), math.nan)
