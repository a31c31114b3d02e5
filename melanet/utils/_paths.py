"""One rule for paths: two paths are equal if they lead to the same file."""

import os
from collections.abc import Hashable, Iterable, Sequence

from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_MOST_NAMED = 5  # pairs that a message lists
_CONTAINERS = (".hdf5", ".h5")


def split_member(path: PathLike) -> tuple[str, str] | None:
    """Split the path of a picture in an HDF5 file, ``<file>/<name>``; None for any other path.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.utils._paths import split_member
    >>> file = Path(tempfile.mkdtemp(), "pictures.hdf5")
    >>> file.touch()
    >>> split_member(file / "ISIC_0000000")[1], split_member(file)
    ('ISIC_0000000', None)
    """
    container, name = os.path.split(os.fspath(path))
    if name and container.lower().endswith(_CONTAINERS) and os.path.isfile(container):
        return container, name
    return None


def stat_file(path: PathLike) -> os.stat_result:
    """Return the state of a file, or of the HDF5 file that holds a picture."""
    parts = split_member(path)
    return os.stat(path if parts is None else parts[0])


def file_exists(path: PathLike) -> bool:
    """Return whether a path leads to a file or folder, or into an HDF5 file."""
    return os.path.exists(path) or split_member(path) is not None


def file_key(path: PathLike) -> Hashable:
    """Return a value that two paths share if and only if they lead to the same file.

    Links (symbolic and hard), ``..``, the current folder and, where the file system ignores it,
    case make no difference. The paths of missing files are compared as they are resolved, and
    pictures in an HDF5 file by the file and their name.

    Parameters
    ----------
    path : str or path-like
        Absolute path, or relative to the current folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.utils._paths import file_key
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a").touch()
    >>> (folder / "b").symlink_to(folder / "a")
    >>> file_key(folder / "b") == file_key(f"{folder}/../{folder.name}/a")
    True
    """
    if (parts := split_member(path)) is not None:
        state = os.stat(parts[0])
        return state.st_dev, state.st_ino, parts[1]
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        # Case is that of the file system, which is unknown for a missing file.
        return os.path.normcase(os.path.realpath(path))
    return state.st_dev, state.st_ino


def check_distinct_files(
    name: str, paths: Sequence[PathLike], places: Iterable[object] | None = None
) -> None:
    """Raise ValueError if paths lead to the same file.

    Parameters
    ----------
    name : str
        Name of the paths, for the message.
    paths : sequence of str or path-like
        Files.
    places : iterable or None, default=None
        Description of each path's place, for the message; None takes its position and the path.
    """
    shown = (
        [f"row {i} ({os.fspath(path)})" for i, path in enumerate(paths)]
        if places is None
        else [*map(str, places)]
    )
    first: dict[Hashable, int] = {}
    pairs = []
    for i, path in enumerate(paths):
        j = first.setdefault(file_key(path), i)
        if j < i:
            pairs.append(f"{shown[j]} and {shown[i]}")
    if pairs:
        raise ValueError(
            f"{name} must name every file once. Received: {join_names(pairs, _MOST_NAMED)} are "
            "the same file. Leave one of them out"
        )
