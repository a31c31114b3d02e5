"""Helpers of several commands; nothing here imports a backend before it is needed."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

CLASSES_HELP = "folder with a folder of images for each class"
DEFAULT_HELP = "default: %(default)s"


def add_size_and_seed(add: Callable[..., Any]) -> None:
    """Add the arguments ``--size`` and ``--seed``."""
    add("--size", type=int, default=256, metavar="PIXELS", help=f"image side ({DEFAULT_HELP})")
    add("--seed", type=int, default=0, help=DEFAULT_HELP)


def add_quality(add: Callable[..., Any]) -> None:
    """Add the arguments ``--quality`` and ``--features`` of the default recipe."""
    add(
        "--quality",
        choices=("draft", "default", "high"),
        default="default",
        help=f"length of the default recipe's training ({DEFAULT_HELP})",
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


def quiet_backend() -> None:
    """Import Keras without the backend's messages, and show that something happens meanwhile.

    TensorFlow's compiled code writes to standard error before its log level can be set, so the
    file descriptor is redirected while it starts. Nothing is lost if it fails: the messages are
    then written out.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from rich.console import Console

    with Console().status("Loading Keras ..."), tempfile.TemporaryFile() as messages:
        saved = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # starts the devices, which reports more
        except BaseException:
            messages.seek(0)
            os.write(saved, messages.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def read_folder(
    path: str, size: int | tuple[int, int], subset: str = "train"
) -> tuple[np.ndarray, np.ndarray, list[Path]]:
    """Load a folder of labelled images.

    Parameters
    ----------
    path : str
        Folder with a folder for each class, or with trainA, trainB, testA and testB.
    size : int or (int, int)
        Side, or height and width, that images are resized to.
    subset : {"train", "test"}, default="train"
        Part of a folder of the second kind.

    Returns
    -------
    X : ndarray of shape (n, height, width, 3), uint8
        Images.
    y : ndarray of str of shape (n,)
        Names of their classes.
    paths : list of Path
        Their files.
    """
    from pathlib import Path

    from melanet.datasets import load_images

    paths, y = list_folder(path, subset)
    return load_images(paths, size), y, [Path(file) for file in paths]


def list_folder(path: str, subset: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """List the files and class names of a folder of labelled images; see `read_folder`."""
    from pathlib import Path

    import numpy as np

    from melanet.datasets import load_image_folder

    if not any((Path(path) / f"test{side}").is_dir() for side in "AB"):
        subset = "train"  # the only part of a folder with a folder for each class
    found = load_image_folder(path, subset="test" if subset == "test" else "train")
    return found.paths, np.asarray(found.target_names)[np.asarray(found.target)]


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
