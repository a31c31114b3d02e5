"""Published weights: where they are, and downloading them."""

import os
from collections.abc import Sequence
from pathlib import Path

from melanet.utils._download import cache_folder, fetch_file
from melanet.utils._typing import PathLike

_RELEASE = "https://github.com/hasibzunair/adversarial-lesions/releases/latest/download"
_MODEL_CARD = "https://huggingface.co/hasibzunair/melanet/resolve/main"
# name -> kind -> file, and the addresses of its folder in order of preference
PUBLISHED: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "isic2016": {
        "generator": ("isic2016_benign_to_malignant_cyclegan_generator.h5", (_RELEASE,)),
        "classifier": ("MelaNet.h5", (_RELEASE, _MODEL_CARD)),
    }
}
# Names of the columns of published classifiers; the files have none.
CLASSES: dict[str | None, tuple[str, ...]] = {"isic2016": ("benign", "malignant")}
# As the released endpoint calls them.
SERVED_LABELS: dict[str | None, tuple[str, ...]] = {"isic2016": ("Non-melanoma", "Melanoma")}


def fetch(
    name: str = "isic2016", kind: str = "generator", *, sources: Sequence[str] | None = None
) -> Path:
    """Download a published model file once, and return its path in the cache.

    The first download records the file's SHA-256 beside it. A later file that differs is
    rejected.

    Parameters
    ----------
    name : {"isic2016"}, default="isic2016"
        Weights: those of Zunair & Ben Hamza (2020).
    kind : {"generator", "classifier"}, default="generator"
        The benign -> malignant generator, or MelaNet.
    sources : sequence of str or None, default=None
        Addresses of folders, such as a mirror's; None takes the publisher's.

    Returns
    -------
    Path
        File in the folder ``weights`` of ``MELANET_HOME`` (default ``~/.cache/melanet``, or
        ``melanet`` in ``XDG_CACHE_HOME``).

    Raises
    ------
    ValueError
        If `name` or `kind` is unknown, or the file differs from the first download.
    ConnectionError
        If no source delivers the file.

    Examples
    --------
    >>> from melanet import weights
    >>> path = weights.fetch("isic2016", "generator")  # doctest: +SKIP
    """
    if name not in PUBLISHED:
        raise ValueError(f"name must be one of {list(PUBLISHED)}. Received: name={name!r}")
    if kind not in PUBLISHED[name]:
        raise ValueError(f"kind must be one of {list(PUBLISHED[name])}. Received: kind={kind!r}")
    file, folders = PUBLISHED[name][kind]
    path = cache_folder() / "weights" / file
    return fetch_file(
        [f"{folder.rstrip('/')}/{file}" for folder in sources or folders],
        path,
        check=_check_complete,
        remedy=f"Without a network: get the file elsewhere, and give its path instead of "
        f"{name!r}, or put it at {path}",
    )


def _check_complete(path: Path) -> None:
    """Raise ValueError for a web page instead of the file, or a truncated file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            complete = "model_config" in file.attrs
    except OSError as error:
        raise ValueError(f"the download is not a complete HDF5 file ({error})") from error
    if not complete:
        raise ValueError("the download is an HDF5 file without a model")


def published_name(source: object) -> str | None:
    """Return the name of published weights if `source` is one, otherwise None."""
    return source if isinstance(source, str) and source in PUBLISHED else None


def locate(source: PathLike, kind: str) -> Path:
    """Return the path of a model file that is given by a published name or a path.

    Parameters
    ----------
    source : str or path-like
        "isic2016", which is downloaded once, or the path of a file.
    kind : {"generator", "classifier"}
        Kind of the published file.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If `source` is neither a string nor path-like.
    FileNotFoundError
        If it is neither a published name nor the path of a file.
    """
    if name := published_name(source):
        return fetch(name, kind)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            f"A model must be given as a path or one of {list(PUBLISHED)}. Received: {source!r}"
        )
    if not Path(source).is_file():
        raise FileNotFoundError(
            f"A model must be given as the path of an existing file, or one of {list(PUBLISHED)}. "
            f"Received: {str(source)!r}"
        )
    return Path(source)
