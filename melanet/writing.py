"""Files that are whole or not there."""

import csv
import json
from contextlib import contextmanager
from itertools import chain
from pathlib import Path


@contextmanager
def whole(path):
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
    >>> from melanet.writing import whole
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with whole(path) as partial:
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


def write_rows(path, rows):
    """Write dicts of the same keys, from any iterable, as a CSV file with a header line."""
    rows = iter(rows)
    first = next(rows, None)
    with whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(first or ()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows if first is None else chain([first], rows))


def write_json(path, value):
    """Write what JSON can hold, indented, for people to read."""
    with whole(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
