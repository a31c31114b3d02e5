"""Published weights: where they are, fetching them, and reading model files without running them.

What other modules call, in one line each::

    path = weights.locate("isic2016", "classifier")   # a published name or a local path -> Path
    path = weights.fetch("isic2016", "generator")     # a published name -> Path in the cache
    model = weights.read_model(path)                  # Keras 2 .h5 or .keras -> keras.Model

`read_model` gives a functional model with the file's layer names and input size, and raises
ValueError, naming the file and what is wrong, for everything that it does not take.
"""

import os
from pathlib import Path

from melanet.utils._download import cache_folder, fetch_file

_RELEASE = "https://github.com/hasibzunair/adversarial-lesions/releases/latest/download"
_MODEL_CARD = "https://huggingface.co/hasibzunair/melanet/resolve/main"
# name -> kind -> file, and the addresses of its folder, the first preferred
PUBLISHED = {
    "isic2016": {
        "generator": ("isic2016_benign_to_malignant_cyclegan_generator.h5", (_RELEASE,)),
        "classifier": ("MelaNet.h5", (_RELEASE, _MODEL_CARD)),
    }
}


def fetch(name="isic2016", kind="generator", *, sources=None):
    """Fetch a published model file, once, and return its place in the cache folder.

    The first fetch notes the file's sha256 beside it; a file that differs later is refused.

    Parameters
    ----------
    name : {"isic2016"}, default="isic2016"
        Which weights: those of Zunair & Ben Hamza (2020).
    kind : {"generator", "classifier"}, default="generator"
        The benign -> malignant generator, or MelaNet.
    sources : sequence of str or None, default=None
        Addresses of folders, such as a mirror's, in place of the publisher's.

    Returns
    -------
    Path
        The file, in the folder ``weights`` of ``MELANET_HOME`` (default ``~/.cache/melanet``,
        or ``melanet`` in ``XDG_CACHE_HOME``).

    Raises
    ------
    ValueError
        If `name` or `kind` is unknown, or the file is not the one that was first fetched.
    ConnectionError
        If no source gave the file.

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
        check=_check_whole,
        remedy=f"Without a network: get the file elsewhere, and give its path in place of "
        f"{name!r}, or put it at {path}",
    )


def _check_whole(path):
    """Refuse a web page in place of the file, or a file that was cut before it came here."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            whole = "model_config" in file.attrs
    except OSError as error:
        raise ValueError(f"what came is no whole HDF5 file ({error})") from error
    if not whole:
        raise ValueError("what came is an HDF5 file without a model")


def locate(source, kind):
    """Find a model file by a published name or a path.

    Parameters
    ----------
    source : str or path-like
        "isic2016", which is fetched, or the path of a file.
    kind : {"generator", "classifier"}
        Which of the published files.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If `source` is neither text nor path-like.
    FileNotFoundError
        If it is neither a published name nor the path of a file.
    """
    if isinstance(source, str) and source in PUBLISHED:
        return fetch(source, kind)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            f"A model must be given as a path or one of {list(PUBLISHED)}. Received: {source!r}"
        )
    if not Path(source).is_file():
        raise FileNotFoundError(
            f"There is no model file at this path, and published are {list(PUBLISHED)}. "
            f"Received: {str(source)!r}"
        )
    return Path(source)
