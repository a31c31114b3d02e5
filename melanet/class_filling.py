"""Synthetic samples of one class, a chunk at a time, from pictures that lie in files."""

from dataclasses import dataclass

import numpy as np

from melanet.filling import copies_of
from melanet.guarding import Guard
from melanet.translating import Translator, cycle, matching_of

_MOST_OWN = 48  # real samples of the class whose diversity a chunk's is compared with
_MOST_COMPARED = 64  # translations of a chunk that are


@dataclass
class Chunk:
    """What `ClassFiller.make` made.

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width, 3), uint8
        Synthetic pictures.
    sources : list of int
        Row that each was made from.
    kinds : list of str
        "translation" or "copy".
    attempts, unchanged, refused : int
        First attempts, and those that the guard and the judge did not let pass.
    diversity : float or None
        Of a chunk that the guard found too uniform.
    """

    pictures: np.ndarray
    sources: list
    kinds: list
    attempts: int
    unchanged: int
    refused: int
    diversity: float | None


class ClassFiller:
    """Makes the samples that a class needs as `melanet.GANOversampler` does, but by chunks.

    Each source is used as often as the others; what judge or guard do not let pass is tried again
    with another source, and then replaced by a copy of a real picture of the class, as are those
    that the recipe wants to be copies; they come last. A chunk depends on the seed and its place
    alone, not on the chunks before it.

    Parameters
    ----------
    files : PictureFiles
        All pictures.
    rows, own : ndarray of int
        Rows of the sources, and of the class.
    n_samples : int
        Samples to make in all.
    cyclegan : CycleGAN
        Translates into the class, its "B".
    accepts : callable or None
        ``accepts(samples) -> ndarray of bool``, the judge.
    recipe : dict
        See `melanet.recipes`.
    seed : sequence of int
        Seed of sources and changes.
    """

    def __init__(self, files, rows, own, n_samples, *, cyclegan, accepts, recipe, seed):
        self.files, self.own, self.recipe, self.seed = files, own, recipe, list(seed)
        rng = np.random.default_rng([*self.seed, 0])
        self.n_made = n_samples - round(recipe["copies"] * n_samples)
        self.guard = matching = None
        if recipe["guard"]:
            self.guard = Guard(files.few(rows, rng), files.few(own, rng, _MOST_OWN))
        if recipe["match"]:
            few = files.drawn(rows, rng), files.few(own, rng)
            matching, _ = matching_of(recipe, cyclegan, files.read, *few)
        self.translator = Translator(
            files.read,
            rows,
            self.n_made,
            recipe=recipe,
            cyclegan=cyclegan,
            rng=rng,
            guard=self.guard,
            matching=matching,
            accepts=accepts,
        )
        self.copied, _ = cycle(own, n_samples - self.n_made, rng)

    def read(self, start, stop):
        """Return the sources of a part of the samples; another thread may do so."""
        return self.files.read(self.translator.draws[start : min(stop, self.n_made)])

    def make(self, start, stop, sources):
        """Make a part of the samples.

        Parameters
        ----------
        start, stop : int
            Which part.
        sources : ndarray
            What `read` returned for it.

        Returns
        -------
        Chunk
        """
        rng = np.random.default_rng([*self.seed, 1, start])
        places = np.arange(start, min(stop, self.n_made))
        made, rows, passed, unchanged, refused = self.translator.make(places, sources, rng)
        diversity = None
        if self.guard is not None:
            diversity = self.guard.collapsed(made[passed][:_MOST_COMPARED])
            passed &= diversity is None
        failed = np.flatnonzero(~passed)
        planned = self.copied[max(0, start - self.n_made) : max(0, stop - self.n_made)]
        instead, _ = cycle(self.own, len(failed), rng)
        copies = np.concatenate([instead, planned])
        if len(copies):
            copied = copies_of(self.recipe, self.files.read(copies), rng)
            made[failed], rows[failed] = copied[: len(failed)], instead
            made = np.concatenate([made, copied[len(failed) :]])
            rows = np.concatenate([rows, planned])
            passed = np.concatenate([passed, np.zeros(len(planned), bool)])
        return Chunk(
            self.files.form.decode(made),
            rows.tolist(),
            np.where(passed, "translation", "copy").tolist(),
            len(places),
            unchanged,
            refused,
            diversity,
        )
