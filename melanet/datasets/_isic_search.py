"""Images of the ISIC Archive that match a query, with their licences and metadata."""

import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch, check_random_state

from melanet.datasets._isic import resolve_home
from melanet.datasets._isic_api import (
    ACQUISITION,
    CLINICAL,
    SIZES,
    ArchiveImage,
    ImageSearch,
    ask_for_image,
    combine_query,
)
from melanet.images import describe_error, verify_picture
from melanet.utils._download import (
    DownloadError,
    ShowProgress,
    check_space,
    download_file,
    explain_disk_errors,
    file_lock,
    progress_bar,
)
from melanet.utils._files import read_csv, write_csv
from melanet.utils._groups import join_groups
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_integer, join_names

TABLE = "images.csv"
_COLUMNS = ("path", "label", "isic_id", "licence", "attribution", *CLINICAL, *ACQUISITION, "bytes")
_LICENCES = ("CC-0", "CC-BY", "CC-BY-NC")
_THREADS = 4  # downloads at the same time
_MOST_NAMED = 20  # images that a warning lists
# Statuses by which stores answer for an expired signature, a missing file, or a withdrawn one.
_ASK_AGAIN = (400, 401, 403, 404, 410)


def fetch_isic_archive(
    query: str | None = None,
    *,
    collections: int | Sequence[int] | None = None,
    diagnosis: str | Sequence[str] | None = None,
    n: int | None = None,
    size: Literal["full", "thumbnail"] = "full",
    licence: str | Sequence[str] | None = None,
    data_home: PathLike | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> Bunch:
    """Download public images of the ISIC Archive that match a query.

    Every call asks the archive, which grows and changes, which images match; pictures that are
    already in the folder are not downloaded again. Beside the pictures lies the table
    ``images.csv`` with the licence and the attribution of each. The archive asks for no sign-in.

    Parameters
    ----------
    query : str or None, default=None
        Query in the archive's language, such as ``'age_approx:[20 TO 40] AND sex:male'`` or
        ``'diagnosis_3:"Melanoma*"'``. None asks for all images.
    collections : int, sequence of int or None, default=None
        Numbers of collections, of which images must belong to one.
    diagnosis : str, sequence of str or None, default=None
        Diagnoses, of which an image must have one, at any of the archive's five levels. A name
        may begin or end with an asterisk: ``"Melanoma*"``.
    n : int or None, default=None
        Greatest number of images; None takes all that match. 0 downloads nothing, and
        ``n_matching`` of the result is the number of images that match.
    size : {"full", "thumbnail"}, default="full"
        Pictures as they were taken, or reduced to 256 pixels by the archive.
    licence : str, sequence of str or None, default=None
        Licences, of "CC-0", "CC-BY" and "CC-BY-NC", of which an image must have one; None takes
        all. "CC-BY-NC" forbids commercial use; "CC-BY" and "CC-BY-NC" ask for the attribution.
    data_home : str, path-like or None, default=None
        Cache folder; pictures are stored in its subfolder ``isic-archive/<size>``. None uses
        ``datasets`` in ``MELANET_HOME`` (default ``~/.cache/melanet``, or ``melanet`` in
        ``XDG_CACHE_HOME``).
    random_state : int, RandomState instance or None, default=None
        Seed by which `n` images are drawn from all that match; all are then listed, 100 at a
        time, before the first download. None takes the first `n` in the archive's order.
    verbose : int, default=0
        1 prints how many images match and how many bytes are downloaded, before the first of
        them, and shows progress bars.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), image files in the order of their ids;
          `load_images` decodes them
        - ``target``: ndarray of int64 of shape (n,), indices into ``target_names``; -1 where the
          archive has no diagnosis
        - ``target_names``: list of str, the values of ``diagnosis_1`` that occur
        - ``ids``: ndarray of str of shape (n,)
        - ``patient_ids``, ``lesion_ids``: ndarray of str of shape (n,), "" where unknown
        - ``groups``: ndarray of str of shape (n,), equal for images that share a patient or a
          lesion
        - ``frame``: pandas DataFrame of the table's rows for these images, indexed by ids; None
          if pandas is not installed
        - ``n_matching``: int or None, number of images that the archive announced for the query,
          before `licence` and `n` apply
        - ``left_out``: dict of str to str, id -> reason, for images that were listed and could
          not be had
        - ``DESCR``: str, licences and attributions

    Raises
    ------
    ValueError
        If a parameter is invalid, or the archive refuses the query.
    ConnectionError
        If the archive cannot be reached or a download fails. Finished pictures are kept, and the
        same call goes on from there.
    OSError
        If the disk is full, or the folder is not writable.

    Warns
    -----
    UserWarning
        If images were withdrawn from the archive during the call or are damaged there (they are
        named and left out), if fewer than `n` match, or if the archive lists another number of
        images than it announced.

    Notes
    -----
    The addresses of pictures are signed for some time. They are kept in memory only, and when
    one has expired, the archive is asked for a new one. The table lists all pictures in its
    folder, those of earlier calls, too; choose another `data_home` to keep sets apart. Its columns
    ``path`` and ``label`` (``diagnosis_1``) are those that `load_image_table` and the commands
    read. Not for diagnosis.

    Examples
    --------
    >>> from melanet.datasets import fetch_isic_archive
    >>> found = fetch_isic_archive(  # doctest: +SKIP
    ...     diagnosis="Melanoma*", n=500, licence="CC-0", random_state=0
    ... )
    >>> fetch_isic_archive(size="huge")
    Traceback (most recent call last):
      ...
    ValueError: size must be 'full' or 'thumbnail'. Received: size='huge'
    """
    if size not in SIZES:
        raise ValueError(f"size must be 'full' or 'thumbnail'. Received: size={size!r}")
    if n is not None:
        check_integer("n", n, 0)
    licences = _check_licence(licence)
    numbers = _check_collections(collections)
    folder = resolve_home(data_home) / "isic-archive" / size
    draws = n is not None and n > 0 and random_state is not None
    page = 100 if n is None or draws else n
    search = ImageSearch(combine_query(query, diagnosis), numbers, size, page)
    allowed = (x for x in search if licences is None or n == 0 or x.licence in licences)
    # For n=0 the first page is read, too: it has the count.
    images = list(allowed if n is None or draws else islice(allowed, max(n, 1)))
    if n is not None:
        images = _take(images, n, random_state if draws else None)
    images.sort(key=lambda image: image.isic_id)
    pictures = _Folder(folder)
    left_out: dict[str, str] = {}
    if images:
        with explain_disk_errors(folder), file_lock(folder / TABLE):
            left_out = pictures.fetch(images, search.count, verbose)
    elif verbose:
        print(_describe_count(search.count, [], []), file=sys.stderr)
    _warn(search, n, len(images), draws or n is None, licences, left_out)
    kept = [image for image in images if image.isic_id not in left_out]
    return _bunch(folder, kept, search.count, left_out)


def _take(images, n, random_state):
    """Return the first n images, or, with a seed, a draw that does not depend on their order."""
    if random_state is None or len(images) <= n:
        return images[:n]
    images = sorted(images, key=lambda image: image.isic_id)
    rows = check_random_state(random_state).choice(len(images), n, replace=False)
    return [images[row] for row in rows]


class _Folder:
    """Pictures and the table beside them.

    Parameters
    ----------
    folder : Path
        The folder; it is created when the first picture is fetched.
    """

    def __init__(self, folder: Path):
        self.folder, self.table = folder, folder / TABLE

    def fetch(
        self, images: Sequence[ArchiveImage], count: int | None, verbose: int
    ) -> dict[str, str]:
        """Download the pictures that are missing; return id -> reason for those left out."""
        rows = self._read_rows()
        missing = [image for image in images if not self._has(image, rows)]
        total = sum(image.n_bytes for image in missing)
        if verbose:
            print(_describe_count(count, images, missing), file=sys.stderr)
        check_space(self.table, total)
        left_out: dict[str, str] = {}
        try:
            with progress_bar(f"{len(missing)} images", verbose) as show:
                bytes_done = _Sum(lambda done: show(done, max(total, done)))

                def fetch(image: ArchiveImage) -> None:
                    path = self.folder / _file_name(image)
                    if reason := _fetch_picture(image, path, bytes_done.part()):
                        left_out[image.isic_id] = reason

                _for_each(fetch, missing)
        finally:
            for image in images:
                if (path := self.folder / _file_name(image)).is_file():
                    rows[image.isic_id] = _table_row(image, path.stat().st_size)
            kept = (rows[name] for name in sorted(rows))
            write_csv(self.table, [row for row in kept if (self.folder / row["path"]).is_file()])
        return left_out

    def _read_rows(self):
        if not self.table.exists():
            return {}
        return {row["isic_id"]: row for _, row in read_csv(self.table, _COLUMNS)}

    def _has(self, image, rows):
        """Return whether a complete picture is there; remove one that is not."""
        path = self.folder / _file_name(image)
        if not path.is_file():
            return False
        recorded = rows.get(image.isic_id, {}).get("bytes")
        if recorded == str(path.stat().st_size):
            return True
        try:
            if recorded is None:  # the table was not written, or somebody put it there
                _verify(path)
                return True
        except Exception:  # decoders raise many types
            pass
        path.unlink()
        return False


class _Sum:
    """The sum of several numbers that threads set anew as they grow."""

    def __init__(self, show: Callable[[int], object]):
        self._show, self._lock, self._total = show, threading.Lock(), 0

    def part(self) -> ShowProgress:
        """Return a function that sets one of the numbers."""
        last = 0

        def update(value: int, _: int | None) -> None:
            nonlocal last
            with self._lock:
                self._total += value - last
                last = value
                self._show(self._total)

        return update


def _for_each(work: Callable[[ArchiveImage], None], images: Sequence[ArchiveImage]) -> None:
    """Call a function for each image in several threads; the first error ends the others."""
    with ThreadPoolExecutor(_THREADS) as pool:
        futures = [pool.submit(work, image) for image in images]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_picture(image: ArchiveImage, path: Path, show: ShowProgress) -> str | None:
    """Download a picture; return why it is left out, or None."""
    size = path.parent.name
    partial = path.with_name(f".{path.name}.partial")
    remedy = "Finished pictures are kept: the same call goes on from there"
    urls = [image.url]
    while True:
        try:
            with explain_disk_errors(path, partial, partial.with_name(f"{partial.name}.json")):
                download_file(urls[-1:], path, check=_verify, remedy=remedy, show=show)
            return None
        except DownloadError as error:
            if error.content:
                return str(error)
            if error.status not in _ASK_AGAIN:
                raise
            again = ask_for_image(image.isic_id, size)
            if again is None or (len(urls) > 1 and error.status in (404, 410)):
                return "it was withdrawn from the archive"
            if len(urls) > 1:  # a new address is refused, too
                raise
            urls.append(again.url)


def _verify(path: Path) -> None:
    with open(path, "rb") as file:
        try:
            verify_picture(file)
        except Exception as error:  # decoders raise many types for corrupt files
            raise ValueError(describe_error(error)) from error


def _file_name(image):
    return f"{image.isic_id}.jpg"


def _table_row(image, n_bytes):
    row = {
        "path": _file_name(image),
        "label": image.metadata["diagnosis_1"],
        "isic_id": image.isic_id,
        "licence": image.licence,
        "attribution": image.attribution,
        **image.metadata,
        "bytes": str(n_bytes),
    }
    return {name: row[name] for name in _COLUMNS}


def _check_licence(licence):
    if licence is None:
        return None
    names = [licence] if isinstance(licence, str) else list(licence)
    if not names or not set(names) <= set(_LICENCES):
        raise ValueError(
            f"licence must be one or several of {', '.join(_LICENCES)}. Received: "
            f"licence={licence!r}"
        )
    return set(names)


def _check_collections(collections):
    if collections is None:
        return []
    numbers = [collections] if np.ndim(collections) == 0 else list(collections)
    for number in numbers:
        check_integer("collections", number, 1)
    if not numbers:
        raise ValueError("collections must name one collection or more. Received: none")
    return numbers


def _describe_count(count, images, missing):
    found = "An unknown number of" if count is None else f"{count:,}"
    n_bytes = sum(image.n_bytes for image in missing)
    return (
        f"{found} images match; {len(images):,} of them are taken, {len(missing):,} to download "
        f"({n_bytes / 1e6:,.1f} MB)"
    )


def _warn(search, n, n_taken, listed_all, licences, left_out):
    if n is not None and n_taken < n:
        warnings.warn(
            f"n={n} images were asked for, and {n_taken} match"
            + ("" if licences is None else f" with a licence of {sorted(licences)}"),
            stacklevel=3,
        )
    if listed_all and search.count is not None and search.listed != search.count:
        warnings.warn(
            f"The ISIC Archive announced {search.count} images and listed {search.listed}: it "
            "changed meanwhile. Call again for a list of one state",
            stacklevel=3,
        )
    if left_out:
        shown = join_names((f"{name} ({left_out[name]})" for name in sorted(left_out)), _MOST_NAMED)
        warnings.warn(
            f"{len(left_out)} images are left out: {shown}. The archive listed them, but they "
            "could not be had",
            stacklevel=3,
        )


def _bunch(folder, images, count, left_out):
    labels = [image.metadata["diagnosis_1"] for image in images]
    names = sorted(set(labels) - {""})
    ids = np.array([image.isic_id for image in images], dtype=str)
    patients, lesions = (
        np.array([image.metadata[name] for image in images], dtype=str)
        for name in ("patient_id", "lesion_id")
    )
    return Bunch(
        paths=np.array([str(folder / _file_name(image)) for image in images], dtype=str),
        target=np.array([names.index(label) if label else -1 for label in labels], np.int64),
        target_names=names,
        ids=ids,
        patient_ids=patients,
        lesion_ids=lesions,
        groups=join_groups(ids, patients, lesions),
        frame=_read_frame(folder / TABLE, ids),
        n_matching=count,
        left_out=left_out,
        DESCR=_describe(images),
    )


def _read_frame(table, ids):
    try:
        import pandas as pd
    except ImportError:
        return None
    if not table.exists():
        return pd.DataFrame(columns=_COLUMNS[2:]).set_index("isic_id").rename_axis("id")
    frame = pd.read_csv(table, dtype={"patient_id": str, "lesion_id": str}, index_col="isic_id")
    return frame.loc[ids].rename_axis("id")


def _describe(images):
    licences = Counter(image.licence for image in images)
    counts = ", ".join(f"{n} {name}" for name, n in sorted(licences.items()))
    credits = sorted({image.attribution for image in images} - {""})
    return "\n\n".join(
        [
            "ISIC Archive, https://www.isic-archive.com",
            f"{len(images)} images" + (f": {counts}" if counts else ""),
            "Please cite the attributions: " + ("; ".join(credits) or "none"),
            f"{TABLE} has the licence and the attribution of each image.",
            "Not for diagnosis.",
        ]
    )
