"""What is refused before anything is made of it, in errors that say what to do."""

import numpy as np
from scipy import sparse


def as_numbers(X):
    """Return X as an array, or the DataFrame or sparse matrix it is; refuse what has no numbers."""
    if sparse.issparse(X) or (hasattr(X, "iloc") and X.ndim == 2):
        return X
    try:
        X = np.asarray(X)
    except ValueError:  # NumPy's word for ragged
        X = np.fromiter(X, dtype=object)
    if X.dtype == object and X.ndim == 1 and len(X):
        shapes = {_shape(x) for x in X}
        if len(shapes) > 1 or None in shapes:
            raise ValueError(
                "X must be one array of samples of one shape; these are ragged. Received: samples "
                f"of shapes such as {sorted(shapes, key=str)[:3]}. Resize or crop images to one "
                "size first"
            )
        X = np.stack(X)
    if X.dtype.kind in "USMm":
        raise ValueError(
            f"X must be numeric. Received: dtype {X.dtype}. Convert it, for instance by "
            "X.astype(float)"
        )
    return X


def _shape(x):
    try:
        return np.shape(x)
    except ValueError:  # ragged inside
        return None


def plain(label):
    """Return a NumPy scalar as Python's own value."""
    return label.item() if isinstance(label, np.generic) else label


def check_needs(needs, counts, pretrained):
    """Return label -> whole number of samples to make; the classes must be learnable."""
    for label, n in needs.items():
        if n != int(n):
            raise ValueError(
                "sampling_strategy must ask for whole numbers of samples. "
                f"Received: {n} more of class {plain(label)!r}"
            )
        if counts[plain(label)] < 2 and label not in pretrained:
            raise ValueError(
                f"Class {plain(label)!r} has 1 sample; at least 2 are needed to learn what the "
                "class looks like. Collect more, or leave it out by sampling_strategy"
            )
    return {label: int(n) for label, n in needs.items()}


def refuse_channels_first(shape, remedy):
    """Raise if (H, W, C) looks like (C, H, W); say how to mend it."""
    if shape[0] in (1, 3, 4) and shape[2] not in (1, 2, 3, 4):
        raise ValueError(
            f"X looks channels-first: its images are {shape}. Move the channels last, for "
            f"instance by {remedy}"
        )


def check_image_shape(image_shape):
    """Return image_shape as (H, W, C)."""
    try:
        sizes = tuple(int(n) for n in image_shape)
        whole = all(a == b and a > 0 for a, b in zip(sizes, image_shape))
    except (TypeError, ValueError):
        sizes, whole = (), False
    if not whole or len(sizes) not in (2, 3):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels), positive "
            f"integers. Received: image_shape={image_shape!r}"
        )
    return sizes if len(sizes) == 3 else (*sizes, 1)


def check_value_range(value_range):
    """Return value_range as (low, high), two floats."""
    try:
        low, high = (float(v) for v in value_range)
        valid = np.isfinite(low) and np.isfinite(high) and low < high
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "value_range must be (low, high), two finite numbers with low < high. "
            f"Received: value_range={value_range!r}"
        )
    return low, high
