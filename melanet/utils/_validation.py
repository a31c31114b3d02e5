"""Checks of single values."""

from numbers import Integral

import numpy as np


def check_integer(name, value, least):
    """Raise ValueError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(
            f"{name} must be a whole number of at least {least}. Received: {name}={value!r}"
        )


def to_python(label):
    """Return a NumPy scalar as Python's own value."""
    return label.item() if isinstance(label, np.generic) else label
