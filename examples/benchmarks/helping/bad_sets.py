"""Deliberately bad synthetic sets, which a verdict should detect."""

from functools import partial

import numpy as np

from helping import warps
from helping.arms import Arm, Synthetic, TrainingSet, missing_labels

FEW_STEPS = ("few steps", {"steps": 20})  # a sampler that has hardly learnt anything


def _draw_sources(draw, rng):
    """Return the labels that balance the classes, and a row of the largest class for each."""
    labels = missing_labels(draw.y)
    classes, counts = np.unique(draw.y, return_counts=True)
    majority = np.flatnonzero(draw.y == classes[counts.argmax()])
    return labels, rng.choice(majority, len(labels))


def majority_copies(draw, rng):
    """Give unchanged images of the majority the rare label, as the identity map does."""
    labels, rows = _draw_sources(draw, rng)
    return Synthetic(draw.X[rows], labels, rows, np.full(len(rows), "translation"))


def swapped_labels(draw, rng):
    """Give augmented images of the majority the rare label; none is an exact copy."""
    labels, rows = _draw_sources(draw, rng)
    X = warps.augment(draw.X[rows], rng, noise=warps.NOISE)
    return Synthetic(X, labels, rows, np.full(len(rows), "translation"))


def noise(draw, rng):
    """Return images of uniform noise."""
    labels, rows = _draw_sources(draw, rng)
    X = rng.integers(0, 256, (len(rows), *draw.X.shape[1:]), dtype=np.uint8)
    return Synthetic(X, labels, rows, np.full(len(rows), "translation"))


BAD_SETS = {
    "majority copies": majority_copies,
    "swapped labels": swapped_labels,
    "noise": noise,
}


def _append_bad_set(make, draw, synthetic, rng, flip):
    bad = make(draw, rng)
    return TrainingSet(np.concatenate([draw.X, bad.X]), np.concatenate([draw.y, bad.y]))


BAD_ARMS = {name: Arm(partial(_append_bad_set, make)) for name, make in BAD_SETS.items()}
