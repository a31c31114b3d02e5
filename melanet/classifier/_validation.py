"""Input validation for MelaNet.fit; each function returns the checked value, ready for use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from melanet.images import check_size
from melanet.utils._labels import check_spelling, match_labels
from melanet.utils._validation import check_unmasked

_MIN_INPUT = 8  # pixels


def check_labels(y: ArrayLike) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return classes and codes of at least two classes with at least two samples each."""
    check_spelling("y", np.ravel(y))
    check_classification_targets(y)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"y must hold two classes or more. Received: one class, {classes.tolist()[0]!r}"
        )
    if counts.min() < 2:
        raise ValueError(
            "Each class in y needs 2 samples or more, because part of each is held out for "
            f"validation. Received: 1 sample of {classes.tolist()[counts.argmin()]!r}. Collect "
            "more, or fill the class up with GANOversampler or copies"
        )
    return classes, codes


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Return a finite weight of 0 or more for each sample, or None."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
    if weights.shape != (n,) or weights.dtype.kind not in "iufb":
        raise ValueError(
            f"sample_weight must hold a number for each sample, shape ({n},). "
            f"Received: shape {weights.shape}, dtype {weights.dtype}"
        )
    weights = weights.astype("float64")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
        raise ValueError(
            "sample_weight must hold finite weights of 0 or more, not all of them zero. "
            f"Received: {weights.min():g} to {weights.max():g}"
        )
    return weights


def encode_labels(y: ArrayLike, classes: NDArray[Any], n: int) -> NDArray[np.intp]:
    """Return the codes of validation labels, which must name every class and no other."""
    labels = column_or_1d(y, warn=True)
    if len(labels) != n:
        raise ValueError(
            "validation_data must be (X, y) of one length. "
            f"Received: {n} samples and {len(labels)} labels"
        )
    codes = match_labels("The labels of validation_data", labels, "classes of y", classes)
    if len(np.unique(codes)) < len(classes):
        raise ValueError(
            "validation_data must hold every class of y. Received: "
            f"{np.unique(labels).tolist()} for {classes.tolist()}"
        )
    return codes


def check_validation_data(validation_data: Any) -> tuple[Any, Any]:
    """Return X and y of an explicit validation set."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise ValueError(
            f"validation_data must be a pair (X, y). Received: {type(validation_data).__name__}"
            + (f" of length {len(validation_data)}" if hasattr(validation_data, "__len__") else "")
        )
    X, y = validation_data
    check_unmasked("the y of validation_data", y)
    return X, y


def refuse_groups(groups: ArrayLike | None) -> None:
    """Raise if groups are given beside an explicit validation set."""
    if groups is not None:
        raise ValueError(
            "groups control how X is split for validation; with validation_data X is not split. "
            "Received: both. Leave one out"
        )


def check_alpha(alpha: float | ArrayLike, n_classes: int) -> float | list[float]:
    """Return the focal loss's alpha; a sequence becomes a list."""
    if np.ndim(alpha) == 0:
        return alpha  # type: ignore[return-value]  # a scalar by its ndim
    if np.shape(alpha) != (n_classes,):
        raise ValueError(
            f"alpha as a sequence must hold one weight for each of the {n_classes} classes, in "
            f"the order of the sorted labels. Received: alpha={alpha!r}"
        )
    return np.asarray(alpha).tolist()


def check_input_size(input_size: int | Sequence[int]) -> tuple[int, int]:
    """Return (height, width) of at least 8 pixels each."""
    return check_size(input_size, name="input_size", least=_MIN_INPUT)
