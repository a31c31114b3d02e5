"""Helpers of several commands; nothing here imports a backend before it is needed."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

CLASSES_HELP = "folder with a folder of images for each class"
SOURCE_HELP = f"{CLASSES_HELP}, or a CSV file with columns path and label"
DEFAULT_HELP = "default: %(default)s"
_MAX_SEED = 2**32 - 1  # NumPy's
_TRAINING_BACKENDS = ("tensorflow", "torch", "jax")
_BACKENDS = (
    "KERAS_BACKEND must be tensorflow, torch or jax, and that package must be installed (pip "
    "install tensorflow, for example)"
)


def add_size_and_seed(add: Callable[..., Any], size: int = 256, least: int = 1) -> None:
    """Add the arguments ``--size``, with a default and a least value, and ``--seed``."""
    help = f"side that images are resized to ({DEFAULT_HELP})"
    add("--size", type=whole_number(least), default=size, metavar="PIXELS", help=help)
    add_seed(add)


def add_value_range(add: Callable[..., Any]) -> None:
    """Add the argument ``--value-range``."""
    add(
        "--value-range",
        type=number_pair,
        metavar="LOW,HIGH",
        help="limits of the values of grey files of more than 8 bits, such as 0,4095 (default: "
        "those of the files' bits)",
    )


def number_pair(text: str) -> tuple[float, float]:
    """Parse two increasing numbers with a comma between them, for ``type=``."""
    with contextlib.suppress(ValueError, argparse.ArgumentTypeError):
        low, high = map(finite_number, text.split(","))
        if low < high:
            return low, high
    raise argparse.ArgumentTypeError(
        f"must be two increasing numbers such as 0,4095. Received: {text!r}"
    )


def add_quality(add: Callable[..., Any]) -> None:
    """Add the arguments ``--quality`` and ``--features`` of the default recipe."""
    add(
        "--quality",
        choices=("draft", "default", "high"),
        default="default",
        help=f"length of the GAN's training by the default recipe ({DEFAULT_HELP})",
    )
    add(
        "--features",
        default="auto",
        metavar="NAME",
        help="network that guides the default recipe: auto (ImageNet weights in Keras' cache, if "
        "there are any), imagenet (download them), none, or a weights file",
    )


def parse_features(text: str) -> str | None:
    """Return the value of ``--features`` for Python: None for "none"."""
    return None if text == "none" else text


def add_seed(add: Callable[..., Any]) -> None:
    """Add the argument ``--seed``."""
    add("--seed", type=whole_number(0, _MAX_SEED), default=0, help=DEFAULT_HELP)


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers in a range, for ``type=``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            range_ = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be a whole number {range_}. Received: {text!r}")
        return number

    return parse


def finite_number(text: str) -> float:
    """Parse a number that is neither infinite nor NaN, for ``type=``."""
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise argparse.ArgumentTypeError(f"must be a number. Received: {text!r}")


def seconds(text: str) -> float:
    """Parse a time of more than zero seconds, for ``type=``."""
    if (number := finite_number(text)) > 0:
        return number
    raise argparse.ArgumentTypeError(f"must be more than 0. Received: {text!r}")


def load_backend(*, quiet: bool = True) -> None:
    """Import Keras and start its backend.

    Parameters
    ----------
    quiet : bool, default=True
        Whether the backend's messages are dropped. TensorFlow's compiled code writes them before
        its log level can be set, so the file descriptor is redirected meanwhile.

    Raises
    ------
    ImportError
        If the backend is unknown, not installed, or cannot train.
    """
    backend = os.environ.get("KERAS_BACKEND")
    try:
        with _silence() if quiet else contextlib.nullcontext():
            import keras

            backend = keras.backend.backend()
            keras.ops.zeros(1)  # starts the devices, which reports more
    except Exception as error:  # of many types, by the backend
        raise ImportError(
            f"Keras cannot load its backend. {_BACKENDS}. Received: KERAS_BACKEND={backend!r} "
            f"({error})"
        ) from error
    if backend not in _TRAINING_BACKENDS:
        raise ImportError(f"{_BACKENDS}. Received: KERAS_BACKEND={backend!r}")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop messages on standard error, and show that something happens meanwhile."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from rich.console import Console

    with Console().status("Loading Keras ..."), open(os.devnull, "wb") as nowhere:
        saved = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class Listing(NamedTuple):
    """Labelled image files.

    Parameters
    ----------
    paths, labels : ndarray of str of shape (n,)
        Files, and the names of their classes.
    groups : ndarray of str of shape (n,) or None
        Lesion or patient of each image; None if nothing is known.
    group_columns : dict of str -> ndarray of str of shape (n,)
        Columns of a table that say so.
    folder : Path
        Folder that the files' names are relative to.
    """

    paths: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    group_columns: dict[str, np.ndarray]
    folder: Path


def list_source(source: str | Path, subset: str = "train", groups: str | None = None) -> Listing:
    """List the images of a folder or of a table.

    Parameters
    ----------
    source : str or Path
        Folder with a folder for each class, or with trainA, trainB, testA and testB; or a CSV file
        with the columns path and label.
    subset : {"train", "test"}, default="train"
        Part of a folder of the second kind.
    groups : str or None, default=None
        Column of groups of a CSV file; None takes those that `load_image_table` knows.

    Raises
    ------
    ValueError
        If `groups` is given for a folder, or the folder or table is invalid.
    """
    from pathlib import Path

    from melanet.datasets import load_image_table

    path = Path(source)
    if path.is_file():
        found = load_image_table(path, groups=groups)
        return Listing(found.paths, found.labels, found.groups, found.group_columns, path.parent)
    if groups is not None:
        raise ValueError(
            f"--groups names a column of a CSV file. Received: --groups {groups} for {source}, "
            "which is a folder" + ("" if path.is_dir() else " or does not exist")
        )
    return Listing(*list_folder(str(source), subset), None, {}, path)


def load_pictures(
    paths: np.ndarray,
    size: int | Sequence[int],
    value_range: tuple[float, float] | None,
    channels: int = 3,
) -> np.ndarray:
    """Load images in colour, or in one channel; see `melanet.images.load_images`.

    Warns
    -----
    melanet.exceptions.ScaleWarning
        If values use a part of the files' bits.
    """
    import warnings

    from melanet.exceptions import ScaleWarning
    from melanet.images import Depth, check_size, likely_range, read_pictures

    depth = Depth(len(paths))
    images = read_pictures(list(paths), check_size(size), value_range, depth, channels=channels)
    brightest = int(images.max(initial=0))
    if not depth.n_deep and likely_range(8, 0, brightest) is not None:
        warnings.warn(
            f"The images are nearly black: their values of 0 to 255 reach {brightest}. Files of 8 "
            "bits are read as they are; if their contrast was lost when they were written, write "
            "them anew with values that use all bits",
            ScaleWarning,
            stacklevel=2,
        )
    return images


def add_groups(add: Callable[..., Any], use: str) -> None:
    """Add the argument ``--groups``; `use` says what the groups are for."""
    add(
        "--groups",
        metavar="COLUMN",
        help=f"column of a CSV file SRC with the lesion or patient of each image, {use} (default: "
        "group, or patient_id and lesion_id, if it has them)",
    )


def list_folder(path: str, subset: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """List the files and class names of a folder of labelled images; see `list_source`."""
    from pathlib import Path

    import numpy as np

    from melanet.datasets import load_image_folder

    parts = [f"{part}{side}" for part in ("train", "test") for side in "AB"]
    if not any((Path(path) / name).is_dir() for name in parts):
        subset = "train"  # the only part of a folder with a folder for each class
    found = load_image_folder(path, subset="test" if subset == "test" else "train")
    return found.paths, np.asarray(found.target_names)[np.asarray(found.target)]


def check_outside(name: str, path: str | Path, source: str | Path) -> None:
    """Raise ValueError if an output lies in a folder whose folders are classes."""
    from melanet.utils._files import resolve

    if resolve(path).is_relative_to(resolve(source)):
        raise ValueError(
            f"{name} must lie outside of {str(source)!r}, whose folders are classes. "
            f"Received: {str(path)!r}"
        )


def count_classes(y: np.ndarray, path: str) -> dict[str, int]:
    """Return class -> number of images, by name; raise ValueError for fewer than two classes."""
    import numpy as np

    names, counts = np.unique(y, return_counts=True)
    if len(names) < 2:
        raise ValueError(
            f"{path} must hold images of two classes or more, a folder for each. "
            f"Received: {names.tolist()}"
        )
    return dict(zip(names.tolist(), counts.tolist()))
