"""Files and folders that an interrupted run leaves either complete or absent."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

_PARTIAL = ".partial-"  # prefix of files that are being written


@contextmanager
def atomic_path(path: PathLike) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds.

    An error or a kill leaves no half-written file under the final name.

    Parameters
    ----------
    path : str or path-like
        Final path. Missing parent folders are created.

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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{_PARTIAL}{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_csv(path: PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write dicts with the same keys to a CSV file with a header line."""
    rows = iter(rows)
    first = next(rows, None)
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(first or ()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows if first is None else chain([first], rows))


def read_csv(path: PathLike, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read some columns of a CSV file in UTF-8 with a header line.

    Parameters
    ----------
    path : str or path-like
        The file.
    columns : sequence of str
        Names of columns, found by their names in the header; others are ignored.

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
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a CSV file of UTF-8 text. Received: {error}") from error
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
