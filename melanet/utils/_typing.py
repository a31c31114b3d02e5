"""Type aliases that several modules use."""

import os
from collections.abc import Callable

import numpy as np

PathLike = str | os.PathLike[str]

# ``augment(images, rng) -> images`` on (n, height, width, channels) in [-1, 1].
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]

# A seed as scikit-learn's check_random_state accepts it.
RandomState = int | np.random.RandomState | None
