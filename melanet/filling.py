"""The samples that one class needs, in memory: translations, and copies beside them."""

import numpy as np

from melanet.augmentation import Augmentation
from melanet.guarding import Guard, complaint
from melanet.translating import Translator, cycle, parts


def make(recipe, cyclegan, matching, accepts, *, samples, rows, own, n_samples, rng, known=None):
    """Make the synthetic samples of one class.

    Parameters
    ----------
    recipe : dict
        See `melanet.recipes`.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    matching : callable or None
        Corrects what it makes.
    accepts : callable or None
        ``accepts(samples) -> ndarray of bool``, the judge.
    samples : ndarray of shape (n, *sample_shape), float32
        Real samples in [-1, 1].
    rows, own : ndarray of int
        Rows of `samples` that are translated, and those of the class.
    n_samples : int
        Samples to make, translations first as far as they pass.
    rng : numpy.random.Generator
        Source of order and changes.
    known : dict or None, default=None
        Row -> what the CycleGAN makes of it, where that has been found out already.

    Returns
    -------
    made : ndarray of shape (n_samples, *sample_shape), float32
        In [-1, 1].
    source : ndarray of int of shape (n_samples,)
        Row that each was made from.
    kinds : ndarray of str of shape (n_samples,)
        "translation" or "copy".
    problem : str or None
        What is wrong with the translations.
    """
    n = n_samples - round(recipe["copies"] * n_samples)
    guard = Guard(samples[rows], samples[own]) if recipe["guard"] else None
    translator = Translator(
        lambda chosen: samples[chosen],
        rows,
        n,
        recipe=recipe,
        cyclegan=cyclegan,
        rng=rng,
        guard=guard,
        matching=matching,
        accepts=accepts,
        known=known,
    )
    made = np.empty((n_samples, *samples.shape[1:]), "float32")
    source, passed = np.empty(n_samples, int), np.zeros(n_samples, bool)
    unchanged = refused = 0
    for part in parts(n, samples.shape[1:]):
        places = np.arange(part.start, part.stop)
        chosen = samples[translator.draws[places]]
        now = slice(part.start, part.stop)
        made[now], source[now], passed[now], *failures = translator.make(places, chosen, rng)
        unchanged, refused = unchanged + failures[0], refused + failures[1]
    kept = np.flatnonzero(passed)
    problem = None
    if guard is not None:
        diversity = guard.collapsed(made[kept])
        kept = kept if diversity is None else kept[:0]
        problem = complaint(n, unchanged=unchanged, refused=refused, diversity=diversity)
    if len(kept) < n:
        made[: len(kept)], source[: len(kept)] = made[kept], source[kept]
    source[len(kept) :], _ = cycle(own, n_samples - len(kept), rng)
    made[len(kept) :] = copies_of(recipe, samples[source[len(kept) :]], rng)
    kinds = np.where(np.arange(n_samples) < len(kept), "translation", "copy").astype("U11")
    return made, source, kinds, problem


def copies_of(recipe, originals, rng):
    """Return copies of real samples: of images every second one is changed a little.

    Exact copies suit a classifier that is trained with augmentation, changed ones any other;
    docs/does-it-help.md has the figures. A table's copies are changed where its columns are known.
    """
    copies = originals.copy()
    if copies.ndim > 2 and len(copies) > 1:
        copies[1::2] = Augmentation(flip=recipe["flip"])(copies[1::2], rng)
    return copies
