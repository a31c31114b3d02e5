"""``melanet oversample``: synthetic pictures for a folder of images, and where they came from."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from melanet.commands.files import read_folder, two_or_more
from melanet.cyclegan import CycleGAN
from melanet.over_sampling import GANOversampler
from melanet.writing import write_rows

MANIFEST = "manifest.csv"


def parse_strategy(text):
    """Turn the command's text into a `sampling_strategy`.

    Parameters
    ----------
    text : str
        A word of imbalanced-learn's such as "auto", a ratio such as "0.5", or numbers of images
        that classes shall have, such as "malignant=900,other=300".

    Returns
    -------
    str, float or dict

    Raises
    ------
    ValueError
        If a number of images is not a whole number.

    Examples
    --------
    >>> from melanet.commands.oversample import parse_strategy
    >>> parse_strategy("malignant=900")
    {'malignant': 900}
    """
    if "=" in text:
        pairs = [part.rpartition("=") for part in text.split(",")]
        if not all(n.strip().isdigit() for _, _, n in pairs):
            raise ValueError(
                f"sampling_strategy must be such as 'malignant=900,other=300'. Received: {text!r}"
            )
        return {name.strip(): int(n) for name, _, n in pairs}
    try:
        return float(text)
    except ValueError:
        return text


def oversample_folder(
    source,
    destination,
    *,
    models=(),
    sampling_strategy="auto",
    preset="default",
    size=None,
    seed=0,
    verbose=0,
):
    """Write synthetic pictures that fill up the rare classes of a folder of images.

    Parameters
    ----------
    source : str or path-like
        A folder with a folder for each class; nothing in it is changed.
    destination : str or path-like
        Folder to write, which must be new or empty: ``<class>/<number>.png`` of what was made,
        and ``manifest.csv`` with a row for each: its file, label, source file and its label,
        kind ("translation", or "copy" for an augmented copy), model and seed. The originals are
        not copied. The folder is whole or not there.
    models : sequence of str, default=()
        Files of CycleGANs to use instead of training: ``FILE``, which fills up the rarest
        class, or ``CLASS=FILE``.
    sampling_strategy : float, str or dict, default="auto"
        As in imbalanced-learn, with the folders' names as labels.
    preset : {"default", "paper"}, default="default"
        Recipe of the training; with `models`, whether translations are judged ("default") or
        stretched ("paper").
    size : int or None, default=None
        Side that images are resized to; None takes that of the first model, or 256.
    seed : int, default=0
        Seed of it all.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    dict
        Class -> number of pictures written.

    Raises
    ------
    ValueError
        If the folders or parameters do not fit, or nothing has to be made.
    OSError
        If an image or model cannot be read.
    """
    source, destination = Path(source), Path(destination)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise ValueError(
            f"destination must be a new or an empty folder. Received: {str(destination)!r}, "
            "which holds something. Remove it, or name another"
        )
    named = [_split(model) for model in models]
    cyclegans = [(label, file, CycleGAN.from_pretrained(file)) for label, file in named]
    if size is None:
        size = cyclegans[0][2].sample_shape[:2] if cyclegans else 256
    X, y, paths = read_folder(source, size)
    counts = two_or_more(y, source)
    rarest = min(counts, key=counts.get)
    cyclegans = [(label or rarest, file, model) for label, file, model in cyclegans]
    sampler = GANOversampler(
        sampling_strategy=sampling_strategy,
        preset=preset,
        pretrained={label: model for label, _, model in cyclegans},
        random_state=seed,
        verbose=verbose,
    )
    X_res, y_res = sampler.fit_resample(X, y)
    made, labels = X_res[len(X) :], y_res[len(X) :].tolist()
    if not labels:
        raise ValueError(
            f"sampling_strategy={sampling_strategy!r} asks for no further image. Received: {counts}"
        )
    files = {label: file for label, file, _ in cyclegans}
    partial = destination.with_name(f".partial-{destination.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        rows = [
            {
                "file": _write(partial, label, i, picture),
                "label": label,
                "source": paths[row].relative_to(source).as_posix(),
                "source_label": y[row].item(),
                "kind": kind,
                "model": files.get(label, "trained here") if kind == "translation" else "",
                "seed": seed,
            }
            for i, (picture, label, row, kind) in enumerate(
                zip(made, labels, sampler.source_indices_, sampler.source_kind_.tolist())
            )
        ]
        write_rows(partial / MANIFEST, rows)
        if destination.exists():
            destination.rmdir()
        partial.replace(destination)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return dict(Counter(labels))


def _split(model):
    """Return (class or None, file) of ``FILE`` or ``CLASS=FILE``."""
    label, sign, file = model.partition("=")
    return (label, file) if sign and not Path(model).exists() else (None, model)


def _write(folder, label, number, picture):
    name = f"{label}/synthetic-{number:06d}.png"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(picture)).save(path)
    return name
