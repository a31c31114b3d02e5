"""Downloads to a cache folder: resumable, atomic, and checked against the first download."""

import contextlib
import email.utils
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melanet.utils._files import read_json, write_json
from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    from requests import RequestException, Response

Check = Callable[[Path], None]  # raises ValueError for a wrong file
ShowProgress = Callable[[int, int | None], None]  # of bytes done and in total, if known

_CHUNK = 1 << 14  # bytes; the most that an interruption loses
_TIMEOUT = (10, 30)  # seconds to connect, and between two packets
_TRIES = 4  # in a row without progress
_PAUSE = 1.0  # seconds after the first failure, doubled by each further one
_LONGEST_PAUSE = 120.0  # seconds; a server that asks for more is given up
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_PERMISSION_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS)


class DownloadError(ConnectionError):
    """No server provided a file or an answer.

    Parameters
    ----------
    message : str
        Reasons, without the signatures of addresses.
    status : int or None, default=None
        HTTP status of the last answer, if that was an error that another try cannot fix.
    content : bool, default=False
        Whether the last file arrived and failed its check.
    """

    def __init__(self, message: str, status: int | None = None, content: bool = False):
        super().__init__(message)
        self.status, self.content = status, content


class _PermanentError(Exception):
    """A failure that another try cannot fix, such as 404, and its HTTP status."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class _TemporaryError(Exception):
    """A failure that another try may fix, after `pause` seconds if the server asked for them."""

    def __init__(self, message: str, pause: float = 0.0):
        super().__init__(message)
        self.pause = pause


def cache_folder() -> Path:
    """Return the folder for downloaded files.

    Returns
    -------
    Path
        The environment variable ``MELANET_HOME`` if set, otherwise ``melanet`` in
        ``XDG_CACHE_HOME`` or ``~/.cache``. The folder may not exist yet.

    Examples
    --------
    >>> import os
    >>> from melanet.utils._download import cache_folder
    >>> os.environ["MELANET_HOME"] = "/data/melanet"
    >>> cache_folder().as_posix()
    '/data/melanet'
    >>> del os.environ["MELANET_HOME"]
    """
    if os.environ.get("MELANET_HOME"):
        return Path(os.environ["MELANET_HOME"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "melanet"


def fetch_file(
    urls: Sequence[str],
    path: PathLike,
    *,
    check: Check | None = None,
    remedy: str = "",
    sha256: str | None = None,
    unpacked: float = 0.0,
    verbose: int = 0,
) -> Path:
    """Return a file, downloading it if it is missing.

    The file gets its final name when it is complete and checked. An interrupted download is
    resumed if the file on the server is unchanged. The SHA-256 of the first download is written
    to ``<path>.json``, and every later call compares the file with it.

    Parameters
    ----------
    urls : sequence of str
        URLs of the file, tried in order.
    path : str or path-like
        Path of the local file.
    check : callable or None, default=None
        Function of the downloaded file's path that raises ValueError if the file is wrong.
    remedy : str, default=""
        Advice for users without a network, appended to the error message.
    sha256 : str or None, default=None
        Published hash, if there is one; a file with another hash is rejected.
    unpacked : float, default=0.0
        Disk space that unpacking the file will take, in multiples of its size.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ConnectionError
        If the download failed from every URL.
    ValueError
        If the file differs from the first download or from the published hash.
    OSError
        If the disk is full, or the folder cannot be written to.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")

    def examine(file: Path) -> None:
        if sha256 is not None and (digest := _sha256(file)) != sha256:
            raise ValueError(f"its sha256 is {digest}, but the published one is {sha256}")
        if check is not None:
            check(file)

    with explain_disk_errors(path, partial, _state_path(partial)), file_lock(path):
        exists = path.is_file()
        if not exists:
            with progress_bar(path.name, verbose) as show:
                _download_from_any(urls, partial, path.name, examine, remedy, unpacked, show)
        _compare_with_first(path, path if exists else partial, examine)
        if not exists:
            partial.replace(path)
    return path


def download_file(
    urls: Sequence[str],
    path: Path,
    *,
    check: Check | None = None,
    remedy: str = "",
    show: ShowProgress = lambda done, total: None,
) -> None:
    """Download a file to `path`; see `fetch_file`, which also keeps and compares its hash.

    The caller holds the lock of the folder, which exists.

    Raises
    ------
    DownloadError
        If the download failed from every URL.
    OSError
        If the disk is full, or the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.partial")
    _download_from_any(urls, partial, path.name, check or (lambda file: None), remedy, 0.0, show)
    partial.replace(path)


def fetch_json(url: str, params: Mapping[str, str] | None = None) -> Any:
    """Return the JSON value that a server answers.

    Parameters
    ----------
    url : str
        Address.
    params : dict or None, default=None
        Query of the address.

    Raises
    ------
    DownloadError
        If the server refuses, cannot be reached in several tries, or does not answer JSON.
    """
    import requests

    def ask() -> Any:
        try:
            response = requests.get(url, params=params, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise _describe_failure(error) from None
        if response.status_code != 200:
            raise _failure_of(response)
        try:
            return response.json()
        except ValueError:
            raise _PermanentError("the server does not answer JSON") from None

    try:
        return _retry(ask)
    except (_PermanentError, _TemporaryError) as error:
        raise DownloadError(f"{url}: {error}", getattr(error, "status", None)) from None


def _compare_with_first(path: Path, candidate: Path, examine: Check) -> None:
    """Reject a file that differs from the first download; record the hash if this is the first."""
    record, digest = path.with_name(f"{path.name}.json"), _sha256(candidate)
    recorded = _read_dict(record).get("sha256")
    if recorded is None:
        if candidate == path:  # somebody put it there
            try:
                examine(path)
            except ValueError as error:
                raise ValueError(
                    f"{path} is not what it should be: {error}. Delete the file"
                ) from error
        with _ignore_unwritable(candidate == path):
            write_json(record, {"sha256": digest, "size": candidate.stat().st_size})
    elif recorded != digest:
        if candidate != path:
            candidate.unlink()
        raise ValueError(
            f"{path} is not the file that was first fetched: its sha256 is {digest}, but "
            f"{record.name} beside it records {recorded}. If the file is damaged, delete it to "
            "download it again. If its publisher changed it and you trust the change, delete "
            f"{record.name} too"
        )


def _download_from_any(
    urls: Sequence[str],
    partial: Path,
    name: str,
    examine: Check,
    remedy: str,
    unpacked: float,
    show: ShowProgress,
) -> None:
    reasons = []
    status, content = None, False
    for url in urls:
        try:
            _retry(lambda: _download(url, partial, unpacked, show), lambda: _size(partial))  # noqa: B023
            examine(partial)
            _state_path(partial).unlink(missing_ok=True)
            return
        except (_PermanentError, _TemporaryError) as error:
            status, content = getattr(error, "status", None), False
            reasons.append(f"{_unsigned(url)}: {error}")
        except ValueError as error:
            partial.unlink(missing_ok=True)
            _state_path(partial).unlink(missing_ok=True)
            status, content = None, True
            reasons.append(f"{_unsigned(url)}: {error}")
    message = f"{name} could not be fetched ({'; '.join(reasons)}). {remedy}".strip()
    raise DownloadError(message, status, content)


def _retry(attempt: Callable[[], Any], reached: Callable[[], int] = lambda: 0) -> Any:
    """Try until it succeeds, giving up after several tries without progress."""
    failures = furthest = 0
    while True:
        try:
            return attempt()
        except _TemporaryError as error:
            position = reached()
            failures = 1 if position > furthest else failures + 1
            furthest = max(furthest, position)
            if failures >= _TRIES:
                raise
            time.sleep(max(_PAUSE * 2 ** (failures - 1), error.pause))


def _unsigned(url: str) -> str:
    """Return an address without its query, which may be a signature that grants access."""
    return url.partition("?")[0]


def _describe_failure(error: "RequestException") -> _PermanentError | _TemporaryError:
    # The text of an error may hold the address with its signature.
    message = re.sub(r"\?\S+", "?...", str(error))
    if isinstance(error, ValueError):  # an invalid URL
        return _PermanentError(message)
    return _TemporaryError(f"{type(error).__name__}: {message}")


def _download(url: str, partial: Path, unpacked: float, show: ShowProgress) -> None:
    import requests

    state = _read_dict(_state_path(partial))
    start = _size(partial)
    if state.get("url") != _unsigned(url) or not state.get("validator"):
        start = 0  # the bytes may be of another file
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": state["validator"]}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            start, total = _read_head(response, start, state.get("validator"), partial)
            if total is not None:
                check_space(partial, total - _size(partial) + round(unpacked * total))
            state = {"url": _unsigned(url), "validator": _validator(response)}
            write_json(_state_path(partial), state)
            with open(partial, "ab" if start else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    show(file.tell() + len(chunk), total)
                    file.write(chunk)
    except requests.RequestException as error:
        raise _describe_failure(error) from None
    size = _size(partial)
    if total is not None and size != total:
        if size > total:
            partial.unlink()
        raise _TemporaryError(f"{size} of {total} bytes were received")


def _read_head(
    response: "Response", start: int, validator: str | None, partial: Path
) -> tuple[int, int | None]:
    """Return the offset at which the body starts, and the file's size (None if unknown)."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length")
        return 0, None if length is None else int(length)
    if response.status_code in (206, 416):
        content_range = response.headers.get("Content-Range", "")
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range)
        same = _validator(response) in (None, validator)
        if response.status_code == 206 and place and int(place[1]) == start and same:
            return start, int(place[2])
        partial.unlink(missing_ok=True)
        raise _TemporaryError("the file on the server changed during the download")
    raise _failure_of(response)


def _failure_of(response: "Response") -> _PermanentError | _TemporaryError:
    """Return the error that an answer other than the wanted one means."""
    reason = f"the server answers {response.status_code} {response.reason}"
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        pause = _read_retry_after(response.headers.get("Retry-After", ""))
        if pause > _LONGEST_PAUSE:
            return _PermanentError(f"{reason}, and asks for a pause of {pause:.0f} seconds")
        return _TemporaryError(reason, pause)
    return _PermanentError(reason, response.status_code)


def _read_retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for, as a number or as a date."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _validator(response: "Response") -> str | None:
    """Return the strong ETag or the date that identifies this version of the file."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _state_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_dict(path: Path) -> dict[str, Any]:
    value = read_json(path)
    return value if isinstance(value, dict) else {}


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Create the folder of `path`, and keep other processes from creating `path` meanwhile."""
    lock = path.with_name(f".{path.name}.lock")
    with contextlib.ExitStack() as stack:
        with _ignore_unwritable(path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(lock, "w"))
            with contextlib.suppress(ImportError, OSError):  # not on every system
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _ignore_unwritable(ignore: bool) -> Iterator[None]:
    """Ignore that a folder cannot be written to, as in a read-only shared cache."""
    try:
        yield
    except OSError as error:
        if not (ignore and error.errno in _NO_PERMISSION_ERRNOS + DISK_FULL_ERRNOS):
            raise


@contextlib.contextmanager
def explain_disk_errors(
    path: Path, *unfinished: Path, remedy: str = "data_home= or MELANET_HOME"
) -> Iterator[None]:
    """Explain how to deal with a full or read-only disk.

    Parameters
    ----------
    path : Path
        File or folder that is being created.
    *unfinished : Path
        Files and folders to delete from a full disk.
    remedy : str
        Parameters by which the user can choose another folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            for rest in unfinished:
                with contextlib.suppress(OSError):
                    shutil.rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f"{path} does not fit on its disk ({error.strerror}); partial data was deleted."
                f" Free some space, or choose a folder on another disk: {remedy}",
            ) from error
        if error.errno in _NO_PERMISSION_ERRNOS or isinstance(
            error, (FileExistsError, NotADirectoryError)
        ):
            reason = f"{error.filename} ({error.strerror})"
            message = f"{path} cannot be written: {reason}. Choose a writable folder: {remedy}"
            raise OSError(error.errno, message) from error
        raise


def check_space(path: Path, needed: float) -> None:
    """Raise OSError (ENOSPC) unless `needed` more bytes fit on the disk of the file `path`."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC, f"{needed / 1e9:.3g} GB are needed, and {free / 1e9:.3g} GB are free"
        )


@contextlib.contextmanager
def progress_bar(name: str, verbose: int) -> Iterator[ShowProgress]:
    """Yield a function that shows the bytes done and in total (None if unknown)."""
    if not verbose:
        yield lambda done, total: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
