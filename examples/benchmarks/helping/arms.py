"""The arms: ways to build a training set from an imbalanced one.

Every arm starts from the same draw. The classifier trains on it for the same number of steps, once
without and once with augmentation.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.utils.class_weight import compute_sample_weight

from helping import warps


@dataclass
class Synthetic:
    """Synthetic samples and their provenance.

    Parameters
    ----------
    X : ndarray of shape (n, side, side, c), uint8
        Images.
    y : ndarray of shape (n,)
        Labels.
    sources : ndarray of int of shape (n,)
        Row of the training image that each was made from.
    kinds : ndarray of str of shape (n,)
        "translation" or "copy".
    facts : dict
        Cost in seconds, and the figures of the oracle.
    """

    X: np.ndarray
    y: np.ndarray
    sources: np.ndarray
    kinds: np.ndarray
    facts: dict = field(default_factory=dict)


def samplers(scale, variants=()):
    """Return the options of every GANOversampler, by name.

    Parameters
    ----------
    scale : helping.tasks.Scale
        Budgets.
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
        epochs_cost_more = scale.paper_steps and 100 * rarest > scale.paper_steps
        # With several classes, all of them get the same budget.
        if epochs_cost_more or (scale.paper_steps and len(task.counts) > 2):
            options["steps"] = scale.paper_steps
        return options

    def plain(task, options=None):
        return {**(options or {}), **scale.sampler}

    return {
        "paper": paper,
        "default": plain,
        **{name: (lambda task, o=options: plain(task, o)) for name, options in variants},
    }


def missing_counts(y):
    """Return label -> number of samples missing to the size of the largest class."""
    counts = Counter(y.tolist())
    most = max(counts.values())
    return {label: most - n for label, n in sorted(counts.items()) if n < most}


def missing_labels(y):
    """Return the labels of all samples that balance the classes."""
    return np.concatenate([np.full(n, label) for label, n in missing_counts(y).items()])


def draw_rows(y, labels, rng):
    """Draw a row of the class of each label."""
    return np.array([rng.choice(np.flatnonzero(y == c)) for c in labels], int)


def _append(draw, X, y):
    return np.concatenate([draw.X, X]), np.concatenate([draw.y, y]), None


def nothing(draw, synthetic, rng, flip):
    return draw.X, draw.y, None


def class_weights(draw, synthetic, rng, flip):
    return draw.X, draw.y, compute_sample_weight("balanced", draw.y)


def random(draw, synthetic, rng, flip):
    labels = missing_labels(draw.y)
    return _append(draw, draw.X[draw_rows(draw.y, labels, rng)], labels)


def _augmented(draw, labels, rng, flip):
    rows = draw_rows(draw.y, labels, rng)
    return warps.augment(draw.X[rows], rng, flip=flip, noise=warps.NOISE)


def augmented_copies(draw, synthetic, rng, flip):
    labels = missing_labels(draw.y)
    return _append(draw, _augmented(draw, labels, rng, flip), labels)


def _smote(draw, rng):
    neighbours = min(5, min(Counter(draw.y.tolist()).values()) - 1)
    sampler = SMOTE(k_neighbors=neighbours, random_state=int(rng.integers(2**31)))
    X, y = sampler.fit_resample(draw.X.reshape(len(draw.X), -1).astype("float32"), draw.y)
    X = np.rint(X[len(draw.X) :].reshape(-1, *draw.X.shape[1:])).astype(np.uint8)
    return X, y[len(draw.X) :]


def smote(draw, synthetic, rng, flip):
    return _append(draw, *_smote(draw, rng))


def translations(draw, synthetic, rng, flip):
    return _append(draw, synthetic.X, synthetic.y)


def half_copies(draw, synthetic, rng, flip):
    X, half = synthetic.X.copy(), rng.random(len(synthetic.X)) < 0.5
    X[half] = _augmented(draw, synthetic.y[half], rng, flip)
    return _append(draw, X, synthetic.y)


def half_smote(draw, synthetic, rng, flip):
    interpolated, labels = _smote(draw, rng)
    X = synthetic.X.copy()
    for c in np.unique(synthetic.y):
        rows = np.flatnonzero(synthetic.y == c)
        half = rng.permutation(rows)[: len(rows) // 2]
        X[half] = rng.permutation(interpolated[labels == c])[: len(half)]
    return _append(draw, X, synthetic.y)


def without_translations(draw, synthetic, rng, flip):
    X, translated = synthetic.X.copy(), np.flatnonzero(synthetic.kinds == "translation")
    copies = draw.X[draw_rows(draw.y, synthetic.y[translated], rng)]
    # As in the default's own copies, every second one is augmented.
    copies[1::2] = warps.augment(copies[1::2], rng, flip=flip)
    X[translated] = copies
    return _append(draw, X, synthetic.y)


@dataclass(frozen=True)
class Arm:
    """A way to build a training set.

    Parameters
    ----------
    make : callable
        ``make(draw, synthetic or None, rng, flip) -> X, y, weights``.
    sampler : str or None
        Name of the sampler whose synthetic samples it uses.
    keeps : float
        Share of the sampler's translations that are kept in the training set.
    version : int
        Version of its code. Increase it if its training sets change, so that old results are
        ignored.
    """

    make: object
    sampler: str | None = None
    keeps: float = 1.0
    version: int = 1


REFERENCE = "random"
# Increase a version if melanet's code changes a sampler's output without changing its recipe: the
# recipe is part of a result's key, the code is not.
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
