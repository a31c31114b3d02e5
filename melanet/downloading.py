"""Files fetched once, kept in a cache folder, and checked ever after."""

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

_CHUNK = 1 << 14  # bytes; what a cut can lose
_TIMEOUT = (10, 30)  # seconds to connect, and between two packets
_TRIES = 4  # without progress
_PAUSE = 1.0  # seconds after the first failure, doubled by each further one


class _Refused(Exception):
    """The server has no such file, or not for us: another try is no use."""


class _Again(Exception):
    """Something that may pass."""


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
    >>> from melanet.downloading import cache_folder
    >>> os.environ["MELANET_HOME"] = "/data/melanet"
    >>> cache_folder().as_posix()
    '/data/melanet'
    >>> del os.environ["MELANET_HOME"]
    """
    if os.environ.get("MELANET_HOME"):
        return Path(os.environ["MELANET_HOME"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "melanet"


def fetch_file(urls, path, *, check=None, remedy=""):
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

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ConnectionError
        If no address gave the file.
    ValueError
        If the file's bytes are not those of the first fetch.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(f".{path.name}.lock")):
        here = path.is_file()
        candidate = path if here else _from_any(urls, path, check, remedy)
        pin, digest = path.with_name(f"{path.name}.json"), _sha256(candidate)
        known = _read_json(pin).get("sha256")
        if known is None:
            if here and check is not None:
                _check_here(path, check)
            _write_json(pin, {"sha256": digest, "size": candidate.stat().st_size})
        elif known != digest:
            if not here:
                candidate.unlink()
            raise ValueError(
                f"{path} is not the file that was first fetched: its sha256 is {digest}, and "
                f"{pin.name} beside it says {known}. If the file was damaged, delete it, and it "
                f"is fetched again; if its publisher changed it and you trust that, delete "
                f"{pin.name} too"
            )
        if not here:
            candidate.replace(path)
    return path


def _check_here(path, check):
    try:
        check(path)
    except ValueError as error:
        raise ValueError(f"{path} is not what it should be: {error}. Delete it") from error


def _from_any(urls, path, check, remedy):
    partial = path.with_name(f".{path.name}.partial")
    reasons = []
    for url in urls:
        try:
            _patiently(url, partial)
            if check is not None:
                check(partial)
            _state(partial).unlink(missing_ok=True)
            return partial
        except (_Refused, _Again) as error:
            reasons.append(f"{url}: {error}")
        except ValueError as error:
            partial.unlink(missing_ok=True)
            reasons.append(f"{url}: {error}")
    reasons = "; ".join(reasons)
    raise ConnectionError(f"{path.name} could not be fetched ({reasons}). {remedy}".strip())


def _patiently(url, partial):
    """Try until the file is whole; tries that got further than any before are not counted."""
    failures = furthest = 0
    while True:
        try:
            return _attempt(url, partial)
        except _Again:
            reached = partial.stat().st_size if partial.exists() else 0
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures >= _TRIES:
                raise
            time.sleep(_PAUSE * 2 ** (failures - 1))


def _attempt(url, partial):
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
            _write_json(_state(partial), {"url": url, "validator": _validator(answer)})
            with open(partial, "ab" if start else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
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
        raise _Again(reason)
    raise _Refused(reason)


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
    partial.write_text(json.dumps(value), "utf-8")
    partial.replace(path)


@contextlib.contextmanager
def _alone(path):
    """Keep other processes from writing the same file; they wait, and find it there."""
    with open(path, "w") as file:
        with contextlib.suppress(ImportError, OSError):  # where there are no such locks
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
