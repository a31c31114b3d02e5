"""Samples of one class: translate, correct, judge, guard, and put copies beside."""

import numpy as np

from melanet.augmentation import Augmentation
from melanet.guarding import Guard, complaint
from melanet.matching import Matching
from melanet.reproducibility import reproducible
from melanet.unpaired import tiled

_MOST_MATCHED = 200  # sources whose translations a matching is measured on
_JITTER = 0.05  # sd of the change of a table's row that is used again, in a range of width 2


def translate(cyclegan, samples, recipe):
    """Translate to the rare class, as the recipe does: with the paper's stretch, or without.

    Parameters
    ----------
    cyclegan : CycleGAN
        Translates to its "B".
    samples : ndarray of shape (n, *sample_shape), float32
        In [-1, 1].
    recipe : dict
        See `melanet.recipes`.

    Returns
    -------
    ndarray of the same shape, float32
        In [-1, 1].
    """
    with reproducible():
        made = cyclegan.translate(samples, to="B")
    if recipe["stretch"]:
        axes = tuple(range(1, made.ndim))
        low = made.min(axis=axes, keepdims=True)
        width = made.max(axis=axes, keepdims=True) - low
        made = np.where(width > 0, (made - low) / np.where(width > 0, width, 1) * 2 - 1, made)
    return made


def matching_of(recipe, cyclegan, sources, own):
    """Measure how translations of `sources` differ from the real samples of their class, `own`."""
    few = sources[:: -(-len(sources) // _MOST_MATCHED)]
    return Matching.between(translate(cyclegan, few, recipe), own)


def make(recipe, cyclegan, matching, accepts, *, samples, rows, own, n_samples, rng):
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
    draws, uses = cycle(rows, 2 * n, rng)
    vary = variation(recipe, samples.ndim == 2)
    guard = Guard(samples[rows], samples[own]) if recipe["guard"] else None
    everything = np.ones(n, bool)

    def attempt(part):
        chosen = samples[draws[part]]
        again = uses[part] > 0
        if again.any():
            chosen[again] = vary(chosen[again], uses[part][again], rng)
        made = translate(cyclegan, chosen, recipe)
        # A copy of the source stays one, however it is corrected.
        changed = everything[: len(made)] if guard is None else guard.passes(made, chosen)
        if matching is not None:
            made = matching(made)
        accepted = everything[: len(made)] if accepts is None else accepts(made)
        return made, draws[part], changed, accepted

    made, source, changed, accepted = attempt(slice(n))
    passed = changed & accepted
    failed = np.flatnonzero(~passed)
    if len(failed):
        retried, retried_source, *votes = attempt(slice(n, n + len(failed)))
        better = np.logical_and(*votes)
        mended = failed[better]
        made[mended], source[mended] = retried[better], retried_source[better]
        passed[mended] = True
    problem = None
    if guard is not None:
        diversity = guard.collapsed(made[passed])
        passed &= diversity is None
        problem = complaint(
            n,
            unchanged=int((~changed).sum()),
            refused=int((~accepted).sum()),
            diversity=diversity,
        )
    origins, _ = cycle(own, n_samples - int(passed.sum()), rng)
    made = np.concatenate([made[passed], copies_of(recipe, samples[origins], rng)])
    source = np.concatenate([source[passed], origins])
    kinds = np.where(np.arange(n_samples) < passed.sum(), "translation", "copy").astype("U11")
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


def cycle(rows, n, rng):
    """Draw n rows, each as often as the others; return them and how often each came before."""
    return rows[tiled(len(rows), n, rng)], np.arange(n) // len(rows)


def variation(recipe, table):
    """Return what tells a source's later uses from its first."""
    augment = Augmentation(flip=recipe["flip"])

    def jitter(chosen, uses, rng):
        return np.clip(chosen + rng.normal(0, _JITTER, chosen.shape), -1, 1).astype("float32")

    def change(chosen, uses, rng):
        changed = augment(chosen, rng)
        if recipe["flip"] in ("horizontal", "both"):
            # The second use of a source is its mirror image, as sharp as the first.
            second = uses == 1
            changed[second] = chosen[second][:, :, ::-1]
        return changed

    return jitter if table else change
