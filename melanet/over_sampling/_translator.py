"""Translations into one class: varied, guarded, matched, judged, and tried twice."""

import numpy as np

from melanet.gan._unpaired_dataset import balanced_draws
from melanet.images._augmentation import Augmentation
from melanet.over_sampling._matching import Matching
from melanet.utils._chunks import evenly_spaced
from melanet.utils._keras import reproducible

_MOST_MATCHED = 200  # sources whose translations a matching is measured on
_JITTER = 0.05  # sd of the change of a table's row that is used again, in a range of width 2


class Translator:
    """Makes the translations that a class needs, each source as often as the others.

    What judge or guard do not let pass is tried again with another source.

    Parameters
    ----------
    read : callable
        ``read(rows) -> ndarray of shape (n, *sample_shape)``, a copy of real samples in [-1, 1].
    rows : ndarray of int
        Rows of the sources.
    n : int
        Translations that are needed.
    recipe : dict
        See `melanet.over_sampling._presets`.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    rng : numpy.random.Generator
        Source of the order of the sources.
    guard : Guard or None, default=None
        Tells what is no translation.
    matching : callable or None, default=None
        Corrects what the CycleGAN makes.
    accepts : callable or None, default=None
        ``accepts(samples) -> ndarray of bool``, the judge.
    known : dict or None, default=None
        Row -> what the CycleGAN makes of it, where that has been found out already.
    """

    def __init__(
        self,
        read,
        rows,
        n,
        *,
        recipe,
        cyclegan,
        rng,
        guard=None,
        matching=None,
        accepts=None,
        known=None,
    ):
        self.read, self.n, self.recipe, self.cyclegan = read, n, recipe, cyclegan
        self.guard, self.matching, self.accepts = guard, matching, accepts
        self.known = known or {}
        # The second half is for second attempts.
        self.draws, self.uses = cycle(rows, 2 * n, rng)

    def make(self, places, chosen, rng):
        """Make some of the translations.

        Parameters
        ----------
        places : ndarray of int
            Which, of `n`.
        chosen : ndarray of shape (len(places), *sample_shape), float32
            Their sources, ``read(draws[places])``; may be changed.
        rng : numpy.random.Generator
            Source of the changes of sources that are used again.

        Returns
        -------
        made : ndarray of the same shape, float32
            In [-1, 1].
        sources : ndarray of int
            Row that each was made from.
        passed : ndarray of bool
            Whether guard and judge let it pass, at the first or the second attempt.
        unchanged, refused : int
            First attempts that the guard, and the judge, did not let pass.
        """
        made, changed, accepted = self._attempt(places, chosen, rng)
        sources, passed = self.draws[places], changed & accepted
        failed = np.flatnonzero(~passed)
        if len(failed):
            again = self.n + places[failed]
            retried, *votes = self._attempt(again, self.read(self.draws[again]), rng)
            better = np.logical_and(*votes)
            mended = failed[better]
            made[mended], sources[mended] = retried[better], self.draws[again][better]
            passed[mended] = True
        return made, sources, passed, int((~changed).sum()), int((~accepted).sum())

    def _attempt(self, places, chosen, rng):
        everything = np.ones(len(places), bool)
        if not len(places):
            return chosen, everything, everything
        again = self.uses[places] > 0
        if again.any():
            vary = jittered if chosen.ndim == 2 else varied
            chosen[again] = vary(chosen[again], self.uses[places][again], self.recipe, rng)
        made = self._translated(self.draws[places], again, chosen)
        # A copy of the source stays one, however it is corrected.
        changed = everything if self.guard is None else self.guard.passes(made, chosen)
        if self.matching is not None:
            made = self.matching(made)
        return made, changed, everything if self.accepts is None else self.accepts(made)

    def _translated(self, rows, again, chosen):
        known = np.array([row in self.known for row in rows.tolist()]) & ~again
        if not known.any():
            return translate(self.cyclegan, chosen, self.recipe)
        made = np.empty_like(chosen)
        for place in np.flatnonzero(known):
            made[place] = self.known[int(rows[place])]
        if not known.all():
            made[~known] = translate(self.cyclegan, chosen[~known], self.recipe)
        return made


def translate(cyclegan, samples, recipe):
    """Translate to the rare class, as the recipe does: with the paper's stretch, or without.

    Parameters
    ----------
    cyclegan : CycleGAN
        Translates to its "B".
    samples : ndarray of shape (n, *sample_shape), float32
        In [-1, 1].
    recipe : dict
        See `melanet.over_sampling._presets`.

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


def matching_of(recipe, cyclegan, read, rows, own):
    """Measure how translations differ from the real samples of their class.

    Parameters
    ----------
    recipe : dict
        See `melanet.over_sampling._presets`.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    read : callable
        ``read(rows)`` returns samples.
    rows : ndarray of int
        Rows of the sources, of which some are translated.
    own : ndarray of shape (n, height, width, channels), float32
        Real samples of the class.

    Returns
    -------
    Matching
    dict
        Row -> translation of it, before it is matched.
    """
    few = evenly_spaced(rows, _MOST_MATCHED)
    made = translate(cyclegan, read(few), recipe)
    return Matching.between(made, own), dict(zip(few.tolist(), made))


def cycle(rows, n, rng):
    """Draw n rows, each as often as the others; return them and how often each came before."""
    return rows[balanced_draws(len(rows), n, rng)], np.arange(n) // len(rows)


def jittered(rows, uses, recipe, rng):
    """Tell a table's rows that are used again from their first use."""
    return np.clip(rows + rng.normal(0, _JITTER, rows.shape), -1, 1).astype("float32")


def varied(images, uses, recipe, rng):
    """Tell images that are used again from their first use."""
    changed = Augmentation(flip=recipe["flip"])(images, rng)
    if recipe["flip"] in ("horizontal", "both"):
        # The second use of a source is its mirror image, as sharp as the first.
        second = uses == 1
        changed[second] = images[second][:, :, ::-1]
    return changed
