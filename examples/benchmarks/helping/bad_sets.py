"""Synthetic sets that are bad on purpose: what a verdict has to find out."""

from functools import partial

import numpy as np

from helping import warps
from helping.arms import Arm, Synthetic, needs

FEW_STEPS = ("few steps", {"steps": 20})  # a sampler that has learnt next to nothing


def _sources(draw, rng):
    """Draw rows of the largest class for all labels that are needed."""
    labels = np.concatenate([np.full(n, label) for label, n in needs(draw.y).items()])
    classes, counts = np.unique(draw.y, return_counts=True)
    majority = np.flatnonzero(draw.y == classes[counts.argmax()])
    return labels, rng.choice(majority, len(labels))


def majority_copies(draw, rng):
    """Put sources, unchanged, under the rare label, as the identity map does."""
    labels, rows = _sources(draw, rng)
    return Synthetic(draw.X[rows], labels, rows, np.full(len(rows), "translation"))


def swapped_labels(draw, rng):
    """Put changed pictures of the majority under the rare label; none is an exact copy."""
    labels, rows = _sources(draw, rng)
    X = warps.augment(draw.X[rows], rng, noise=warps.NOISE)
    return Synthetic(X, labels, rows, np.full(len(rows), "translation"))


def noise(draw, rng):
    """Give every pixel a value of its own."""
    labels, rows = _sources(draw, rng)
    X = rng.integers(0, 256, (len(rows), *draw.X.shape[1:]), dtype=np.uint8)
    return Synthetic(X, labels, rows, np.full(len(rows), "translation"))


BAD_SETS = {
    "majority copies": majority_copies,
    "swapped labels": swapped_labels,
    "noise": noise,
}


def _train_on(make, draw, made, rng, flip):
    bad = make(draw, rng)
    return np.concatenate([draw.X, bad.X]), np.concatenate([draw.y, bad.y]), None


BAD_ARMS = {name: Arm(partial(_train_on, make)) for name, make in BAD_SETS.items()}
