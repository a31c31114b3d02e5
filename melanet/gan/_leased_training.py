"""Trainings by a recipe on compiled models that are leased from a store."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from melanet.callbacks import Checkpoint, Progress, StopOnNonFinite, TimeLimit
from melanet.gan import networks
from melanet.gan._conditional_cyclegan import ConditionalCycleGAN
from melanet.gan._cyclegan import NETWORKS, CycleGAN
from melanet.gan._edit_gan import EditGAN, Guide
from melanet.gan._recipe import TrainingRecipe
from melanet.gan._unpaired_dataset import UnpairedDataset, UnpairedFiles, UnpairedImages
from melanet.images import Augmentation, Jitter
from melanet.preprocessing import PictureFiles
from melanet.utils import reproducible
from melanet.utils._model_store import STORE, copy_variables, reset_optimizer

_OBSERVERS: ContextVar[tuple[keras.callbacks.Callback, ...]] = ContextVar("observers", default=())


@contextlib.contextmanager
def observed(callback: keras.callbacks.Callback) -> Iterator[None]:
    """Add a callback to all trainings inside the block, those that a sampler starts included."""
    token = _OBSERVERS.set((*_OBSERVERS.get(), callback))
    try:
        yield
    finally:
        _OBSERVERS.reset(token)


@dataclass
class Training:
    """A finished training, while its compiled model is leased.

    Parameters
    ----------
    cyclegan : CycleGAN
        Trained and compiled; other trainings use it later.
    history : dict
        Name of a loss -> list of its values by epoch.
    networks : dict
        Name -> uncompiled network of the same structure, of those that were trained.
    """

    cyclegan: CycleGAN
    history: dict[str, list[float]]
    networks: dict[str, keras.Model]

    def copy(self) -> CycleGAN:
        """Return a CycleGAN with the trained weights that no other training uses.

        Of an `EditGAN` it has the generator alone.
        """
        for name, network in self.networks.items():
            copy_variables(getattr(self.cyclegan, name), network)
        if isinstance(self.cyclegan, EditGAN):
            return CycleGAN(self.networks["generator_ab"], None, None, None)
        ab, ba, a, b = (self.networks[name] for name in NETWORKS)
        return CycleGAN(ab, ba, a, b, identity_weight=self.cyclegan.identity_weight)


@contextlib.contextmanager
def leased_training(
    recipe: TrainingRecipe,
    A: np.ndarray | PictureFiles,
    B: np.ndarray | PictureFiles,
    *,
    guide: Guide | None = None,
    seed: int = 0,
    name: str = "CycleGAN",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> Iterator[Training]:
    """Train as `melanet.gan.training.train` does, on a model that is leased until the block ends.

    Inside the block, the compiled model translates without compiling again.
    """
    batches, epochs = unpaired_dataset(recipe, A, B, seed)
    shape = A.sample_shape if isinstance(A, PictureFiles) else tuple(A.shape[1:])
    initial = initial_networks(recipe, shape, guide, seed)
    with leased_fit(
        recipe,
        shape,
        batches,
        epochs,
        initial,
        guide,
        name=name,
        callbacks=callbacks,
        verbose=verbose,
    ) as (cyclegan, losses):
        if isinstance(cyclegan, EditGAN):
            networks.set_edit_strength(cyclegan.generator_ab, recipe.edit_strength)
        yield Training(cyclegan, losses, initial)


@contextlib.contextmanager
def leased_fit(
    recipe: TrainingRecipe,
    shape: tuple[int, ...],
    batches: UnpairedDataset,
    epochs: int,
    initial: Mapping[str, keras.Model],
    guide: Guide | None = None,
    n_classes: int | None = None,
    *,
    name: str,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: int,
) -> Iterator[tuple[CycleGAN, dict[str, list[float]]]]:
    """Fit a leased model from the weights of `initial`, and yield it and its losses by epoch."""
    n_steps = epochs * len(batches)
    checkpoint = next((c for c in callbacks if isinstance(c, Checkpoint)), None)
    structure: Any = (
        "CycleGAN",
        shape,
        recipe.generator,
        recipe.filters,
        recipe.discriminator_filters,
        recipe.identity_weight,
        recipe.class_weight,
        recipe.edit_weight,
        recipe.edit_side,
        guide and guide.structure,
        n_classes,
    )
    if not all(type(callback).__module__.startswith("melanet.") for callback in callbacks):
        structure = None  # the user's callbacks may keep the model that they see
    with (
        reproducible(),
        STORE.lease(structure, lambda: _build(recipe, shape, guide, n_classes)) as cyclegan,
    ):
        for network_name, network in initial.items():
            copy_variables(network, getattr(cyclegan, network_name))
        if isinstance(cyclegan, EditGAN) and guide is not None:
            guide.assign(cyclegan.features, cyclegan.scorer)
            cyclegan.set_colours(*guide.colours)
        if isinstance(cyclegan, ConditionalCycleGAN):
            cyclegan.spread(batches.seed)
        decay_steps = n_steps if recipe.decay else 0
        reset_optimizer(
            cyclegan.optimizer, learning_rate=recipe.learning_rate, decay_steps=decay_steps
        )
        done = checkpoint.restore(cyclegan, batches) if checkpoint else 0
        watchers: list[Any] = [StopOnNonFinite(name), *callbacks, *_OBSERVERS.get()]
        if recipe.max_seconds is not None:
            watchers.append(TimeLimit(recipe.max_seconds))
        bar = Progress(name, n_steps - done * len(batches)) if verbose else None
        if bar is not None:
            watchers.append(bar)
        try:
            history = cyclegan.fit(
                batches, initial_epoch=done, epochs=epochs, callbacks=watchers, verbose=0
            ).history
        finally:
            batches.A = batches.B = None  # TensorFlow keeps the data set alive
            if bar is not None:
                bar.stop()
        if checkpoint:
            history = checkpoint.history  # with the epochs before a resume
        yield cyclegan, {k: [float(v) for v in values] for k, values in history.items()}


def _build(
    recipe: TrainingRecipe, shape: tuple[int, ...], guide: Guide | None, n_classes: int | None
) -> CycleGAN:
    model: CycleGAN
    built = initial_networks(recipe, shape, guide, 0)
    if recipe.generator == "edit":
        features, scorer = _checked(guide).build()
        model = EditGAN(
            built["generator_ab"],
            built["discriminator_b"],
            features,
            scorer,
            class_weight=recipe.class_weight,
            edit_weight=recipe.edit_weight,
        )
    else:
        kind: Any = CycleGAN
        if n_classes is not None:
            kind = functools.partial(ConditionalCycleGAN, n_classes=n_classes)
        model = kind(**built, identity_weight=recipe.identity_weight)
    model.optimizer.build(model.trainable_variables)  # before its state is reset
    return model


def _checked(guide):
    if guide is None:
        raise ValueError(
            'generator="edit" needs a guide, as melanet.features.fit_guide returns. '
            "Received: guide=None"
        )
    return guide


def initial_networks(recipe, shape, guide, seed):
    """Return new networks by name, with the weights that a seed gives."""
    widths = recipe.filters, recipe.discriminator_filters
    if recipe.generator == "edit":
        maps = _checked(guide).map_shapes
        built = networks.build_edit_pair(shape, maps, *widths, recipe.edit_side, seed)
        return dict(zip(("generator_ab", "discriminator_b"), built))
    return dict(zip(NETWORKS, networks.build_four(shape, recipe.generator, *widths, seed)))


def unpaired_dataset(
    recipe: TrainingRecipe,
    A: np.ndarray | PictureFiles,
    B: np.ndarray | PictureFiles,
    seed: int,
) -> tuple[UnpairedDataset, int]:
    """Return the batches that a recipe trains on, and the number of epochs."""
    epochs, options = batch_options(recipe, seed)
    if isinstance(A, PictureFiles) and isinstance(B, PictureFiles):
        sides = A.paths.tolist(), B.paths.tolist()
        *size, options["channels"] = A.sample_shape
        return UnpairedFiles(*sides, size, value_range=A.value_range, **options), epochs
    return UnpairedImages(np.asarray(A), np.asarray(B), **options), epochs


def batch_options(recipe, seed):
    """Return the number of epochs, and a recipe's options of an `UnpairedDataset`."""
    epochs, steps = recipe.schedule()
    options: dict[str, Any] = {
        "batch_size": recipe.batch_size,
        "seed": seed,
        "steps": steps,
        "flip": recipe.flip,
        "augment": _augmentation(recipe),
    }
    return epochs, options


def _augmentation(recipe):
    if recipe.augment:
        return Augmentation(share=recipe.augment)
    return Jitter(recipe.shift, light=0, tint=0, noise=0) if recipe.shift else None
