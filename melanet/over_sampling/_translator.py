"""Translations into one class: varied, guarded, matched, judged, tried twice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from melanet.gan import CycleGAN
from melanet.gan._unpaired_dataset import balanced_draws
from melanet.images import Augmentation
from melanet.over_sampling._guard import Guard
from melanet.over_sampling._matching import Matching
from melanet.over_sampling._presets import Recipe
from melanet.preprocessing import SampleSource
from melanet.utils import reproducible

_JITTER = 0.05  # standard deviation of the noise on a reused row of a table, whose range is 2


def translate(cyclegan: CycleGAN, samples: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Translate samples to "B", with the paper's stretch if the recipe says so.

    Parameters
    ----------
    cyclegan : CycleGAN
        Model into the class.
    samples : ndarray of shape (n, *sample_shape), float32
        Samples in [-1, 1].
    recipe : Recipe
        Settings; `stretch` matters here.

    Returns
    -------
    ndarray of the same shape, float32
        Translations in [-1, 1].
    """
    with reproducible():
        translations = cyclegan.translate(samples, to="B")
    if not recipe.stretch:
        return translations
    axes = tuple(range(1, translations.ndim))
    low = translations.min(axis=axes, keepdims=True)
    width = translations.max(axis=axes, keepdims=True) - low
    stretched = (translations - low) / np.where(width > 0, width, 1) * 2 - 1
    return np.where(width > 0, stretched, translations)


@dataclass
class Checks:
    """The checks and corrections of translations into one class, each None if it is off.

    Parameters
    ----------
    guard : Guard or None
        Rejects unchanged and constant translations.
    matching : Matching or None
        Gives translations the spectrum and the values of the class.
    certainty : callable or None
        The judge, ``certainty(samples, sources) -> ndarray of float``, 0 where it rejects.
    cached : dict
        Row -> its translation before the matching, where known.
    """

    guard: Guard | None = None
    matching: Matching | Callable[[np.ndarray], np.ndarray] | None = None
    certainty: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    cached: Mapping[int, np.ndarray] = field(default_factory=dict)


@dataclass
class Attempts:
    """Translations and the verdicts on them.

    Parameters
    ----------
    samples : ndarray of shape (n, *sample_shape), float32
        Translations in [-1, 1].
    rows : ndarray of int
        Source row of each.
    certainty : ndarray of float
        The judge's probability of the class, or 1 without a judge; 0 if guard or judge rejected
        both attempts.
    n_unchanged, n_refused : int
        Number of first attempts that the guard and the judge rejected.
    """

    samples: np.ndarray
    rows: np.ndarray
    certainty: np.ndarray
    n_unchanged: int
    n_refused: int


class Translator:
    """Translate sources into one class, each source as often as the others.

    A translation that guard or judge rejects is tried again with another source.

    Parameters
    ----------
    samples : SampleSource
        Real samples in [-1, 1].
    cyclegan : CycleGAN or None
        Model into the class, its "B"; None if nothing is to be translated.
    recipe : Recipe
        Settings.
    checks : Checks
        Checks and corrections.
    """

    def __init__(
        self, samples: SampleSource, cyclegan: CycleGAN | None, recipe: Recipe, checks: Checks
    ):
        self.samples, self.recipe, self.checks = samples, recipe, checks
        self.cyclegan: Any = cyclegan  # needed for nothing but translations

    def draw(self, source_rows: np.ndarray, n: int, rng: np.random.Generator) -> None:
        """Draw the sources of n translations, and of their second attempts."""
        self.n = n
        self.draws = source_rows[balanced_draws(len(source_rows), 2 * n, rng)]
        self.uses = np.arange(2 * n) // len(source_rows)

    def attempt(
        self, places: np.ndarray, sources: np.ndarray, rng: np.random.Generator
    ) -> Attempts:
        """Translate some of the drawn sources, those that fail twice.

        Parameters
        ----------
        places : ndarray of int
            Positions among the n draws.
        sources : ndarray of shape (len(places), *sample_shape), float32
            ``samples[draws[places]]``; overwritten where a source is reused.
        rng : numpy.random.Generator
            Random generator of the changes of reused sources.

        Returns
        -------
        Attempts
        """
        translations, changed, certainty = self._translate_once(places, sources, rng)
        rows = self.draws[places]
        unchanged, refused = int((~changed).sum()), int((certainty == 0).sum())
        certainty = certainty * changed
        failed = np.flatnonzero(certainty == 0)
        if len(failed):
            again = self.n + places[failed]
            retried, *verdicts = self._translate_once(again, self.samples[self.draws[again]], rng)
            found = np.multiply(*verdicts)
            better = found > 0
            mended = failed[better]
            translations[mended], rows[mended] = retried[better], self.draws[again][better]
            certainty[mended] = found[better]
        return Attempts(translations, rows, certainty, unchanged, refused)

    def _translate_once(self, places, sources, rng):
        everything, sure = np.ones(len(places), bool), np.ones(len(places))
        if not len(places):
            return sources, everything, sure
        reused = self.uses[places] > 0
        if reused.any():
            sources[reused] = self._vary(sources[reused], self.uses[places][reused], rng)
        translations = self._translate(self.draws[places], reused, sources)
        guard, matching, judge = self.checks.guard, self.checks.matching, self.checks.certainty
        # Before the matching: a copy of the source stays one, however it is corrected.
        changed = everything if guard is None else guard.passes(translations, sources)
        if matching is not None:
            translations = matching(translations)
        certainty = sure if judge is None else np.asarray(judge(translations, sources), float)
        return translations, changed, certainty

    def _translate(self, rows, reused, sources):
        cached = np.array([row in self.checks.cached for row in rows.tolist()]) & ~reused
        if not cached.any():
            return translate(self.cyclegan, sources, self.recipe)
        translations = np.empty_like(sources)
        for place in np.flatnonzero(cached):
            translations[place] = self.checks.cached[int(rows[place])]
        if not cached.all():
            translations[~cached] = translate(self.cyclegan, sources[~cached], self.recipe)
        return translations

    def _vary(self, samples, uses, rng):
        """Change samples that are used again."""
        if samples.ndim == 2:
            noise = rng.normal(0, _JITTER, samples.shape)
            return np.clip(samples + noise, -1, 1).astype("float32")
        changed = Augmentation(flip=self.recipe.flip)(samples, rng)
        if self.recipe.flip in ("horizontal", "both"):
            # The second use of a source is its mirror image, as sharp as the first.
            second = uses == 1
            changed[second] = samples[second][:, :, ::-1]
        return changed
