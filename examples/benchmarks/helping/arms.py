"""The arms: ways to train on an imbalanced set.

Every arm starts from the same draw, without its held part. Each classifier trains for the same
number of steps.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from imblearn.over_sampling import SMOTE
from sklearn.utils.class_weight import compute_sample_weight

from helping import data, photometry, shifts, warps


@dataclass
class TrainingSet:
    """Images to train on, and how.

    Parameters
    ----------
    X : ndarray of shape (n, side, side, c), uint8
        Images.
    y : ndarray of shape (n,)
        Labels.
    weights : ndarray of shape (n,) or None
        Weight of each image in the loss.
    mix : {"mixup", "Remix"} or None
        Rule by which images and labels are mixed in pairs each time they are used.
    photometric : bool
        Whether tint, light and sharpness are changed each time an image is used.
    deferred : bool
        Whether the last third of the steps draws all classes equally often.
    prior_corrected : bool
        Whether predictions are divided by the class shares of the training set.
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None
    mix: str | None = None
    photometric: bool = False
    deferred: bool = False
    prior_corrected: bool = False


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


FEATURES_SIDE = 32  # from here on the sampler edits, guided by VGG16's weights


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
        given = {"flip": task.flip} if task.source in data.PHOTOGRAPHS else {}
        return {**given, **(options or {}), **scale.sampler}

    return {
        "paper": paper,
        "default": plain,
        **{name: partial(plain, options=options) for name, options in variants},
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


def _append(draw, X, y, **how):
    return TrainingSet(np.concatenate([draw.X, X]), np.concatenate([draw.y, y]), **how)


def plain(draw, synthetic, rng, flip, **how):
    return TrainingSet(draw.X, draw.y, **how)


def class_weights(draw, synthetic, rng, flip):
    return TrainingSet(draw.X, draw.y, compute_sample_weight("balanced", draw.y))


def random(draw, synthetic, rng, flip, **how):
    labels = missing_labels(draw.y)
    return _append(draw, draw.X[draw_rows(draw.y, labels, rng)], labels, **how)


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


def _moved(draw, rows, rng):
    """Return images with the colour, light and low frequencies of the largest class's images."""
    classes, counts = np.unique(draw.y, return_counts=True)
    majority = np.flatnonzero(draw.y == classes[counts.argmax()])
    return photometry.transfer(draw.X[rows], draw.X[rng.choice(majority, len(rows))])


def conditions_moved(draw, synthetic, rng, flip):
    labels = missing_labels(draw.y)
    return _append(draw, _moved(draw, draw_rows(draw.y, labels, rng), rng), labels)


def _changed(draw, rows, rng, flip):
    """Return changed copies, as the default makes them: small images are moved, others warped."""
    if draw.X.shape[1] < FEATURES_SIDE:
        return _moved(draw, rows, rng)
    return warps.augment(draw.X[rows], rng, flip=flip)


def copies_warped(draw, synthetic, rng, flip):
    """Warp the copies that a sampler has changed in another way."""
    X, copied = synthetic.X.copy(), np.flatnonzero(synthetic.kinds == "copy")
    sources = draw.X[synthetic.sources[copied]]
    changed = (X[copied] != sources).reshape(len(copied), -1).any(axis=1)
    X[copied[changed]] = warps.augment(sources[changed], rng, flip=flip)
    return _append(draw, X, synthetic.y)


def true_mark(draw, synthetic, rng, flip):
    """Draw the true mark on half of the copies: an upper bound, which knows the shortcut."""
    made = random(draw, synthetic, rng, flip)
    n = len(draw.X)
    if draw.shift:
        made.X[n:] = shifts.spread(draw.shift, made.X[n:], shifts.SHARE_AT_TEST, rng)[0]
    return made


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
    rows = draw_rows(draw.y, synthetic.y[translated], rng)
    copies = draw.X[rows]
    copies[1::2] = _changed(draw, rows[1::2], rng, flip)  # as among the default's own copies
    X[translated] = copies
    return _append(draw, X, synthetic.y)


@dataclass(frozen=True)
class Arm:
    """A way to train on an imbalanced set.

    Parameters
    ----------
    make : callable
        ``make(draw, synthetic or None, rng, flip) -> TrainingSet``.
    sampler : str or None
        Name of the sampler whose synthetic samples it uses.
    keeps : float
        Share of the sampler's translations that are kept in the training set.
    steps_only : bool
        Whether it changes the steps of a training, which a logistic regression has not.
    shift_only : bool
        Whether it is for tasks with a shift.
    version : int
        Version of its code. Increase it if its training sets change, so that old results are
        ignored.
    """

    make: object
    sampler: str | None = None
    keeps: float = 1.0
    steps_only: bool = False
    shift_only: bool = False
    version: int = 1


REFERENCE, UPPER_BOUND = "random", "true mark"
WITHOUT = ", no translations"
# Increase a version if melanet's code changes a sampler's output without changing its recipe: the
# recipe is part of a result's key, the code is not.
VERSIONS = {"default": 3, "paper": 1}
PLAIN_ARMS = {
    "nothing": Arm(plain),
    "prior-corrected": Arm(partial(plain, prior_corrected=True)),
    "class weights": Arm(class_weights),
    REFERENCE: Arm(random),
    "random, photometric": Arm(partial(random, photometric=True)),
    "random, augmented copies": Arm(augmented_copies),
    "deferred re-balancing": Arm(partial(plain, deferred=True), steps_only=True),
    "mixup": Arm(partial(plain, mix="mixup")),
    "Remix": Arm(partial(plain, mix="Remix")),
    "SMOTE": Arm(smote),
    "conditions moved": Arm(conditions_moved),
}


def sampler_arms(name):
    """Return the arms of a sampler: its samples, and the same without their translations."""
    return {
        name: Arm(translations, name),
        name + WITHOUT: Arm(without_translations, name, 0.0, version=3),
    }


ARMS = {
    **PLAIN_ARMS,
    UPPER_BOUND: Arm(true_mark, shift_only=True),
    "paper": Arm(translations, "paper"),
    **sampler_arms("default"),
    "default, half copies": Arm(half_copies, "default", 0.5),
    "default, half SMOTE": Arm(half_smote, "default", 0.5),
    "default, copies warped": Arm(copies_warped, "default"),
}
