"""The ISIC challenges' images and labels, fetched once and kept."""

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from melanet.datasets._isic_archives import check_archive, find_pictures, unpack
from melanet.datasets._isic_catalogue import ADDRESSES, CHALLENGES
from melanet.datasets._isic_labels import check_table, read_labels
from melanet.utils._download import cache_folder, fetch_file

_UNPACKED = 1.02  # an archive's pictures take, in multiples of its size: JPEGs do not shrink
_PARAMETERS = """
    Parameters
    ----------
    subset : {subsets}, default="train"
        Which part.
    data_home : str, path-like or None, default=None
        Where files are kept, in a folder ``isic{year}``. None takes ``datasets`` in
        ``MELANET_HOME`` (default ``~/.cache/melanet``, or ``melanet`` in ``XDG_CACHE_HOME``).
    download_if_missing : bool, default=True
        Whether to fetch what is not there.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)``.
    mirror : str or None, default=None
        Address of a copy that serves ``<mirror>/{year}/<file>``, in place of ISIC's own two. None
        takes the environment variable ``MELANET_ISIC_MIRROR``, if it is set.
    verbose : int, default=0
        1 shows progress bars.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), the picture files; `load_images` decodes them
        - ``target``: ndarray of int64 of shape (n,), positions in ``target_names``
        - ``target_names``: list of str
        - ``ids``: ndarray of str of shape (n,), the images' names
        - ``frame``: pandas DataFrame of metadata (age, sex, lesion ...), a row for each image,
          indexed by ids; None where none was published, or pandas is not installed
        - ``DESCR``: str, what it is, licence and citation

        With `return_X_y`, the tuple ``(paths, target)`` alone.

    Raises
    ------
    ValueError
        If a parameter is unknown, or a file is not what was published; all that is missing, too
        much or damaged is named.
    FileNotFoundError
        If files are missing and may not be fetched.
    ConnectionError
        If no address gave a file.
    OSError
        If there is no room, or the folder cannot be written.

    Notes
    -----
    Downloads are resumed after a cut, and checked. The archive may be deleted once it is unpacked:
    the folder of pictures beside it is all that is read from then on. Not for diagnosis.
"""


def fetch_isic(
    year,
    *,
    subset="train",
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    mirror=None,
    verbose=0,
):
    """Fetch the images and labels of an ISIC challenge.

    Parameters
    ----------
    year : {2016, 2017, 2018, 2019, 2020}
        Which challenge.
    subset : str, default="train"
        Which part, of those that the year has. This and all others as for `fetch_isic2016`.
    data_home : str, path-like or None, default=None
        Where files are kept.
    download_if_missing, return_X_y : bool, default=True, False
        Whether to fetch what is not there, and to return ``(paths, target)``.
    mirror : str or None, default=None
        Address of a copy.
    verbose : int, default=0
        1 shows progress bars.

    Returns
    -------
    Bunch or (paths, target)
        As from `fetch_isic2016`.

    Raises
    ------
    ValueError
        If the year is unknown, and as `fetch_isic2016` does.

    Examples
    --------
    >>> from melanet.datasets import fetch_isic
    >>> fetch_isic(2015)
    Traceback (most recent call last):
      ...
    ValueError: year must be one of 2016, 2017, 2018, 2019, 2020. Received: year=2015
    """
    if year not in CHALLENGES:
        years = ", ".join(map(str, CHALLENGES))
        raise ValueError(f"year must be one of {years}. Received: year={year!r}")
    challenge = CHALLENGES[year]
    part = _find_subset(year, challenge, subset)
    folder = _find_home(data_home) / f"isic{year}"
    addresses = _find_addresses(mirror)

    def get(file, check, unpacked=0.0):
        path = folder / file
        if not download_if_missing and not path.is_file():
            raise FileNotFoundError(
                f"{path} is not there, and download_if_missing is False. Set it to True, or put "
                "the file there"
            )
        return fetch_file(
            [f"{address}/{year}/{file}" for address in addresses],
            path,
            check=check,
            remedy=f"Without a network: get the file elsewhere and put it at {path}, or give the "
            "address of a copy by mirror= or MELANET_ISIC_MIRROR",
            sha256=part.sha256.get(file),
            unpacked=unpacked,
            verbose=verbose,
        )

    def check_labels(path):
        read_labels(path, challenge.classes, part.n_images)

    ids, target = read_labels(get(part.labels, check_labels), challenge.classes, part.n_images)
    pictures = folder / Path(part.archive).stem
    beside = [part.metadata] if part.metadata else []
    if not pictures.is_dir():
        archive = get(part.archive, lambda path: check_archive(path, ids, beside), _UNPACKED)
        unpack(archive, pictures, ids, beside, verbose)
    paths = np.array(find_pictures(pictures, ids))
    if return_X_y:
        return paths, target
    return Bunch(
        paths=paths,
        target=target,
        target_names=list(challenge.classes),
        ids=np.array(ids),
        frame=_read_frame(part, pictures, ids, get),
        DESCR=_describe(year, challenge, subset, target),
    )


def _find_subset(year, challenge, subset):
    if subset in challenge.unlabelled:
        raise ValueError(
            f"subset={subset!r} of ISIC {year} has no published labels. Choose one of "
            f"{list(challenge.subsets)}"
        )
    if subset not in challenge.subsets:
        raise ValueError(
            f"subset must be one of {list(challenge.subsets)} for ISIC {year}. "
            f"Received: subset={subset!r}"
        )
    return challenge.subsets[subset]


def _find_home(data_home):
    if data_home is None:
        return cache_folder() / "datasets"
    if not isinstance(data_home, (str, os.PathLike)) or not os.fspath(data_home):
        raise ValueError(f"data_home must be a path or None. Received: data_home={data_home!r}")
    return Path(data_home).expanduser()


def _find_addresses(mirror):
    mirror = mirror or os.environ.get("MELANET_ISIC_MIRROR")
    if not mirror:
        return ADDRESSES
    if not str(mirror).startswith(("http://", "https://")):
        raise ValueError(
            "mirror (or MELANET_ISIC_MIRROR) must be an address that starts with http:// or "
            f"https://. Received: {mirror!r}. Files on a disk: put them into data_home"
        )
    return (str(mirror).rstrip("/"),)


def _read_frame(part, pictures, ids, get):
    """Return the metadata as a DataFrame, None without it or without pandas."""
    try:
        import pandas as pd
    except ImportError:
        return None
    if part.metadata is None:
        return None
    if "_Data_" in part.metadata:  # in the archive, and so beside the pictures
        path = next(iter(sorted(pictures.rglob(part.metadata))), None)
        if path is None:
            return None
    else:
        path = get(part.metadata, lambda path: check_table(path, ids))
    check_table(path, ids)
    frame = pd.read_csv(path, index_col=0, encoding="utf-8-sig", skipinitialspace=True)
    return frame.loc[ids].rename_axis("id")


def _describe(year, challenge, subset, target):
    counts = np.bincount(target, minlength=len(challenge.classes))
    classes = ", ".join(f"{n} {name}" for name, n in zip(challenge.classes, counts))
    lines = [
        f"ISIC {year} challenge, {subset} set",
        f"Task: {challenge.task}.",
        f"{len(target)} dermoscopic images: {classes}.",
        f"Licence: {challenge.licence}.",
        "Please cite: " + " ".join(challenge.citations),
        *challenge.remarks,
        "Not for diagnosis.",
    ]
    return "\n\n".join(lines)


def _fetcher(year):
    challenge = CHALLENGES[year]
    name = f"fetch_isic{year}"

    def fetch(
        *,
        subset="train",
        data_home=None,
        download_if_missing=True,
        return_X_y=False,
        mirror=None,
        verbose=0,
    ):
        return fetch_isic(
            year,
            subset=subset,
            data_home=data_home,
            download_if_missing=download_if_missing,
            return_X_y=return_X_y,
            mirror=mirror,
            verbose=verbose,
        )

    sizes = ", ".join(f"{part.n_images} {name}" for name, part in challenge.subsets.items())
    subsets = "{" + ", ".join(f'"{subset}"' for subset in challenge.subsets) + "}"
    classes = "\n".join(f"    - {i}: {label}" for i, label in enumerate(challenge.classes))
    fetch.__name__ = fetch.__qualname__ = name
    fetch.__doc__ = (
        f"Fetch the ISIC {year} challenge's images and labels.\n\n"
        f"    {challenge.task}. {sizes} images; {challenge.licence}. Targets:\n\n{classes}\n"
        + _PARAMETERS.format(subsets=subsets, year=year)
        + f"""
    Examples
    --------
    >>> from melanet.datasets import {name}, load_images
    >>> data = {name}()  # doctest: +SKIP
    >>> X = load_images(data.paths[:100], 256)  # doctest: +SKIP
    """
    )
    return fetch


fetch_isic2016, fetch_isic2017, fetch_isic2018, fetch_isic2019, fetch_isic2020 = map(
    _fetcher, (2016, 2017, 2018, 2019, 2020)
)
