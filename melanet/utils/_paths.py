"""One rule for paths: two paths are equal if they lead to the same file."""

import os
from collections.abc import Hashable, Iterable, Sequence

from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_MOST_NAMED = 5  # pairs that a message lists


def file_key(path: PathLike) -> Hashable:
    """Return a value that two paths share if and only if they lead to the same file.

    Links (symbolic and hard), ``..``, the current folder and, where the file system ignores it,
    case make no difference. The paths of missing files are compared as they are resolved.

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
