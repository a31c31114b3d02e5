"""``melanet train-gan``: a CycleGAN of two sets of images, trained so that a stop loses little."""

import hashlib
from pathlib import Path

import numpy as np

from melanet.callbacks._checkpoint import Checkpoint
from melanet.callbacks._monitoring import PictureGrid, Progress, StopOnNonFinite
from melanet.cli._common import read_folder, two_or_more
from melanet.gan import training
from melanet.over_sampling import _presets
from melanet.over_sampling._gan_oversampler import GANOversampler
from melanet.preprocessing._forms import read_form
from melanet.utils._files import atomic_path, history_rows, write_csv
from melanet.utils._keras import reproducible

_MOST_GRIDS = 10


def train_gan(
    A,
    B,
    out,
    *,
    preset="paper",
    steps=None,
    epochs=None,
    seed=0,
    checkpoint_seconds=60,
    verbose=0,
):
    """Train a CycleGAN from A to B and write it; a training that was cut off goes on.

    Beside the file `out` come ``<stem>.record.csv``, the losses by epoch, and the folder
    ``<stem>.samples`` with pictures: samples of A, their translations and reconstructions, and
    the same for B. While it trains, its state is kept in a hidden folder beside `out`. Called
    again with the same images and settings, it goes on from there and ends with the same bits.

    Parameters
    ----------
    A, B : ndarray of shape (n_a, H, W, C) and (n_b, H, W, C), uint8
        Images of the two sets, such as benign and malignant lesions.
    out : str or path-like
        File to write, ending in ``.keras``, for ``GANOversampler(pretrained={label: out})`` or
        ``CycleGAN.from_pretrained(out)``.
    preset : {"paper", "default"}, default="paper"
        Recipe, as of `melanet.GANOversampler`.
    steps, epochs : int or None, default=None
        Training budget; None takes the recipe's. Give one.
    seed : int, default=0
        Seed of weights, order and augmentation.
    checkpoint_seconds : float, default=60
        State is written at the end of the first epoch after so much time.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    CycleGAN
        Trained.

    Raises
    ------
    ValueError
        If `out` does not end in ``.keras``, or a set is empty or of another shape.
    melanet.exceptions.TrainingDiverged
        If the loss becomes infinite or not a number.
    """
    out = Path(out)
    if out.suffix != ".keras":
        raise ValueError(f"out must end in .keras. Received: {str(out)!r}")
    for name, images in (("A", A), ("B", B)):
        if not len(images):
            raise ValueError(f"{name} must hold at least one image. Received: none")
    choices = GANOversampler(preset=preset, steps=steps, epochs=epochs)
    recipe = _presets.resolve(choices, np.shape(A)[1:])
    form = read_form(A)
    batches, n_epochs = training.batches_of(recipe, form.encode(A), form.encode(B), seed)
    settings = {"recipe": recipe, "seed": seed, "data": [_digest(A), _digest(B)]}
    folder = out.with_name(f".{out.name}.training")
    checkpoint = Checkpoint(folder, settings=settings, seconds=checkpoint_seconds)
    total = n_epochs * len(batches)
    with reproducible():
        model = training.build(recipe, form.image_shape, seed, total)
        done = checkpoint.restore(model, batches)
        callbacks = [StopOnNonFinite("CycleGAN"), checkpoint, _grids(out, batches, n_epochs)]
        if verbose:
            callbacks.append(Progress("CycleGAN", total - done * len(batches)))
        try:
            model.fit(batches, initial_epoch=done, epochs=n_epochs, callbacks=callbacks, verbose=0)
        finally:
            batches.A = batches.B = None  # TensorFlow keeps the loader; the images must not stay
            if verbose:
                callbacks[-1].stop()
    write_csv(out.with_suffix(".record.csv"), history_rows(checkpoint.history))
    model.compile(optimizer="sgd")  # has no state: the file is a third as large
    with atomic_path(out) as partial:
        model.save(partial)
    model.compile()
    checkpoint.forget()
    return model


def train_gan_from_folder(path, out, *, size=256, target=None, source=None, **options):
    """Train a CycleGAN on a folder of images; see `train_gan`.

    Parameters
    ----------
    path : str or path-like
        A folder with a folder for each class, or with trainA and trainB.
    out : str or path-like
        File to write.
    size : int, default=256
        Side that images are resized to.
    target, source : str or None, default=None
        Classes to translate to and from: by default the rarest and the most common, or B and A.
    **options
        Passed to `train_gan`.

    Returns
    -------
    model : CycleGAN
    source, target : str
        The classes.

    Raises
    ------
    ValueError, OSError
        If there are no two classes of images, or no such class.
    """
    X, y, paths = read_folder(path, size)
    counts = two_or_more(y, path)
    if {file.parent.name for file in paths} == {"trainA", "trainB"}:
        source, target = sorted(counts)
    target = target or min(counts, key=counts.get)
    rest = {name: n for name, n in counts.items() if name != target}
    source = source or max(rest, key=rest.get)
    for name, value in (("target", target), ("source", source)):
        if value not in counts or target == source:
            raise ValueError(
                f"{name} must be one of two different classes of {list(counts)}. "
                f"Received: {name}={value!r}"
            )
    return train_gan(X[y == source], X[y == target], out, **options), source, target


def _grids(out, batches, n_epochs):
    folder = out.with_suffix(".samples")
    every = max(1, -(-n_epochs // _MOST_GRIDS))
    return PictureGrid(folder, batches.A, batches.B, every=every)


def _digest(images):
    return hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
