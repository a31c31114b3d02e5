"""Files and folders that an interrupted run leaves either complete or absent."""

import contextlib
import csv
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_PARTIAL = ".partial-"  # prefix of files that are being written
_ERRORS = "surrogateescape"  # as os.fsencode: names that are not UTF-8 are written byte for byte


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds.

    An error or a kill leaves no half-written file under the final name. A finished file that
    cannot be renamed is kept, and the error names it.

    Parameters
    ----------
    path : str or path-like
        Final path. Missing parent folders are created. A link is followed.

    Yields
    ------
    Path
        Temporary path in the same folder, with the same suffix.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.utils._files import atomic_path
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(path) as partial:
    ...     _ = partial.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    path = resolve(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{_PARTIAL}{path.name}")
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    try:
        partial.replace(path)
    except OSError as error:
        reason = f"{path} cannot be written ({error.strerror})"
        if partial.exists():  # nothing that took work to make is deleted
            reason += f". The finished file is {partial}; rename it"
        raise OSError(error.errno, reason) from error


def resolve(path: PathLike) -> Path:
    """Return the file or folder that a path means: links are followed, not replaced.

    Raises
    ------
    OSError
        If links lead to each other.
    """
    real = os.path.realpath(path)
    if os.path.islink(real):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    return Path(real)


def check_writable(*paths: PathLike) -> None:
    """Try to write files, so that work does not end with a file that cannot be written.

    Each file is created under a temporary name, with its missing parent folders, and removed
    again.

    Parameters
    ----------
    *paths : str or path-like
        Files that `atomic_path` will write.

    Raises
    ------
    ValueError
        If a path names a folder or something else that is no file.
    OSError
        If a file cannot be written there.

    Examples
    --------
    >>> from melanet.utils._files import check_writable
    >>> check_writable("/")
    Traceback (most recent call last):
      ...
    ValueError: Files can be written to a new or an existing file. Received: '/', which is a folder
    """
    for given in paths:
        path = resolve(given)
        with _explained(given, "Choose another file"), _new_folders(path.parent):
            if path.exists() and not path.is_file():
                kind = "a folder" if path.is_dir() else "a device or a pipe"
                raise ValueError(
                    "Files can be written to a new or an existing file. "
                    f"Received: {os.fspath(given)!r}, which is {kind}"
                )
            if os.path.ismount(path):
                raise OSError(errno.EBUSY, "a mount point")
            partial = path.with_name(f"{_PARTIAL}{path.name}")
            partial.touch()
            partial.unlink()


def check_new_folder(destination: PathLike, work: PathLike) -> None:
    """Try the step that ends a run: rename a folder in `work` to `destination`.

    Parameters
    ----------
    destination : str or path-like
        Missing or empty folder, with links resolved. It is left as it is.
    work : str or path-like
        Folder in the same parent folder; it is removed again if it is new.

    Raises
    ------
    OSError
        If that cannot be done, as with a mount point, or the current folder.
    """
    destination, work = Path(destination), Path(work)
    with _explained(destination, "Choose another folder, such as a new one in it"):
        if destination.exists() and destination.samefile(os.curdir):
            raise OSError(errno.EBUSY, "it is the current folder")
        with _new_folders(work):
            trial, exists = work / "trial", destination.exists()
            trial.mkdir(exist_ok=True)
            try:
                move_folder(trial, destination)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    trial.rmdir()
            if not exists:
                destination.rmdir()


def move_folder(source: Path, destination: Path) -> None:
    """Rename a folder to a missing folder, or to an empty one, whose permissions it gets."""
    if destination.exists():
        shutil.copymode(destination, source)
        destination.rmdir()
    source.replace(destination)


@contextlib.contextmanager
def resumable(work: Path) -> Iterator[None]:
    """Add to errors, and to an interruption, where the unfinished work lies."""
    try:
        yield
    except BaseException as error:
        if work.exists():
            error.add_note(f"The work so far is kept in {work}; the same call continues from it.")
        raise


@contextlib.contextmanager
def _explained(path, remedy):
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{os.fspath(path)!r} cannot be written ({reason}). {remedy}"
        raise OSError(error.errno, message) from error


@contextlib.contextmanager
def _new_folders(folder):
    """Create a folder and its parents; remove those that are new."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):
                path.rmdir()


def write_csv(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write dicts with the same keys to a CSV file with a header line.

    The text is UTF-8. File names that are not keep their bytes, as the file system has them:
    `read_csv`, and ``open(errors="surrogateescape")``, return the same names.
    """
    rows = iter(rows)
    first = next(rows, None)
    with (
        atomic_path(path) as partial,
        partial.open("w", newline="", encoding="utf-8", errors=_ERRORS) as file,
    ):
        names = list(first or ())
        plain = csv.DictWriter(file, names, lineterminator="\n")
        # Python before 3.13 leaves a carriage return bare, which ends a line when it is read.
        quoted = csv.DictWriter(file, names, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writeheader()
        for row in rows if first is None else chain([first], rows):
            breaks = any("\r" in str(value) for value in row.values())
            (quoted if breaks else plain).writerow(row)


def can_write_text(text: str) -> bool:
    """Return whether `write_csv` can write a text, and `read_csv` returns the same."""
    try:
        return text.encode("utf-8", _ERRORS).decode("utf-8", _ERRORS) == text and "\0" not in text
    except UnicodeEncodeError:
        return False


def read_csv(
    path: PathLike,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    any_name: bool = False,
) -> list[tuple[int, dict[str, str]]]:
    """Read some columns of a CSV file in UTF-8 with a header line.

    Parameters
    ----------
    path : str or path-like
        The file.
    columns : sequence of str
        Names of columns, found by their names in the header; others are ignored.
    optional : sequence of str, default=()
        Names of columns that are left out of the rows if the file lacks them.
    any_name : bool, default=False
        Whether the file may hold file names that are not UTF-8, as `write_csv` writes them.

    Returns
    -------
    list of (int, dict)
        For each row its line and column name -> cell; "" where a row is too short. Blank lines
        are left out.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not CSV in UTF-8, a column is missing or occurs twice, or rows have more
        cells than the header.
    """
    path = Path(path)
    try:
        errors = _ERRORS if any_name else "strict"
        with path.open(newline="", encoding="utf-8-sig", errors=errors) as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a CSV file of UTF-8 text. Received: {error}") from error
    columns = [*columns, *(column for column in optional if column in header)]
    if any(header.count(column) != 1 for column in columns):
        shown = " and ".join(columns) if len(columns) < 3 else ", ".join(columns)
        raise ValueError(f"{path} must have the columns {shown}, each once. Received: {header}")
    long = [f"line {number}" for number, row in rows if len(row) > len(header)]
    if long:
        raise ValueError(
            f"{path} must have at most {len(header)} cells in a row, as its header has. Received "
            f"more in {join_names(long, 20)}. Put cells with a comma into quotes"
        )
    places = {column: header.index(column) for column in columns}
    return [
        (number, {name: row[i] if i < len(row) else "" for name, i in places.items()})
        for number, row in rows
    ]


def write_json(path: PathLike, value: Any) -> None:
    """Write a value to an indented JSON file."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: PathLike, default: Any = None) -> Any:
    """Return the value of a JSON file, or `default` if it is missing or not valid JSON."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return default


def history_rows(history: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Convert a Keras history, name -> values by epoch, to one dict per epoch."""
    n_epochs = max(map(len, history.values()), default=0)
    return [
        {"epoch": i + 1, **{name: values[i] for name, values in history.items()}}
        for i in range(n_epochs)
    ]


class Journal:
    """Append-only JSON Lines log; a line is written when its work is finished.

    Parameters
    ----------
    path : str or path-like
        Log file, created if missing. An incomplete last line is removed from it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from melanet.utils._files import Journal
    >>> path = Path(tempfile.mkdtemp()) / "journal"
    >>> Journal(path).add({"chunk": 0})
    >>> with path.open("a") as file:
    ...     _ = file.write('{"chu')
    >>> list(Journal(path))
    [{'chunk': 0}]
    """

    def __init__(self, path: PathLike):
        self.path = Path(path)
        self.path.touch()
        end = 0
        with self.path.open("rb+") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
            file.truncate(end)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the logged values."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def add(self, value: Any) -> None:
        """Append a line and hand it to the operating system."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")


class ResumableFolder:
    """A work folder that belongs to one set of settings.

    The settings are noted in ``settings.json`` in the folder. A run with equal settings resumes
    from the folder's content; a run with other settings starts with an empty folder.

    Parameters
    ----------
    path : str or path-like
        The folder. It is created by `claim`.
    settings : object
        JSON-serializable settings. They are compared after a JSON round trip, so a tuple equals
        a list.
    owned : sequence of str, default=("*",)
        Glob patterns of the top-level entries that `claim` may delete. By default, all.

    Examples
    --------
    >>> import tempfile
    >>> from melanet.utils._files import ResumableFolder
    >>> path = tempfile.mkdtemp()
    >>> folder = ResumableFolder(path, {"seed": 0})
    >>> folder.matches()
    False
    >>> folder.claim()
    False
    >>> ResumableFolder(path, {"seed": 0}).claim()
    True
    """

    def __init__(self, path: PathLike, settings: Any, owned: Sequence[str] = ("*",)):
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings))
        self.owned = (*owned, self._note.name, f"{_PARTIAL}*")

    def matches(self) -> bool:
        """Return whether the folder was claimed with equal settings."""
        # The default equals no JSON value, not even null.
        return bool(read_json(self._note, default=...) == self.settings)

    def claim(self) -> bool:
        """Make this the folder of these settings.

        If the settings match, the content is kept, except for half-written files
        (``.partial-*``). Otherwise the folder is emptied and the settings are noted.

        Returns
        -------
        bool
            Whether the content was kept.

        Raises
        ------
        ValueError
            If the folder has other settings, or none, and holds files that are not `owned`.
        """
        if self.matches():
            for partial in self.path.glob(f"{_PARTIAL}*"):
                partial.unlink()
            return True
        owned = {path for pattern in self.owned for path in self.path.glob(pattern)}
        foreign = sorted(path.name for path in self.path.glob("*") if path not in owned)
        if foreign:
            raise ValueError(
                f"folder must be new, or hold only {', '.join(self.owned)}. Received: "
                f"{str(self.path)!r}, which holds other files ({', '.join(foreign[:3])}). "
                "Choose another folder"
            )
        self.remove()
        write_json(self._note, self.settings)
        return False

    def remove(self) -> None:
        """Delete the folder and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _note(self) -> Path:
        return self.path / "settings.json"
