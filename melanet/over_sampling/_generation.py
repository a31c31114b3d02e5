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
from melanet.gan._conditional_training import ConditionalTraining, leased_conditional_training
from melanet.gan._leased_training import leased_training
from melanet.gan._unpaired_dataset import balanced_draws
from melanet.gan.networks import edit_strength
from melanet.images import Augmentation
from melanet.over_sampling._conditions import move_conditions
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
    certainty : ndarray of float of shape (n,)
        The judge's probability of the class; 1 for copies, and without a judge.
    n_attempts, n_unchanged, n_refused : int
        Number of first attempts, and of those that the guard and the judge rejected.
    """

    samples: np.ndarray
    rows: np.ndarray
    kinds: np.ndarray
    certainty: np.ndarray
    n_attempts: int
    n_unchanged: int
    n_refused: int

    @property
    def n_copies(self) -> int:
        """Number of copies among the samples."""
        return int((self.kinds == "copy").sum())


class ClassGenerator:
    """Generate the synthetic samples of one class, part by part.

    The plan says how many are translations, each source used as often as the others. The others,
    the last ones, are copies of real samples of the class. A translation that guard or judge
    rejects twice is replaced by a copy. Every second copy of an image is changed, except for the
    plan's exact copies, the very last: it takes over the conditions of a source, or is augmented
    a little, as the recipe says. Exact copies suit a classifier that is trained with
    augmentation, changed ones any other (docs/does-it-help.md). A part depends on the seed, its
    position and the number of copies before it.

    Before the first part, up to 200 sources are translated. On them the matching is measured and
    collapse is decided; they are not translated again.

    Parameters
    ----------
    samples : SampleSource
        Real samples in [-1, 1], in memory or in files.
    plan : ClassPlan
        The class, its rows and its seed.
    cyclegan : CycleGAN or None
        Model into the class, its "B"; None if no translation is planned.
    recipe : Recipe
        Settings.
    judge : Judge or None, default=None
        Judge of all classes.

    Attributes
    ----------
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
        cyclegan: CycleGAN | None,
        recipe: Recipe,
        judge: Judge | None = None,
    ):
        self.samples, self.plan, self.recipe = samples, plan, recipe
        self.matching: Matching | None = None
        strength = None if cyclegan is None else edit_strength(cyclegan.generator_ab)
        self.measures: dict[str, float] = {} if strength is None else {"strength": strength}
        checks = Checks()
        if judge is not None:
            checks.certainty = lambda x, sources: judge.certainty(
                x, plan.code, sources if self._overlapping() else None
            )
        if plan.n_translations and (recipe.guard or recipe.match):
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
            if checks.certainty is not None:
                passed &= checks.certainty(translations, originals) > 0
            self.measures |= checks.guard.diversity(translations[passed])

    def _overlapping(self):
        """Return whether classes overlap so much that a translation need not look certain."""
        return self.measures.get("class_auc", 1.0) < _SEPARATE

    def draw(self, seed: Sequence[int]) -> None:
        """Draw the sources of all samples, and the rows that are copied."""
        rng = np.random.default_rng([*seed, 0])
        self._seed = [*seed, 1]
        self._translator.draw(self.plan.source_rows, self.plan.n_translations, rng)
        own = self.plan.target_rows
        self._copied = own[balanced_draws(len(own), self.plan.n_samples, rng)]

    def read(self, places: np.ndarray) -> np.ndarray:
        """Return the sources of the translations among some places; other threads may call it."""
        places = places[places < self.plan.n_translations]
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
        translated = places[places < self.plan.n_translations]
        attempts = self._translator.attempt(translated, sources, rng)
        if self.refused:
            attempts.certainty[:] = 0
        copied = np.ones(len(places), bool)
        copied[: len(translated)] = attempts.certainty == 0
        certainty = np.ones(len(places))
        certainty[~copied] = attempts.certainty[attempts.certainty > 0]
        rows = np.empty(len(places), int)
        rows[: len(translated)] = attempts.rows
        samples = np.empty((len(places), *self.samples.shape[1:]), "float32")
        samples[: len(translated)] = attempts.samples
        if copied.any():
            n = int(copied.sum())
            rows[copied] = self._copied[np.arange(n_copies, n_copies + n) % len(self._copied)]
            exact = places[copied] >= self.plan.n_samples - self.plan.n_exact
            samples[copied] = self._copies(self.samples[rows[copied]], exact, rng, n_copies)
        return Generated(
            samples,
            rows,
            np.where(copied, "copy", "translation").astype("U11"),
            certainty,
            len(translated),
            attempts.n_unchanged,
            attempts.n_refused,
        )

    def _copies(self, originals, exact, rng, first):
        """Return copies of which, if they are images and not exact, every second is changed."""
        copies = originals.copy()
        changed = ~exact & ((first + np.arange(len(copies))) % 2 == 1)
        if copies.ndim > 2 and changed.any():
            if self.recipe.move:
                rows = rng.choice(self.plan.source_rows, int(changed.sum()))
                copies[changed] = move_conditions(copies[changed], self.samples[rows])
            else:
                copies[changed] = Augmentation(flip=self.recipe.flip)(copies[changed], rng)
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
    gate : str, default=""
        Decision of the gate, "open" or "shut" with the reason; empty without it.
    """

    n_samples: int = 0
    n_copies: int = 0
    n_attempts: int = 0
    n_unchanged: int = 0
    n_refused: int = 0
    measures: dict[str, float] = field(default_factory=dict)
    gate: str = ""

    def add(self, part: Generated) -> None:
        """Add the counts of a part.

        Parameters
        ----------
        part : Generated
            A part of the samples.
        """
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
    exact : ndarray of bool of shape (n_synthetic,)
        Whether each is an exact copy by plan.
    weights : ndarray of float of shape (n_synthetic,)
        See `sample_weights`.
    cyclegans, histories, matchings : dict
        label -> the CycleGAN trained, its losses by epoch, and the correction of translations.
    reports : dict
        label -> ClassReport.
    """

    source_indices: np.ndarray
    source_kinds: np.ndarray
    exact: np.ndarray
    weights: np.ndarray
    cyclegans: dict[Any, CycleGAN] = field(default_factory=dict)
    histories: dict[Any, dict[str, list[float]]] = field(default_factory=dict)
    matchings: dict[Any, Matching] = field(default_factory=dict)
    reports: dict[Any, ClassReport] = field(default_factory=dict)


def sample_weights(certainty: np.ndarray) -> np.ndarray:
    """Return the weights of the synthetic samples of a class.

    A translation weighs as much as the judge is sure of its class, relative to a copy of a real
    sample. All together weigh as much as as many samples of weight 1, so that the class gets the
    total weight that `sampling_strategy` asks for.

    Parameters
    ----------
    certainty : ndarray of float of shape (n,)
        Probability of the class, above 0; 1 for copies.

    Returns
    -------
    ndarray of float of shape (n,)
        Their mean is 1.
    """
    return certainty / certainty.mean()


def labels_to_learn(plans: Sequence[ClassPlan], cyclegans: Mapping[Any, CycleGAN]) -> list[Any]:
    """Return the labels of the classes whose CycleGAN is to be trained."""
    return [p.label for p in plans if p.n_translations and p.label not in cyclegans]


def plans_of_trainings(
    plans: Sequence[ClassPlan], cyclegans: Mapping[Any, CycleGAN], recipe: Recipe
) -> list[list[ClassPlan]]:
    """Return the plans that each training is for.

    Conditional networks learn all classes that share their sources. That is all but the largest
    one, whose samples are the sources of the others.
    """
    missing = set(labels_to_learn(plans, cyclegans))
    trainings: dict[Any, list[ClassPlan]] = {}
    for plan in plans:
        if plan.label in missing:
            key = plan.source_rows.tobytes() if recipe.conditional else plan.label
            trainings.setdefault(key, []).append(plan)
    return list(trainings.values())


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
    filled = Filled(
        np.empty(n_all, int), np.empty(n_all, "U11"), np.zeros(n_all, bool), np.empty(n_all)
    )
    first = 0
    trainings = plans_of_trainings(plans, cyclegans, recipe)
    estimate = [TimeEstimate(len(trainings))] if verbose else []
    with reproducible(), contextlib.ExitStack() as until_filled:
        conditional: dict[Any, ConditionalTraining] = {}
        for together in trainings:
            if len(together) > 1:
                shared = until_filled.enter_context(
                    leased_conditional_training(
                        recipe,
                        samples[together[0].source_rows],
                        {plan.label: samples[plan.target_rows] for plan in together},
                        seed=together[0].training_seed,
                        callbacks=estimate,
                        verbose=verbose,
                    )
                )
                estimate = []
                conditional |= dict.fromkeys((plan.label for plan in together), shared)
        for plan in plans:
            with contextlib.ExitStack() as stack:
                cyclegan = cyclegans.get(plan.label)
                if plan.label in conditional:
                    training = conditional[plan.label].select(plan.label)
                    cyclegan = training.cyclegan
                elif cyclegan is None and plan.n_translations:
                    both = samples[plan.source_rows], samples[plan.target_rows]
                    guide = guide_for(recipe, *both, network, plan.training_seed, verbose=verbose)
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
                if plan.label not in cyclegans and plan.n_translations:
                    filled.cyclegans[plan.label] = training.copy()
                    filled.histories[plan.label] = training.history
                if verbose and plan.n_translations:
                    n = plan.n_translations
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
                    filled.weights[whole] = made.certainty
                    report.add(made)
            if generator.matching is not None:
                filled.matchings[plan.label] = generator.matching
            filled.reports[plan.label] = report
            whole = slice(first, first + plan.n_samples)
            filled.weights[whole] = sample_weights(filled.weights[whole])
            filled.exact[whole.stop - plan.n_exact : whole.stop] = True
            first = whole.stop
    return filled
