"""Files that are whole or not there."""

import csv
import json
from contextlib import contextmanager
from itertools import chain
from pathlib import Path


def history_rows(history):
    """Turn a Keras history, name -> values by epoch, into one dict for each epoch."""
    n_epochs = max(map(len, history.values()), default=0)
    return [
        {"epoch": i + 1, **{name: values[i] for name, values in history.items()}}
        for i in range(n_epochs)
    ]


@contextmanager
def atomic_path(path):
    """Give a name to write under; it becomes `path` if the block ends without an error.

    Parameters
    ----------
    path : str or path-like
        Final name; its folder is made.

    Yields
    ------
    Path
        Name of the same ending in the same folder.

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
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_csv(path, rows):
    """Write dicts of the same keys, from any iterable, as a CSV file with a header line."""
    rows = iter(rows)
    first = next(rows, None)
    with atomic_path(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(first or ()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows if first is None else chain([first], rows))


def write_json(path, value):
    """Write what JSON can hold, indented, for people to read."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


class Journal:
    """Lines of JSON, each written once what it tells of is done.

    Parameters
    ----------
    path : str or path-like
        The file. A last line that was cut off is removed from it.

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

    def __init__(self, path):
        self.path = Path(path)
        self.path.touch()
        end = 0
        with self.path.open("rb+") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
            file.truncate(end)

    def __iter__(self):
        """Read line after line."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def add(self, value):
        """Append a line; it is with the operating system when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
