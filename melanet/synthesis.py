"""From real samples to synthetic ones: a CycleGAN for each class, trained or given, and a judge."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from melanet import recipes
from melanet.augmentation import Augmentation
from melanet.callbacks import Progress, StopOnNonFinite
from melanet.cyclegan import CycleGAN
from melanet.filling import make
from melanet.input_checks import plain
from melanet.judging import Judge, reduced
from melanet.objectives import adam
from melanet.portions import most_of, parts, spread
from melanet.reproducibility import reproducible
from melanet.translating import matching_of
from melanet.unpaired import UnpairedImages


@dataclass
class Filling:
    """What `fill_up` made.

    Parameters
    ----------
    source_indices, source_kinds : ndarray of shape (n_synthetic,)
        Row that each sample was made from, and "translation" or "copy", class after class.
    cyclegans, histories, matchings : dict
        label -> CycleGAN trained, its losses by epoch, and the correction of what it makes.
    """

    source_indices: np.ndarray
    source_kinds: np.ndarray
    cyclegans: dict = field(default_factory=dict)
    histories: dict = field(default_factory=dict)
    matchings: dict = field(default_factory=dict)


def fill_up(recipe, *, samples, y, needs, sources, pretrained, seed, out, decode, verbose=0):
    """Make the samples that the classes need.

    Parameters
    ----------
    recipe : dict
        See `melanet.recipes`.
    samples : ndarray or EncodedImages of shape (n, *sample_shape), float32
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
    out : ndarray of shape (n_synthetic, ...)
        Where they go, class after class.
    decode : callable
        Turns float32 samples in [-1, 1] into those of `out`.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    Filling
    """
    made = Filling(np.zeros(0, int), np.zeros(0, "U11"))
    if not needs:
        return made
    with reproducible():
        judge = None
        classes, codes = np.unique(y, return_inverse=True)
        if recipe["reject"]:
            small = [reduced(samples[part]) for part in parts(len(samples), samples.shape[1:])]
            judge = Judge(flip=recipe["flip"], seed=seed % 2**20).fit(np.concatenate(small), codes)
            del small
        provenance, start = [], 0
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
            matching = known = None
            if recipe["match"]:
                most = most_of(samples.shape[1:])
                few = spread(rows, most), samples[spread(own, most)]
                matching, known = matching_of(recipe, cyclegan, samples.__getitem__, *few)
                made.matchings[label] = matching
            accepts = None if judge is None else (lambda x, c=code: judge.accepts(x, c))
            rng = np.random.default_rng(seeds[1])
            source, kinds, problem = make(
                recipe,
                cyclegan,
                matching,
                accepts,
                samples=samples,
                rows=rows,
                own=own,
                out=out[start : start + n_samples],
                decode=decode,
                rng=rng,
                known=known,
            )
            start += n_samples
            provenance.append((source, kinds))
            if problem:
                _warn(plain(label), problem, kinds)
    made.source_indices, made.source_kinds = map(np.concatenate, zip(*provenance))
    return made


def read_pretrained(pretrained, y, sample_shape):
    """Read the CycleGANs that are not to be trained.

    Parameters
    ----------
    pretrained : dict or None
        label -> CycleGAN or path of one.
    y : ndarray of shape (n,)
        Labels of the data.
    sample_shape : tuple of int
        What they have to translate.

    Returns
    -------
    dict
        label of `y` -> CycleGAN.

    Raises
    ------
    ValueError
        If there is no such class, or a CycleGAN translates samples of another shape.
    """
    models = {}
    present = {plain(label): label for label in np.unique(y)}
    for label, source in (pretrained or {}).items():
        if label not in present:
            raise ValueError(
                f"pretrained has the key {label!r}, but y has no such class. "
                f"Received: classes {sorted(present)}"
            )
        model = CycleGAN.from_pretrained(source)
        if model.sample_shape != sample_shape:
            raise ValueError(
                f"pretrained[{label!r}] translates samples of shape {model.sample_shape}, but "
                f"X holds samples of shape {sample_shape}. Resize the images to "
                "the model's size, or leave the key out to train"
            )
        models[present[label]] = model
    return models


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
        augment=Augmentation(share=recipe["augment"]) if recipe["augment"] else None,
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


def _warn(label, problem, kinds):
    copies = int((kinds == "copy").sum())
    warnings.warn(
        f"Class {label!r}: {problem}. Of its {len(kinds)} synthetic samples {copies} are copies of "
        "real ones of the class (see source_kind_). Train longer, collect more, "
        "or take another remedy for this class; guard=False does without this check",
        stacklevel=7,
    )
