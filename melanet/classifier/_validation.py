"""What MelaNet checks before it trains: each function returns what it checked, ready for use."""

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets


def check_labels(y):
    """Return the classes and each sample's class as a code; two classes, two samples in each."""
    check_classification_targets(y)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"y must hold two classes or more. Received: one class, {classes.tolist()[0]!r}"
        )
    if counts.min() < 2:
        raise ValueError(
            "Each class in y needs 2 samples or more, as part of each is held out for validation. "
            f"Received: 1 sample of {classes.tolist()[counts.argmin()]!r}. Collect more, or fill "
            "the class up with GANOversampler or copies"
        )
    return classes, codes


def encode_labels(y, classes, n):
    """Return the codes of validation labels, among which no class is missing or unknown."""
    y = column_or_1d(y, warn=True)
    if len(y) != n:
        raise ValueError(
            "validation_data must be (X, y) of one length. "
            f"Received: {n} samples and {len(y)} labels"
        )
    found = set(y.tolist())
    if found != set(classes.tolist()):
        raise ValueError(
            "validation_data must hold the classes that y holds, all of them. Received: "
            f"{sorted(found, key=str)} for {classes.tolist()}"
        )
    return np.searchsorted(classes, y)


def check_validation_data(validation_data):
    """Return X and y of an explicit validation set."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise ValueError(
            f"validation_data must be a pair (X, y). Received: {type(validation_data).__name__}"
            + (f" of length {len(validation_data)}" if hasattr(validation_data, "__len__") else "")
        )
    return validation_data


def check_groups(groups, n):
    """Return groups as an array with one entry for each sample, or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(
            f"groups must have one entry for each sample, shape ({n},). "
            f"Received: shape {groups.shape}"
        )
    return groups


def refuse_groups(groups):
    """Refuse groups beside an explicit validation set."""
    if groups is not None:
        raise ValueError(
            "groups tell how to divide X for validation; with validation_data nothing is "
            "divided. Received: both. Leave one out"
        )


def check_alpha(alpha, n_classes):
    """Return the focal loss's alpha, as a list if it is a sequence."""
    if np.ndim(alpha) == 0:
        return alpha
    if np.shape(alpha) != (n_classes,):
        raise ValueError(
            f"alpha as a sequence must hold one weight for each of the {n_classes} classes, in "
            f"the order of the sorted labels. Received: alpha={alpha!r}"
        )
    return np.asarray(alpha).tolist()


def check_input_size(size):
    """Return height and width as a pair."""
    sizes = (size, size) if np.ndim(size) == 0 else tuple(size)
    if len(sizes) != 2 or any(n != int(n) or n < 8 for n in sizes):
        raise ValueError(
            "input_size must be an integer of at least 8, or (height, width). "
            f"Received: input_size={size!r}"
        )
    return tuple(int(n) for n in sizes)
