"""The samples that one class needs: translations, and copies beside them, part by part."""

import numpy as np

from melanet.augmentation import Augmentation
from melanet.guarding import Guard, complaint
from melanet.portions import most_of, parts, spread
from melanet.translating import Translator, cycle


def make(recipe, cyclegan, matching, accepts, *, samples, rows, own, out, decode, rng, known=None):
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
    samples : ndarray or EncodedImages of shape (n, *sample_shape), float32
        Real samples in [-1, 1].
    rows, own : ndarray of int
        Rows of `samples` that are translated, and those of the class.
    out : ndarray of shape (n_samples, ...)
        Where they go, translations first as far as they pass.
    decode : callable
        Turns float32 samples in [-1, 1] into those of `out`.
    rng : numpy.random.Generator
        Source of order and changes.
    known : dict or None, default=None
        Row -> what the CycleGAN makes of it, where that has been found out already.

    Returns
    -------
    source : ndarray of int of shape (n_samples,)
        Row that each was made from.
    kinds : ndarray of str of shape (n_samples,)
        "translation" or "copy".
    problem : str or None
        What is wrong with the translations.
    """
    shape, n_samples = samples.shape[1:], len(out)
    n = n_samples - round(recipe["copies"] * n_samples)
    guard = None
    if recipe["guard"]:
        few = [samples[spread(chosen, most_of(shape))] for chosen in (rows, own)]
        guard = Guard(*few)
    translator = Translator(
        samples.__getitem__,
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
    source, passed = np.empty(n_samples, int), np.zeros(n_samples, bool)
    watched = np.isin(np.arange(n), spread(np.arange(n), most_of(shape)))
    seen, unchanged, refused = [np.empty((0, *shape), "float32")], 0, 0
    for now in parts(n, shape):
        places = np.arange(n)[now]
        chosen = samples[translator.draws[places]]
        made, source[now], passed[now], *failures = translator.make(places, chosen, rng)
        out[now] = decode(made)
        if guard is not None:
            seen.append(made[passed[now] & watched[now]])
        unchanged, refused = unchanged + failures[0], refused + failures[1]
    kept = np.flatnonzero(passed)
    problem = None
    if guard is not None:
        diversity = guard.collapsed(np.concatenate(seen))
        kept = kept if diversity is None else kept[:0]
        problem = complaint(n, unchanged=unchanged, refused=refused, diversity=diversity)
    if len(kept) < n:
        for now in parts(len(kept), shape):
            out[now] = out[kept[now]]  # never before a place that is still to be read
        source[: len(kept)] = source[kept]
    source[len(kept) :], _ = cycle(own, n_samples - len(kept), rng)
    for now in parts(n_samples - len(kept), shape):
        copied = copies_of(recipe, samples[source[len(kept) :][now]], rng, first=now.start)
        out[len(kept) :][now] = decode(copied)
    kinds = np.where(np.arange(n_samples) < len(kept), "translation", "copy").astype("U11")
    return source, kinds, problem


def copies_of(recipe, originals, rng, first=0):
    """Return copies of real samples: of images every second one is changed a little.

    Exact copies suit a classifier that is trained with augmentation, changed ones any other;
    docs/does-it-help.md has the figures. A table's copies are changed where its columns are known.

    Parameters
    ----------
    recipe : dict
        See `melanet.recipes`.
    originals : ndarray of shape (n, *sample_shape), float32
        Left unchanged.
    rng : numpy.random.Generator
        Source of the changes.
    first : int, default=0
        Place of the first among all copies of the class.

    Returns
    -------
    ndarray of the same shape, float32
    """
    copies = originals.copy()
    odd = slice((first + 1) % 2, None, 2)
    if copies.ndim > 2 and len(copies[odd]):
        copies[odd] = Augmentation(flip=recipe["flip"])(copies[odd], rng)
    return copies
