"""Files fetched once, kept in a cache folder, and checked ever after."""

import contextlib
import email.utils
import errno
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

_CHUNK = 1 << 14  # bytes; what a cut can lose
_TIMEOUT = (10, 30)  # seconds to connect, and between two packets
_TRIES = 4  # without progress
_PAUSE = 1.0  # seconds after the first failure, doubled by each further one
_LONGEST_PAUSE = 120.0  # seconds that a server may ask for before it is given up
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHUT = (errno.EACCES, errno.EPERM, errno.EROFS)


class _Refused(Exception):
    """The server has no such file, or not for us: another try is no use."""


class _Again(Exception):
    """Something that may pass, after `pause` seconds if the server said so."""

    pause = 0.0


def cache_folder():
    """Return the folder where fetched files are kept.

    Returns
    -------
    Path
        The environment variable ``MELANET_HOME`` if set, otherwise ``melanet`` in
        ``XDG_CACHE_HOME`` or ``~/.cache``. It is not made.

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


def fetch_file(urls, path, *, check=None, remedy="", sha256=None, unpacked=0.0, verbose=0):
    """Return a file, fetched if it is not there, whole and with the bytes that it first had.

    Bytes arrive under a temporary name, which is renamed at the end; what a cut leaves is
    resumed, if the server's file is still the same. The sha256 of the first fetch is written to
    ``<path>.json`` and compared from then on.

    Parameters
    ----------
    urls : sequence of str
        Addresses of the file, tried in order.
    path : str or path-like
        Where to keep it.
    check : callable or None, default=None
        Called with the path of the fetched file before it is accepted; raises ValueError if
        that is not what it should be.
    remedy : str, default=""
        What to do without a network, for the error.
    sha256 : str or None, default=None
        The published hash, if there is one; other bytes are refused.
    unpacked : float, default=0.0
        Room on the disk that what is made of the file will take, in multiples of its size.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ConnectionError
        If no address gave the file.
    ValueError
        If the file's bytes are not those of the first fetch, or not of the published hash.
    OSError
        If there is no room for the file, or its folder cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")

    def examine(file):
        if sha256 is not None and (digest := _sha256(file)) != sha256:
            raise ValueError(f"its sha256 is {digest}, and the published one is {sha256}")
        if check is not None:
            check(file)

    with plain_disk_errors(path, partial, _state(partial)), alone(path):
        here = path.is_file()
        if not here:
            with progress_bar(path.name, verbose) as show:
                _from_any(urls, partial, path.name, examine, remedy, unpacked, show)
        _compare(path, path if here else partial, examine)
        if not here:
            partial.replace(path)
    return path


def _compare(path, candidate, examine):
    """Refuse bytes that are not those of the first fetch; note them if this is the first."""
    pin, digest = path.with_name(f"{path.name}.json"), _sha256(candidate)
    known = _read_json(pin).get("sha256")
    if known is None:
        if candidate == path:
            _check_here(path, examine)
        with _forgiven(candidate == path):
            _write_json(pin, {"sha256": digest, "size": candidate.stat().st_size})
    elif known != digest:
        if candidate != path:
            candidate.unlink()
        raise ValueError(
            f"{path} is not the file that was first fetched: its sha256 is {digest}, and "
            f"{pin.name} beside it says {known}. If the file was damaged, delete it, and it "
            f"is fetched again; if its publisher changed it and you trust that, delete "
            f"{pin.name} too"
        )


def _check_here(path, check):
    try:
        check(path)
    except ValueError as error:
        raise ValueError(f"{path} is not what it should be: {error}. Delete it") from error


def _from_any(urls, partial, name, examine, remedy, unpacked, show):
    reasons = []
    for url in urls:
        try:
            _patiently(url, partial, unpacked, show)
            examine(partial)
            _state(partial).unlink(missing_ok=True)
            return
        except (_Refused, _Again) as error:
            reasons.append(f"{url}: {error}")
        except ValueError as error:
            partial.unlink(missing_ok=True)
            _state(partial).unlink(missing_ok=True)
            reasons.append(f"{url}: {error}")
    reasons = "; ".join(reasons)
    raise ConnectionError(f"{name} could not be fetched ({reasons}). {remedy}".strip())


def _patiently(url, partial, unpacked, show):
    """Try until the file is whole; tries that got further than any before are not counted."""
    failures = furthest = 0
    while True:
        try:
            return _attempt(url, partial, unpacked, show)
        except _Again as error:
            reached = partial.stat().st_size if partial.exists() else 0
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures >= _TRIES:
                raise
            time.sleep(max(_PAUSE * 2 ** (failures - 1), error.pause))


def _attempt(url, partial, unpacked, show):
    import requests

    state = _read_json(_state(partial))
    start = partial.stat().st_size if partial.exists() else 0
    if state.get("url") != url or not state.get("validator"):
        start = 0  # what is there may be of another file
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": state["validator"]}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            start, total = _read_head(answer, start, state.get("validator"), partial)
            if total is not None:
                there = partial.stat().st_size if partial.exists() else 0
                check_space(partial, total - there + round(unpacked * total))
            _write_json(_state(partial), {"url": url, "validator": _validator(answer)})
            with open(partial, "ab" if start else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    show(file.tell() + len(chunk), total)
                    file.write(chunk)
    except requests.RequestException as error:
        if isinstance(error, ValueError):  # requests' word for an address that is none
            raise _Refused(str(error)) from error
        raise _Again(f"{type(error).__name__}: {error}") from error
    size = partial.stat().st_size
    if total is not None and size != total:
        if size > total:
            partial.unlink()
        raise _Again(f"{size} of {total} bytes came")


def _read_head(answer, start, validator, partial):
    """Return the offset that the body starts at and the size of the whole, None if not told."""
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length")
        return 0, None if length is None else int(length)
    if answer.status_code in (206, 416):
        place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        same = _validator(answer) in (None, validator)
        if answer.status_code == 206 and place and int(place[1]) == start and same:
            return start, int(place[2])
        partial.unlink(missing_ok=True)
        raise _Again("the server's file changed while it was fetched")
    reason = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        again = _Again(reason)
        again.pause = _read_pause(answer.headers.get("Retry-After", ""))
        if again.pause > _LONGEST_PAUSE:
            raise _Refused(f"{reason}, and asks for {again.pause:.0f} seconds of patience")
        raise again
    raise _Refused(reason)


def _read_pause(text):
    """Return the seconds that a Retry-After header asks for: a number or a date."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _validator(answer):
    """Return what tells this version of the file from others, None without it."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


def _state(partial):
    return partial.with_name(f"{partial.name}.json")


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path):
    try:
        value = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path, value):
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(json.dumps(value), "utf-8")
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(path):
    """Make the folder of `path`, and keep other processes from making `path` meanwhile."""
    lock = path.with_name(f".{path.name}.lock")
    with contextlib.ExitStack() as stack:
        with _forgiven(path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(open(lock, "w"))
            with contextlib.suppress(ImportError, OSError):  # where there are no such locks
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _forgiven(forgive):
    """Let it pass that a folder cannot be written: a shared cache may be read-only."""
    try:
        yield
    except OSError as error:
        if not (forgive and error.errno in _SHUT + FULL):
            raise


@contextlib.contextmanager
def plain_disk_errors(path, *unfinished, remedy="data_home= or MELANET_HOME"):
    """Say what to do about a full or read-only disk; remove what is unfinished from a full one."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            for rest in unfinished:
                with contextlib.suppress(OSError):
                    shutil.rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f"{path} does not fit on its disk ({error.strerror}); nothing of it was left there."
                f" Make room, or choose a folder on another disk: {remedy}",
            ) from error
        if error.errno in _SHUT or isinstance(error, (FileExistsError, NotADirectoryError)):
            reason = f"{error.filename} ({error.strerror})"
            message = f"{path} cannot be written: {reason}. Choose a folder that you may: {remedy}"
            raise OSError(error.errno, message) from error
        raise


def check_space(path, needed):
    """Raise OSError (ENOSPC) unless `needed` further bytes fit on the disk of the file `path`."""
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC, f"{needed / 1e9:.3g} GB are needed, and {free / 1e9:.3g} GB are free"
        )


@contextlib.contextmanager
def progress_bar(name, verbose):
    """Give a function of the bytes that are there and of all of them, None if not known."""
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
