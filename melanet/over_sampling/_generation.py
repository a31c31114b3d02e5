"""The synthetic samples of a class: translations, and copies of real samples beside them."""

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from melanet.callbacks import TimeEstimate
from melanet.exceptions import TranslationWarning
from melanet.features import FeatureNetwork
from melanet.gan import CycleGAN
from melanet.gan._unpaired_dataset import balanced_draws
from melanet.gan.networks import edit_strength
from melanet.gan.training import leased_training
from melanet.images import Augmentation
from melanet.over_sampling._guard import Guard, describe_failures, reasons_to_refuse
from melanet.over_sampling._guidance import guide_for
from melanet.over_sampling._judge import Judge
from melanet.over_sampling._matching import Matching
from melanet.over_sampling._plans import ClassPlan
from melanet.over_sampling._presets import Recipe
from melanet.over_sampling._strength import temper
from melanet.over_sampling._translator import Checks, Translator, translate
from melanet.preprocessing import SampleSource
from melanet.utils import reproducible
from melanet.utils._chunks import chunk_slices, evenly_spaced, samples_that_fit
from melanet.utils._validation import to_python

_MAX_PROBED = 200  # sources whose translations show what the CycleGAN does
_SEPARATE = 0.9  # AUC of held-out real samples above which the judge must recognise the class
_MAX_COMPARED = 300  # real samples that these are compared with


@dataclass
class Generated:
    """A part of the synthetic samples of a class.

    Parameters
    ----------
    samples : ndarray of shape (n, *sample_shape), float32
        In [-1, 1].
    rows : ndarray of int of shape (n,)
        Row that each was made from.
    kinds : ndarray of str of shape (n,)
        "translation" or "copy".
    n_attempts, n_unchanged, n_refused : int
        Number of first attempts, and of those that the guard and the judge rejected.
    """

    samples: np.ndarray
    rows: np.ndarray
    kinds: np.ndarray
    n_attempts: int
    n_unchanged: int
    n_refused: int

    @property
    def n_copies(self) -> int:
        """Number of copies among the samples."""
        return int((self.kinds == "copy").sum())


class ClassGenerator:
    """Generate the synthetic samples of one class, part by part.

    A share of the samples are copies of real samples of the class, the last ones. The others are
    translations, each source used as often as the others. A translation that guard or judge
    rejects twice is replaced by a copy. Every second copy of an image is augmented a little:
    exact copies suit a classifier that is trained with augmentation, changed ones any other
    (docs/does-it-help.md). A part depends on the seed, its position and the number of copies
    before it.

    Before the first part, up to 200 sources are translated. On them the matching is measured and
    collapse is decided; they are not translated again.

    Parameters
    ----------
    samples : SampleSource
        Real samples in [-1, 1], in memory or in files.
    plan : ClassPlan
        The class, its rows and its seed.
    cyclegan : CycleGAN
        Model into the class, its "B".
    recipe : Recipe
        Settings.
    judge : Judge or None, default=None
        Judge of all classes.

    Attributes
    ----------
    n_translations : int
        Number of samples that are translations, if none is rejected.
    matching : Matching or None
        Correction of the translations.
    measures : dict
        Class evidence, realism and diversity of the probed translations, see `Guard`, and the
        ``strength`` of edits; measures that are undefined or switched off are missing.
    refused : bool
        Whether all translations are replaced by copies because of them.
    """

    def __init__(
        self,
        samples: SampleSource,
        plan: ClassPlan,
        cyclegan: CycleGAN,
        recipe: Recipe,
        judge: Judge | None = None,
    ):
        self.samples, self.plan, self.recipe = samples, plan, recipe
        self.n_translations = plan.n_samples - round(recipe.copies * plan.n_samples)
        self.matching: Matching | None = None
        strength = edit_strength(cyclegan.generator_ab)
        self.measures: dict[str, float] = {} if strength is None else {"strength": strength}
        checks = Checks()
        if judge is not None:
            checks.accepts = lambda x, sources: judge.accepts(
                x, plan.code, sources if self._overlapping() else None
            )
        if self.n_translations and (recipe.guard or recipe.match):
            self._probe(cyclegan, checks)
        self.refused = bool(reasons_to_refuse(self.measures))
        self._translator = Translator(samples, cyclegan, recipe, checks)
        self.draw([plan.generation_seed])

    def _probe(self, cyclegan, checks):
        """Translate some sources; measure the matching, and whether they are of the class."""
        shape = self.samples.shape[1:]
        most = max(2, min(_MAX_COMPARED, samples_that_fit(shape)))
        sources = evenly_spaced(self.plan.source_rows, most)
        probed = evenly_spaced(self.plan.source_rows, min(_MAX_PROBED, most))
        real = self.samples[evenly_spaced(self.plan.target_rows, most)]
        originals = self.samples[probed]
        translations = translate(cyclegan, originals, self.recipe)
        checks.cached = dict(zip(probed.tolist(), translations))
        passed = np.ones(len(probed), bool)
        if self.recipe.guard:
            checks.guard = Guard(self.samples[sources], real)
            passed = checks.guard.passes(translations, originals)
        if self.recipe.match:
            self.matching = checks.matching = Matching.between(translations, real)
            translations = self.matching(translations)
        if checks.guard is not None:
            finite = np.isfinite(translations).reshape(len(probed), -1).all(axis=1)
            self.measures |= checks.guard.measure(translations[finite], originals[finite])
            if checks.accepts is not None:
                passed &= checks.accepts(translations, originals)
            self.measures |= checks.guard.diversity(translations[passed])

    def _overlapping(self):
        """Return whether classes overlap so much that a translation need not look certain."""
        return self.measures.get("class_auc", 1.0) < _SEPARATE

    def draw(self, seed: Sequence[int]) -> None:
        """Draw the sources of all samples, and the rows that are copied."""
        rng = np.random.default_rng([*seed, 0])
        self._seed = [*seed, 1]
        self._translator.draw(self.plan.source_rows, self.n_translations, rng)
        own = self.plan.target_rows
        self._copied = own[balanced_draws(len(own), self.plan.n_samples, rng)]

    def read(self, places: np.ndarray) -> np.ndarray:
        """Return the sources of the translations among some places; other threads may call it."""
        places = places[places < self.n_translations]
        return self.samples[self._translator.draws[places]]

    def generate(self, places: np.ndarray, sources: np.ndarray, n_copies: int = 0) -> Generated:
        """Make the samples at some places.

        Parameters
        ----------
        places : ndarray of int
            Increasing positions among the samples of the class.
        sources : ndarray
            Result of `read` for these places; may be overwritten.
        n_copies : int, default=0
            Number of copies among the samples made before.

        Returns
        -------
        Generated
        """
        rng = np.random.default_rng([*self._seed, int(places[0]) if len(places) else 0])
        translated = places[places < self.n_translations]
        attempts = self._translator.attempt(translated, sources, rng)
        if self.refused:
            attempts.passed[:] = False
        copied = np.ones(len(places), bool)
        copied[: len(translated)] = ~attempts.passed
        rows = np.empty(len(places), int)
        rows[: len(translated)] = attempts.rows
        samples = np.empty((len(places), *self.samples.shape[1:]), "float32")
        samples[: len(translated)] = attempts.samples
        if copied.any():
            n = int(copied.sum())
            rows[copied] = self._copied[np.arange(n_copies, n_copies + n) % len(self._copied)]
            samples[copied] = self._copies(self.samples[rows[copied]], rng, n_copies)
        return Generated(
            samples,
            rows,
            np.where(copied, "copy", "translation").astype("U11"),
            len(translated),
            attempts.n_unchanged,
            attempts.n_refused,
        )

    def _copies(self, originals, rng, first):
        """Return copies of which, if they are images, every second is augmented."""
        copies = originals.copy()
        odd = slice((first + 1) % 2, None, 2)
        if copies.ndim > 2 and len(copies[odd]):
            copies[odd] = Augmentation(flip=self.recipe.flip)(copies[odd], rng)
        return copies


@dataclass
class ClassReport:
    """Counts of what happened while the samples of a class were made.

    Parameters
    ----------
    n_samples, n_copies, n_attempts, n_unchanged, n_refused : int
        Totals of the parts, see `Generated`.
    measures : dict
        As in `ClassGenerator`.
    """

    n_samples: int = 0
    n_copies: int = 0
    n_attempts: int = 0
    n_unchanged: int = 0
    n_refused: int = 0
    measures: dict[str, float] = field(default_factory=dict)

    def add(self, part: Generated) -> None:
        """Add the counts of a part."""
        self.n_samples += len(part.samples)
        self.n_copies += part.n_copies
        self.n_attempts += part.n_attempts
        self.n_unchanged += part.n_unchanged
        self.n_refused += part.n_refused

    def warn(self, label: Any, where: str, stacklevel: int) -> None:
        """Issue a TranslationWarning if much went wrong.

        Parameters
        ----------
        label : object
            The class.
        where : str
            Where the user finds which samples are copies.
        stacklevel : int
            As in ``warnings.warn``, counted from the caller.
        """
        problem = describe_failures(
            self.n_attempts,
            unchanged=self.n_unchanged,
            refused=self.n_refused,
            measures=self.measures,
        )
        if problem:
            warnings.warn(
                f"Class {to_python(label)!r}: {problem}. Of its {self.n_samples} synthetic "
                f"samples {self.n_copies} are copies of real ones of the class (see {where}). "
                "Train longer, collect more data, or take another remedy for this class; "
                "guard=False switches this check off",
                TranslationWarning,
                stacklevel=stacklevel + 1,
            )


@dataclass
class Filled:
    """Result of `fill_classes`.

    Parameters
    ----------
    source_indices, source_kinds : ndarray of shape (n_synthetic,)
        Row that each sample was made from, and "translation" or "copy", class after class.
    cyclegans, histories, matchings : dict
        label -> the CycleGAN trained, its losses by epoch, and the correction of translations.
    reports : dict
        label -> ClassReport.
    """

    source_indices: np.ndarray
    source_kinds: np.ndarray
    cyclegans: dict[Any, CycleGAN] = field(default_factory=dict)
    histories: dict[Any, dict[str, list[float]]] = field(default_factory=dict)
    matchings: dict[Any, Matching] = field(default_factory=dict)
    reports: dict[Any, ClassReport] = field(default_factory=dict)


def fill_classes(
    samples: SampleSource,
    plans: Sequence[ClassPlan],
    recipe: Recipe,
    cyclegans: Mapping[Any, CycleGAN],
    judge: Judge | None,
    write: Any,
    network: FeatureNetwork | None = None,
    verbose: int = 0,
) -> Filled:
    """Make the samples of all classes in memory, training the CycleGANs that are missing.

    Parameters
    ----------
    samples : SampleSource
        Real samples in [-1, 1].
    plans : sequence of ClassPlan
        The classes.
    recipe : Recipe
        Settings.
    cyclegans : dict
        label -> CycleGAN to use instead of training.
    judge : Judge or None
        Judge of all classes.
    write : callable
        ``write(start, samples)`` stores float32 samples in [-1, 1], class after class.
    network : FeatureNetwork or None, default=None
        Frozen network that guides the training, see `with_features`.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    Filled
    """
    n_all = sum(plan.n_samples for plan in plans)
    filled = Filled(np.empty(n_all, int), np.empty(n_all, "U11"))
    first = 0
    n_trainings = sum(plan.label not in cyclegans for plan in plans)
    estimate = [TimeEstimate(n_trainings)] if verbose else []
    with reproducible():
        for plan in plans:
            with contextlib.ExitStack() as stack:
                cyclegan = cyclegans.get(plan.label)
                if cyclegan is None:
                    both = samples[plan.source_rows], samples[plan.target_rows]
                    if verbose and recipe.generator == "edit":
                        print("Preparing the network that guides the training", flush=True)
                    guide = guide_for(recipe, *both, network, plan.training_seed)
                    training = stack.enter_context(
                        leased_training(
                            recipe,
                            *both,
                            guide=guide,
                            seed=plan.training_seed,
                            name=f"CycleGAN class {plan.label}",
                            callbacks=estimate,
                            verbose=verbose,
                        )
                    )
                    cyclegan, estimate = training.cyclegan, []
                    temper(cyclegan, samples, plan.source_rows, plan.target_rows, recipe)
                    filled.cyclegans[plan.label] = training.copy()
                    filled.histories[plan.label] = training.history
                if verbose:
                    n = plan.n_samples
                    print(f"Translating and checking {n} samples of {plan.label}", flush=True)
                generator = ClassGenerator(samples, plan, cyclegan, recipe, judge)
                report = ClassReport(measures=generator.measures)
                for part in chunk_slices(plan.n_samples, samples.shape[1:]):
                    places = np.arange(plan.n_samples)[part]
                    made = generator.generate(places, generator.read(places), report.n_copies)
                    whole = slice(first + part.start, first + part.stop)
                    write(whole.start, made.samples)
                    filled.source_indices[whole] = made.rows
                    filled.source_kinds[whole] = made.kinds
                    report.add(made)
            if generator.matching is not None:
                filled.matchings[plan.label] = generator.matching
            filled.reports[plan.label] = report
            first += plan.n_samples
    return filled
