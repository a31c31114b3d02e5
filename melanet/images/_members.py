"""Pictures in files, and pictures in HDF5 files, which hold one encoded picture per data set."""

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from typing import IO, Any

from melanet.utils._paths import split_member
from melanet.utils._typing import PathLike

_MOST_OPEN = 4  # HDF5 files
_opened: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def open_file(path: PathLike) -> Iterator[IO[bytes]]:
    """Open an image file, or a picture in an HDF5 file by its path ``<file>/<name>``.

    Parameters
    ----------
    path : str or path-like
        The file, or the picture in a file whose name ends in .hdf5 or .h5.

    Yields
    ------
    file object
        Bytes of the encoded picture; nothing else of an HDF5 file is read.

    Raises
    ------
    OSError
        If the file does not exist or cannot be read.
    ValueError
        If the HDF5 file has no such picture.
    """
    parts = split_member(path)
    if parts is None:
        with open(path, "rb") as file:
            yield file
    else:
        yield io.BytesIO(_read_member(*parts))


def open_hdf5(path: PathLike) -> Any:
    """Return an ``h5py.File`` that stays open for reading, as long as the file is unchanged."""
    import h5py

    state = os.stat(path)
    # A forked process must not share the position in the file.
    key = (os.path.realpath(path), os.getpid(), state.st_ino, state.st_size, state.st_mtime_ns)
    with _lock:
        if key not in _opened:
            # Dropped files are closed when nobody reads from them.
            for other in [other for other in _opened if other[:2] == key[:2]]:
                del _opened[other]
            while len(_opened) >= _MOST_OPEN:
                del _opened[next(iter(_opened))]
            try:
                _opened[key] = h5py.File(path, "r")
            except OSError as error:
                raise ValueError(f"{os.fspath(path)} is not an HDF5 file ({error})") from error
        return _opened[key]


def _read_member(path, name):
    file = open_hdf5(path)
    try:
        value = file[name][()]
    except (KeyError, TypeError, OSError) as error:
        raise ValueError(f"no picture {name!r} that can be read in the HDF5 file") from error
    # As opaque bytes, which h5py returns as numpy.void, as a string, or as an array of bytes.
    return value if isinstance(value, bytes) else value.tobytes()
