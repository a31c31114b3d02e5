"""Images and labels of the ISIC challenges, downloaded once and cached."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from melanet.datasets._isic_archives import check_archive, find_pictures, unpack
from melanet.datasets._isic_catalogue import ADDRESSES, CHALLENGES
from melanet.datasets._isic_labels import check_table, read_columns, read_labels
from melanet.utils._download import cache_folder, fetch_file
from melanet.utils._groups import join_groups
from melanet.utils._typing import PathLike

_UNPACKED = 1.02  # size of the extracted images relative to the archive; JPEGs hardly compress
_PARAMETERS = """
    Parameters
    ----------
    subset : {subsets}, default="train"
        Subset of the challenge.
    data_home : str, path-like or None, default=None
        Cache folder; files are stored in its subfolder ``isic{year}``. None uses ``datasets`` in
        ``MELANET_HOME`` (default ``~/.cache/melanet``, or ``melanet`` in ``XDG_CACHE_HOME``).
    download_if_missing : bool, default=True
        Whether to download missing files. False raises an error instead.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)``.
    mirror : str or None, default=None
        URL of a mirror that serves ``<mirror>/{year}/<file>``, used in place of ISIC's own two
        servers. None uses the environment variable ``MELANET_ISIC_MIRROR``, if it is set.
    verbose : int, default=0
        1 shows progress bars.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), image files; `load_images` decodes them
        - ``target``: ndarray of int64 of shape (n,), indices into ``target_names``
        - ``target_names``: list of str
        - ``ids``: ndarray of str of shape (n,), names of the images
        - ``patient_ids``, ``lesion_ids``: ndarray of str of shape (n,), "" where unknown; None if
          the subset has none
        - ``groups``: ndarray of str of shape (n,), equal for images that share a patient or a
          lesion; None if neither was published
        - ``frame``: pandas DataFrame of metadata (such as age, sex and lesion), one row for each
          image, indexed by ids; None if none were published or pandas is not installed
        - ``DESCR``: str, description, licence and citations

        With `return_X_y`, only the tuple ``(paths, target)``.

    Raises
    ------
    ValueError
        If a parameter is invalid, or files differ from the published ones; the message lists all
        missing, unexpected and corrupt images.
    FileNotFoundError
        If files are missing and `download_if_missing` is False.
    ConnectionError
        If no server provided a file.
    OSError
        If the disk is full, or the folder is not writable.

    Notes
    -----
    Interrupted downloads are resumed, and files are verified. The archive may be deleted after it
    was extracted, since only the extracted images are read. Not for diagnosis.
"""


def fetch_isic(
    year: int,
    *,
    subset: str = "train",
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    mirror: str | None = None,
    verbose: int = 0,
) -> Bunch | tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Download and cache the images and labels of an ISIC challenge.

    `fetch_isic2016` describes the parameters, results and errors in detail.

    Parameters
    ----------
    year : {2016, 2017, 2018, 2019, 2020, 2024}
        Year of the challenge.
    subset : str, default="train"
        Subset of the challenge.
    data_home : str, path-like or None, default=None
        Cache folder.
    download_if_missing : bool, default=True
        Whether to download missing files.
    return_X_y : bool, default=False
        Whether to return ``(paths, target)``.
    mirror : str or None, default=None
        URL of a mirror.
    verbose : int, default=0
        1 shows progress bars.

    Returns
    -------
    Bunch or (paths, target)
        The same as `fetch_isic2016` returns.

    Raises
    ------
    ValueError
        If there was no challenge in that year, another parameter is invalid, or files differ from
        the published ones.

    Examples
    --------
    >>> from melanet.datasets import fetch_isic
    >>> fetch_isic(2015)
    Traceback (most recent call last):
      ...
    ValueError: year must be one of 2016, 2017, 2018, 2019, 2020, 2024. Received: year=2015
    """
    if year not in CHALLENGES:
        years = ", ".join(map(str, CHALLENGES))
        raise ValueError(f"year must be one of {years}. Received: year={year!r}")
    challenge = CHALLENGES[year]
    part = _find_subset(year, challenge, subset)
    folder = resolve_home(data_home) / f"isic{year}"
    servers = _resolve_servers(mirror)

    def get(file, check, unpacked=0.0):
        path = folder / file
        if not download_if_missing and not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist, and download_if_missing is False. Set it to True, or "
                "put the file there"
            )
        return fetch_file(
            [f"{server}/{year}/{file}" for server in servers],
            path,
            check=check,
            remedy=f"Without network access, copy the file to {path}, or set mirror= or "
            "MELANET_ISIC_MIRROR to the URL of a mirror",
            sha256=part.sha256.get(file),
            unpacked=unpacked,
            verbose=verbose,
        )

    def check_labels(path):
        read_labels(path, challenge.classes, part.n_images)

    ids, target = read_labels(get(part.labels, check_labels), challenge.classes, part.n_images)
    images = folder / Path(part.archive).stem
    extra = [part.metadata] if part.metadata else []
    if not images.is_dir():
        archive = get(part.archive, lambda path: check_archive(path, ids, extra), _UNPACKED)
        unpack(archive, images, ids, extra, verbose)
    paths = np.array(find_pictures(images, ids))
    if return_X_y:
        return paths, target
    table = _find_metadata(part, images, ids, get)
    return make_bunch(year, f"{subset} set", paths, ids, target, table, part.columns)


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


def resolve_home(data_home):
    if data_home is None:
        return cache_folder() / "datasets"
    if not isinstance(data_home, (str, os.PathLike)) or not os.fspath(data_home):
        raise ValueError(f"data_home must be a path or None. Received: data_home={data_home!r}")
    return Path(data_home).expanduser()


def _resolve_servers(mirror):
    if mirror is None:
        mirror = os.environ.get("MELANET_ISIC_MIRROR") or None
    if mirror is None:
        return ADDRESSES
    if not str(mirror).startswith(("http://", "https://")):
        raise ValueError(
            "mirror (or MELANET_ISIC_MIRROR) must be a URL that starts with http:// or "
            f"https://. Received: {mirror!r}. If the files are on a disk, put them into data_home"
        )
    return (str(mirror).rstrip("/"),)


def _find_metadata(part, images, ids, get):
    """Return the path of the metadata; None if there are none."""
    if part.metadata is None:
        return None
    if part.metadata_inside:  # extracted with the images
        return next(iter(sorted(images.rglob(part.metadata))), None)
    return get(part.metadata, lambda path: check_table(path, ids))


def make_bunch(
    year: int,
    part: str,
    paths: NDArray[np.str_],
    ids: Sequence[str],
    target: NDArray[np.int64],
    table: Path | None,
    columns: Sequence[str] | None,
) -> Bunch:
    """Return images of a challenge and what a table says about them, as `fetch_isic2016` does.

    Parameters
    ----------
    year : int
        Year of the challenge.
    part : str
        Part of the challenge, for the description.
    paths : ndarray of str of shape (n,)
        Images.
    ids : sequence of str of length n
        Their names.
    target : ndarray of int of shape (n,)
        Their classes.
    table : Path or None
        CSV file whose first column has the ids; None if there is none.
    columns : sequence of str or None
        Columns of the frame; None takes all.

    Raises
    ------
    ValueError
        If the table does not have one row for each of `ids`.
    """
    found = {} if table is None else read_columns(table, ids, ("patient_id", "lesion_id"))
    return Bunch(
        paths=paths,
        target=target,
        target_names=list(CHALLENGES[year].classes),
        ids=np.array(ids, dtype=str),
        patient_ids=found.get("patient_id"),
        lesion_ids=found.get("lesion_id"),
        groups=join_groups(ids, *found.values()) if found else None,
        frame=None if table is None else _read_frame(table, ids, columns),
        DESCR=_describe(year, part, target),
    )


def _read_frame(table, ids, columns):
    """Return the metadata as a DataFrame; None if pandas is missing."""
    try:
        import pandas as pd
    except ImportError:
        return None
    frame = pd.read_csv(
        table,
        index_col=0,
        encoding="utf-8-sig",
        skipinitialspace=True,
        usecols=None if columns is None else lambda name: name.strip() in columns,
        low_memory=columns is None,  # else a column may have several types
    )
    return frame.loc[ids].rename_axis("id")


def _describe(year, part, target):
    """Return the description of a part of a challenge."""
    challenge = CHALLENGES[year]
    counts = np.bincount(target, minlength=len(challenge.classes))
    classes = ", ".join(f"{n} {name}" for name, n in zip(challenge.classes, counts))
    lines = [
        f"ISIC {year} challenge, {part}",
        f"Task: {challenge.task}.",
        f"{len(target)} images: {classes}.",
        f"Licence: {challenge.licence}.",
        "Please cite: " + " ".join(challenge.citations),
        *challenge.remarks,
        "Not for diagnosis.",
    ]
    return "\n\n".join(lines)


class _Fetcher(Protocol):
    """Signature of `fetch_isic2016` and the functions of the other years."""

    def __call__(
        self,
        *,
        subset: str = "train",
        data_home: PathLike | None = None,
        download_if_missing: bool = True,
        return_X_y: bool = False,
        mirror: str | None = None,
        verbose: int = 0,
    ) -> Bunch | tuple[NDArray[np.str_], NDArray[np.int64]]: ...


def _make_fetcher(year: int) -> _Fetcher:
    challenge = CHALLENGES[year]
    name = f"fetch_isic{year}"

    def fetch(
        *,
        subset: str = "train",
        data_home: PathLike | None = None,
        download_if_missing: bool = True,
        return_X_y: bool = False,
        mirror: str | None = None,
        verbose: int = 0,
    ) -> Bunch | tuple[NDArray[np.str_], NDArray[np.int64]]:
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
        f"Download and cache the images and labels of the ISIC {year} challenge.\n\n"
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
    _make_fetcher, (2016, 2017, 2018, 2019, 2020)
)
