"""Build a CycleGAN from a recipe and train it: in memory, from files, resumable."""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from melanet.callbacks import Checkpoint, PictureGrid, Progress, StopOnNonFinite, TimeLimit
from melanet.gan import networks
from melanet.gan._conditional_cyclegan import ConditionalCycleGAN
from melanet.gan._cyclegan import NETWORKS, CycleGAN
from melanet.gan._edit_gan import EditGAN, Guide
from melanet.gan._unpaired_dataset import (
    ConditionalImages,
    UnpairedDataset,
    UnpairedFiles,
    UnpairedImages,
)
from melanet.images import Augmentation, Jitter
from melanet.preprocessing import PictureFiles, as_samples, read_form
from melanet.utils import reproducible
from melanet.utils._files import (
    atomic_path,
    check_writable,
    history_rows,
    resolve,
    resumable,
    write_csv,
)
from melanet.utils._model_store import STORE, copy_variables, reset_optimizer
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_integer

_MAX_EPOCHS = 10  # a budget in steps is divided into at most this many epochs
_MAX_GRIDS = 10  # image grids written during a training


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """Settings of the training of one CycleGAN.

    Parameters
    ----------
    generator : {"unet", "resnet", "edit"} or None
        Architecture of the generators; None for tables, which get dense networks. "edit" trains
        an `EditGAN` instead of a CycleGAN, which needs a guide.
    filters, discriminator_filters : int
        Widths of the first levels.
    steps, epochs : int or None
        Training budget: steps, or passes over the smaller set. One of them is None.
    batch_size : int
        Pairs of samples per step.
    learning_rate : float
        Adam's initial learning rate.
    decay : bool
        Whether the learning rate falls linearly to zero.
    identity_weight : float
        Weight of the identity loss.
    augment : float
        Share of the training images, in [0, 1], that are augmented.
    flip : {"horizontal", "vertical", "both"} or None
        Mirror images that belong to the same class.
    shift : float
        Largest shift of the training images, as a share of the side.
    class_weight, edit_weight : float
        Weights of an `EditGAN`'s losses.
    edit_strength : float
        Factor by which the trained edits are multiplied.
    edit_side : int or None
        Side, in pixels, at which edits are computed; None takes the images' own.
    max_seconds : float or None, default=None
        Time after which the training ends, wherever it is. The result then depends on the
        machine's speed and does not repeat bit for bit.
    """

    generator: str | None
    filters: int
    discriminator_filters: int
    steps: int | None
    epochs: int | None
    batch_size: int
    learning_rate: float
    decay: bool
    identity_weight: float
    augment: float
    flip: str | None
    shift: float = 0.0
    class_weight: float = 0.0
    edit_weight: float = 0.0
    edit_strength: float = 1.0
    edit_side: int | None = None
    max_seconds: float | None = None

    def schedule(self) -> tuple[int, int | None]:
        """Return the number of epochs and the steps of each, None for a pass over the data."""
        if self.epochs:
            return self.epochs, None
        steps = self.steps or 1
        epochs = max(n for n in range(1, _MAX_EPOCHS + 1) if steps % n == 0)
        return epochs, steps // epochs

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as a dict that JSON can hold."""
        return asdict(self)


def _build(
    recipe: TrainingRecipe, shape: tuple[int, ...], guide: Guide | None, n_classes: int | None
) -> CycleGAN:
    model: CycleGAN
    built = _initial_networks(recipe, shape, guide, 0)
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


def _initial_networks(recipe, shape, guide, seed):
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
    epochs, options = _batch_options(recipe, seed)
    if isinstance(A, PictureFiles) and isinstance(B, PictureFiles):
        sides = A.paths.tolist(), B.paths.tolist()
        files = UnpairedFiles(*sides, A.sample_shape[:2], value_range=A.value_range, **options)
        return files, epochs
    return UnpairedImages(np.asarray(A), np.asarray(B), **options), epochs


def _batch_options(recipe, seed):
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
    """Train as `train` does, and yield the compiled model, which is leased until the block ends.

    Inside the block, the model translates without compiling again.
    """
    batches, epochs = unpaired_dataset(recipe, A, B, seed)
    shape = A.sample_shape if isinstance(A, PictureFiles) else tuple(A.shape[1:])
    initial = _initial_networks(recipe, shape, guide, seed)
    with _leased_fit(
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
def _leased_fit(
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
        watchers: list[Any] = [StopOnNonFinite(name), *callbacks]
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


class ConditionalTraining:
    """A finished training of several classes, while its compiled model is leased.

    Parameters
    ----------
    cyclegan : ConditionalCycleGAN
        Trained and compiled; other trainings use it later.
    history : dict
        Name of a loss -> list of its values by epoch, over all classes.
    labels : sequence
        Labels of the classes.
    build : callable
        Returns new uncompiled networks by name, of the structure of those that were trained.
    """

    def __init__(
        self,
        cyclegan: ConditionalCycleGAN,
        history: dict[str, list[float]],
        labels: Sequence[Any],
        build: Callable[[], dict[str, keras.Model]],
    ):
        self._cyclegan, self._history = cyclegan, history
        self._labels, self._build = list(labels), build

    def select(self, label: Any) -> Training:
        """Return the training of a class, which holds until another one is selected."""
        self._cyclegan.select(self._labels.index(label))
        history = {name: list(values) for name, values in self._history.items()}
        return Training(self._cyclegan, history, self._build())


@contextlib.contextmanager
def leased_conditional_training(
    recipe: TrainingRecipe,
    A: np.ndarray,
    classes: Mapping[Any, np.ndarray],
    *,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> Iterator[ConditionalTraining]:
    """Train one translator from A to several classes, leased until the block ends.

    Inside the block, the classes are selected in turn, each as if it had been trained alone.

    Parameters
    ----------
    recipe : TrainingRecipe
        Settings, of one training of all classes. Its generators redraw.
    A : ndarray of shape (n, *sample_shape), float32
        Samples to translate, in [-1, 1].
    classes : dict
        label -> samples of the class.
    seed, callbacks, verbose
        As in `train`.

    Yields
    ------
    ConditionalTraining

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from melanet.gan.training import leased_conditional_training
    >>> from melanet.over_sampling import PRESETS
    >>> recipe = replace(PRESETS["default"], steps=4, filters=2, discriminator_filters=2)
    >>> A, b, c = (np.full((4, 8, 8, 1), value) for value in (-0.5, 0, 0.5))
    >>> with leased_conditional_training(recipe, A, {"b": b, "c": c}) as trainings:
    ...     cyclegans = {label: trainings.select(label).copy() for label in "bc"}
    >>> cyclegans["c"].translate(A).shape
    (4, 8, 8, 1)
    """
    epochs, options = _batch_options(recipe, seed)
    batches = ConditionalImages(A, list(classes.values()), **options)
    shape = tuple(A.shape[1:])

    def build():
        return _initial_networks(recipe, shape, None, seed)

    with _leased_fit(
        recipe,
        shape,
        batches,
        epochs,
        build(),
        n_classes=len(classes),
        name=f"CycleGAN of {len(classes)} classes",
        callbacks=callbacks,
        verbose=verbose,
    ) as (cyclegan, losses):
        assert isinstance(cyclegan, ConditionalCycleGAN)
        yield ConditionalTraining(cyclegan, losses, list(classes), build)


def train(
    recipe: TrainingRecipe,
    A: np.ndarray | PictureFiles,
    B: np.ndarray | PictureFiles,
    *,
    guide: Guide | None = None,
    seed: int = 0,
    name: str = "CycleGAN",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> tuple[CycleGAN, dict[str, list[float]]]:
    """Train a CycleGAN from A to B.

    Parameters
    ----------
    recipe : TrainingRecipe
        Settings, such as a preset of `melanet.over_sampling`.
    A, B : ndarray of shape (n, *sample_shape), float32, or PictureFiles
        Samples of the two sets, in [-1, 1].
    guide : Guide or None, default=None
        Frozen features and their scores, for ``generator="edit"``.
    seed : int, default=0
        Seed of weights, order and augmentation.
    name : str, default="CycleGAN"
        Name in the progress bar and in errors.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Further callbacks. From a `melanet.callbacks.Checkpoint` among them the training resumes.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    cyclegan : CycleGAN
        Trained model.
    history : dict
        Name of a loss -> list of its values by epoch.

    Raises
    ------
    melanet.exceptions.TrainingDiverged
        If the loss becomes infinite or NaN.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from melanet.gan.training import train
    >>> from melanet.over_sampling import PRESETS
    >>> small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    >>> recipe = replace(PRESETS["default"], steps=2, **small)
    >>> A, B = np.full((4, 8, 8, 1), -0.5), np.full((3, 8, 8, 1), 0.5)
    >>> cyclegan, history = train(recipe, A, B)
    >>> len(history["loss"])
    2
    """
    with leased_training(
        recipe, A, B, guide=guide, seed=seed, name=name, callbacks=callbacks, verbose=verbose
    ) as training:
        return training.copy(), training.history


def train_and_save(
    A: np.ndarray,
    B: np.ndarray,
    path: PathLike,
    recipe: TrainingRecipe,
    *,
    guide: Callable[[np.ndarray, np.ndarray], Guide | None] | None = None,
    seed: int = 0,
    checkpoint_seconds: float = 60,
    value_range: tuple[float, float] | None = None,
    verbose: int = 0,
) -> CycleGAN:
    """Train a CycleGAN from images A to images B and save it; resume an interrupted training.

    Beside the file, ``<stem>.record.csv`` gets the losses by epoch, and the folder
    ``<stem>.samples`` image grids: samples of A, their translations and reconstructions, and the
    same for B. The state of an unfinished training is kept in a hidden folder beside `path`.
    The same call resumes there and ends with the same weights, bit for bit.

    Parameters
    ----------
    A, B : ndarray of shape (n_a, H, W, C) and (n_b, H, W, C)
        Images of the two sets on one scale, such as benign and malignant lesions in uint8.
    path : str or path-like
        File to write, ending in ``.keras``, for ``GANOversampler(pretrained={label: path})`` or
        ``CycleGAN.from_pretrained(path)``.
    recipe : TrainingRecipe
        Settings, as from `melanet.over_sampling.resolve_recipe`.
    guide : callable or None, default=None
        ``guide(A, B) -> Guide or None``, called with the encoded images.
    seed : int, default=0
        Seed of weights, order and augmentation.
    checkpoint_seconds : float, default=60
        Minimum time between two checkpoints.
    value_range : (float, float) or None, default=None
        Limits of the pixel values; None infers them from A.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    CycleGAN
        Trained model.

    Raises
    ------
    ValueError
        If `path` does not end in ``.keras``, or a set is empty, or of another shape or scale.
    OSError
        If a file cannot be written; that is tried before the training.
    melanet.exceptions.TrainingDiverged
        If the loss becomes infinite or NaN.
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"path must end in .keras. Received: {str(path)!r}")
    check_integer("seed", seed, 0)
    path = resolve(path)
    record, samples_folder = path.with_suffix(".record.csv"), path.with_suffix(".samples")
    check_writable(path, record, samples_folder / "epoch-0001.png")
    for name, images in (("A", A), ("B", B)):
        if not len(images):
            raise ValueError(f"{name} must hold at least one image. Received: none")
    form = read_form(A, value_range=value_range)
    samples = as_samples(form, A)[:], as_samples(form, B)[:]
    settings = {"recipe": recipe.as_dict(), "seed": seed, "data": [_digest(A), _digest(B)]}
    checkpoint = Checkpoint(
        path.with_name(f".{path.name}.training"), settings=settings, seconds=checkpoint_seconds
    )
    n_epochs = recipe.schedule()[0]
    grids = PictureGrid(samples_folder, *samples, every=max(1, -(-n_epochs // _MAX_GRIDS)))
    with (
        resumable(checkpoint.folder),
        leased_training(
            recipe,
            *samples,
            guide=guide and guide(*samples),
            seed=seed,
            callbacks=[checkpoint, grids],
            verbose=verbose,
        ) as training,
    ):
        model = training.copy()
        model.compile(optimizer="sgd")  # stateless: the file is a third as large
        try:
            write_csv(record, history_rows(training.history))
            with atomic_path(path) as partial:
                model.save(partial)
        except BaseException:
            checkpoint.write(n_epochs)  # the same call only saves
            raise
    model.compile()
    checkpoint.forget()
    return model


def _digest(images):
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
