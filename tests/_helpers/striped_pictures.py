"""Images that a small MelaNet learns quickly, and such a MelaNet."""

import numpy as np

from melanet import MelaNet


def small(**params):
    defaults = {"backbone": "small", "input_size": 16, "epochs": 2, "random_state": 0}
    return MelaNet(**{**defaults, **params})


def pictures(n=48, size=16, channels=3, n_classes=2, seed=0):
    """Return noise with a bright stripe whose position depends on the class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.integers(0, 120, (n, size, size, channels), dtype="uint8")
    for image, label in zip(X, y):
        at = 1 + label * size // n_classes
        image[:, at : at + size // 4] = 250
    return X, y
