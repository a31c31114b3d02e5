"""From real samples to synthetic ones: train a CycleGAN per class, translate, judge, fill up."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from melanet import recipes
from melanet.augmentation import Augmentation
from melanet.callbacks import Progress, StopOnNonFinite
from melanet.cyclegan import CycleGAN
from melanet.guarding import Guard, complaint
from melanet.input_checks import plain
from melanet.judging import Judge
from melanet.objectives import adam
from melanet.reproducibility import reproducible
from melanet.unpaired import UnpairedImages

_JITTER = 0.05  # sd of the change of a table's row that is used again, in a range of width 2


@dataclass
class Filling:
    """What `fill_up` made.

    Parameters
    ----------
    samples : ndarray of shape (n_synthetic, *sample_shape), float32
        Synthetic samples in [-1, 1], class after class.
    source_indices, source_kinds : ndarray of shape (n_synthetic,)
        Row that each was made from, and "translation" or "copy".
    cyclegans, histories : dict
        label -> CycleGAN trained, and its losses by epoch.
    """

    samples: np.ndarray
    source_indices: np.ndarray
    source_kinds: np.ndarray
    cyclegans: dict = field(default_factory=dict)
    histories: dict = field(default_factory=dict)


def fill_up(recipe, *, samples, y, needs, sources, pretrained, seed, verbose=0):
    """Make the samples that the classes need.

    Parameters
    ----------
    recipe : dict
        See `melanet.recipes`.
    samples : ndarray of shape (n, *sample_shape), float32
        Real samples in [-1, 1].
    y : ndarray of shape (n,)
        Their labels.
    needs : dict
        label -> number of samples to make.
    sources : dict
        label -> rows of `samples` to translate.
    pretrained : dict
        label -> CycleGAN to use instead of training.
    seed : int
        Seed of all of it.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    Filling
    """
    made = Filling(samples[:0], np.zeros(0, int), np.zeros(0, "U11"))
    if not needs:
        return made
    with reproducible():
        judge = None
        classes, codes = np.unique(y, return_inverse=True)
        if recipe["reject"]:
            judge = Judge(flip=recipe["flip"], seed=seed % 2**20).fit(samples, codes)
        parts = []
        for label, n_samples in needs.items():
            code = int(np.flatnonzero(classes == label)[0])
            rows, own = sources[label], np.flatnonzero(codes == code)
            # Seeded by the class: what one class gets does not hang on the others' needs.
            seeds = np.random.SeedSequence([seed, code]).generate_state(2)
            cyclegan = pretrained.get(label)
            if cyclegan is None:
                cyclegan, history = train(
                    recipe,
                    samples[rows],
                    samples[own],
                    seed=int(seeds[0]) % 2**20,
                    name=f"class {label}",
                    verbose=verbose,
                )
                made.cyclegans[label], made.histories[label] = cyclegan, history
            accepts = None if judge is None else (lambda x, c=code: judge.accepts(x, c))
            rng = np.random.default_rng(seeds[1])
            *part, problem = _make(recipe, cyclegan, accepts, samples, rows, own, n_samples, rng)
            parts.append(part)
            if problem:
                _warn(plain(label), problem, part[-1])
    made.samples, made.source_indices, made.source_kinds = map(np.concatenate, zip(*parts))
    return made


def train(recipe, A, B, *, seed, name="", verbose=0):
    """Train a CycleGAN from A to B.

    Parameters
    ----------
    recipe : dict
        See `melanet.recipes`.
    A, B : ndarray of shape (n, *sample_shape), float32
        The two sets, in [-1, 1].
    seed : int
        Seed of weights, order and augmentation.
    name : str
        Named in progress and errors.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    cyclegan : CycleGAN
    history : dict
        Name of a loss -> list of its values by epoch.

    Raises
    ------
    melanet.callbacks.TrainingDiverged
        If the loss becomes infinite or not a number.
    """
    batches, epochs = batches_of(recipe, A, B, seed)
    total = epochs * len(batches)
    cyclegan = build(recipe, A.shape[1:], seed, total)
    callbacks = [StopOnNonFinite(f"CycleGAN {name}".strip())]
    if verbose:
        callbacks.append(Progress(f"CycleGAN {name}".strip(), total))
    try:
        history = cyclegan.fit(batches, epochs=epochs, callbacks=callbacks, verbose=0)
    finally:
        batches.A = batches.B = None  # TensorFlow keeps the loader; the images must not stay
        for callback in callbacks[1:]:
            callback.stop()
    return cyclegan, {k: [float(v) for v in values] for k, values in history.history.items()}


def batches_of(recipe, A, B, seed):
    """Return the batches that a recipe trains on, and for how many epochs."""
    epochs, steps = recipes.epochs_and_steps(recipe)
    batches = UnpairedImages(
        A,
        B,
        recipe["batch_size"],
        seed,
        steps=steps,
        flip=recipe["flip"],
        augment=Augmentation() if recipe["augment"] else None,
    )
    return batches, epochs


def build(recipe, shape, seed, n_steps):
    """Return the CycleGAN that a recipe trains for `n_steps`, compiled."""
    cyclegan = CycleGAN.from_shape(
        shape,
        generator=recipe["generator"],
        filters=recipe["filters"],
        discriminator_filters=recipe["discriminator_filters"],
        identity_weight=recipe["identity_weight"],
        seed=seed,
    )
    decay = n_steps if recipe["decay"] else None
    cyclegan.compile(optimizer=adam(recipe["learning_rate"], decay))
    return cyclegan


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


def _make(recipe, cyclegan, accepts, samples, rows, own, n_samples, rng):
    """Return `n_samples` synthetic samples, their source rows and kinds, and what went wrong."""
    draws, uses = _cycle(rows, 2 * n_samples, rng)
    vary = _variation(recipe, samples.ndim == 2)
    guard = Guard(samples[rows], samples[own]) if recipe["guard"] else None
    everything = np.ones(n_samples, bool)

    def attempt(part):
        chosen = samples[draws[part]]
        again = uses[part] > 0
        if again.any():
            chosen[again] = vary(chosen[again], uses[part][again], rng)
        made = translate(cyclegan, chosen, recipe)
        changed = everything[: len(made)] if guard is None else guard.passes(made, chosen)
        accepted = everything[: len(made)] if accepts is None else accepts(made)
        return made, draws[part], changed, accepted

    made, source, changed, accepted = attempt(slice(n_samples))
    passed = changed & accepted
    failed = np.flatnonzero(~passed)
    if len(failed):
        retried, retried_source, *votes = attempt(slice(n_samples, n_samples + len(failed)))
        better = np.logical_and(*votes)
        mended = failed[better]
        made[mended], source[mended] = retried[better], retried_source[better]
        passed[mended] = True
    problem = None
    if guard is not None:
        diversity = guard.collapsed(made[passed])
        passed &= diversity is None
        problem = complaint(
            n_samples,
            unchanged=int((~changed).sum()),
            refused=int((~accepted).sum()),
            diversity=diversity,
        )
    failed = np.flatnonzero(~passed)
    if len(failed):
        source[failed], _ = _cycle(own, len(failed), rng)
        copies = samples[source[failed]]
        # A table's copies are made where its columns are known.
        made[failed] = (
            copies if copies.ndim == 2 else Augmentation(flip=recipe["flip"])(copies, rng)
        )
    return made, source, np.where(passed, "translation", "copy").astype("U11"), problem


def _warn(label, problem, kinds):
    copies = int((kinds == "copy").sum())
    warnings.warn(
        f"Class {label!r}: {problem}. Of its {len(kinds)} synthetic samples {copies} are copies of "
        "real ones of the class, changed a little (see source_kind_). Train longer, collect more, "
        "or take another remedy for this class; guard=False does without this check",
        stacklevel=7,
    )


def _cycle(rows, n, rng):
    """Draw n rows, each as often as the others; return them and how often each came before."""
    rounds = -(-n // len(rows))
    drawn = np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:n]
    return drawn, np.arange(n) // len(rows)


def _variation(recipe, table):
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
