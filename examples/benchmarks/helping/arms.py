"""The arms: ways of making a training set out of an imbalanced one.

Every arm starts from the same draw and is trained for the same number of steps, once as it is and
once with the classifier's augmentation.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.utils.class_weight import compute_sample_weight

from helping import warps


@dataclass
class Synthetic:
    """Synthetic samples, and where they come from.

    Parameters
    ----------
    X : ndarray of shape (n, side, side, c), uint8
        Images.
    y : ndarray of shape (n,)
        Labels.
    sources : ndarray of int of shape (n,)
        Row of the draw's training images that each was made from.
    kinds : ndarray of str of shape (n,)
        "translation", or what else it is.
    facts : dict
        Cost in seconds, and what the oracle says.
    """

    X: np.ndarray
    y: np.ndarray
    sources: np.ndarray
    kinds: np.ndarray
    facts: dict = field(default_factory=dict)


def samplers(scale, variants=()):
    """Give the options of every GANOversampler, by name.

    Parameters
    ----------
    scale : helping.tasks.Scale
        Its budgets.
    variants : sequence of (str, dict)
        Further samplers.

    Returns
    -------
    dict
        name -> function of a task that returns the options.
    """

    def paper(task):
        options = {"preset": "paper", **scale.sampler}
        rarest = min(count for _, count in task.counts)
        epochs_are_dear = scale.paper_steps and 100 * rarest > scale.paper_steps
        # Several classes: the budget is one for all, and some are dear.
        if epochs_are_dear or (scale.paper_steps and len(task.counts) > 2):
            options["steps"] = scale.paper_steps
        return options

    def plain(task, options=None):
        return {**(options or {}), **scale.sampler}

    return {
        "paper": paper,
        "default": plain,
        **{name: (lambda task, o=options: plain(task, o)) for name, options in variants},
    }


def needs(y):
    """Return label -> number of samples that fill it up to the largest class."""
    counts = Counter(y.tolist())
    most = max(counts.values())
    return {label: most - n for label, n in sorted(counts.items()) if n < most}


def copied_rows(y, labels, rng):
    """Draw a real row of its class for every label asked for."""
    return np.array([rng.choice(np.flatnonzero(y == c)) for c in labels], int)


def _wanted(y):
    return np.concatenate([np.full(n, label) for label, n in needs(y).items()])


def _with(draw, X, y):
    return np.concatenate([draw.X, X]), np.concatenate([draw.y, y]), None


def nothing(draw, made, rng, flip):
    return draw.X, draw.y, None


def class_weights(draw, made, rng, flip):
    return draw.X, draw.y, compute_sample_weight("balanced", draw.y)


def random(draw, made, rng, flip):
    labels = _wanted(draw.y)
    return _with(draw, draw.X[copied_rows(draw.y, labels, rng)], labels)


def _augmented(draw, labels, rng, flip):
    rows = copied_rows(draw.y, labels, rng)
    return warps.augment(draw.X[rows], rng, flip=flip, noise=warps.NOISE)


def augmented_copies(draw, made, rng, flip):
    labels = _wanted(draw.y)
    return _with(draw, _augmented(draw, labels, rng, flip), labels)


def _smote(draw, rng):
    neighbours = min(5, min(Counter(draw.y.tolist()).values()) - 1)
    sampler = SMOTE(k_neighbors=neighbours, random_state=int(rng.integers(2**31)))
    X, y = sampler.fit_resample(draw.X.reshape(len(draw.X), -1).astype("float32"), draw.y)
    X = np.rint(X[len(draw.X) :].reshape(-1, *draw.X.shape[1:])).astype(np.uint8)
    return X, y[len(draw.X) :]


def smote(draw, made, rng, flip):
    return _with(draw, *_smote(draw, rng))


def translations(draw, made, rng, flip):
    return _with(draw, made.X, made.y)


def half_copies(draw, made, rng, flip):
    X, half = made.X.copy(), rng.random(len(made.X)) < 0.5
    X[half] = _augmented(draw, made.y[half], rng, flip)
    return _with(draw, X, made.y)


def half_smote(draw, made, rng, flip):
    interpolated, labels = _smote(draw, rng)
    X = made.X.copy()
    for c in np.unique(made.y):
        own = np.flatnonzero(made.y == c)
        half = rng.permutation(own)[: len(own) // 2]
        X[half] = rng.permutation(interpolated[labels == c])[: len(half)]
    return _with(draw, X, made.y)


def without_translations(draw, made, rng, flip):
    X, translated = made.X.copy(), np.flatnonzero(made.kinds == "translation")
    copies = draw.X[copied_rows(draw.y, made.y[translated], rng)]
    # As the default makes its own copies: every second one is changed.
    copies[1::2] = warps.augment(copies[1::2], rng, flip=flip)
    X[translated] = copies
    return _with(draw, X, made.y)


@dataclass(frozen=True)
class Arm:
    """A way of making a training set.

    Parameters
    ----------
    make : callable
        ``make(draw, synthetic or None, rng, flip) -> X, y, weights``.
    sampler : str or None
        Whose synthetic samples it uses.
    keeps : float
        Share of the sampler's translations that stay in its training set.
    version : int
        Raised when its code changes what it makes: old results of it are then left out.
    """

    make: object
    sampler: str | None = None
    keeps: float = 1.0
    version: int = 1


REFERENCE = "random"
# Raised when melanet's code changes what a sampler makes and its recipe stays: the recipe is part
# of a result's key, the code is not.
VERSIONS = {"default": 2, "paper": 1}
ARMS = {
    "nothing": Arm(nothing),
    "class weights": Arm(class_weights),
    REFERENCE: Arm(random),
    "random, augmented copies": Arm(augmented_copies),
    "SMOTE": Arm(smote),
    "paper": Arm(translations, "paper"),
    "default": Arm(translations, "default"),
    "default, half copies": Arm(half_copies, "default", 0.5),
    "default, half SMOTE": Arm(half_smote, "default", 0.5),
    "default, no translations": Arm(without_translations, "default", 0.0, version=2),
}
