"""Build a CycleGAN from a recipe and train it: in memory, from files, resumable."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from melanet.callbacks import Checkpoint, PictureGrid
from melanet.gan._cyclegan import CycleGAN
from melanet.gan._edit_gan import Guide
from melanet.gan._leased_training import leased_training
from melanet.gan._recipe import TrainingRecipe
from melanet.preprocessing import PictureFiles, as_samples, read_form
from melanet.utils._files import (
    atomic_path,
    check_writable,
    history_rows,
    resolve,
    resumable,
    write_csv,
)
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_integer

_MAX_GRIDS = 10  # image grids written during a training


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
    A, B : ndarray of shape (n, ...), float32, or PictureFiles
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
