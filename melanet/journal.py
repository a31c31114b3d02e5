"""A file of finished work, line after line, that a killed process leaves readable."""

import json
from pathlib import Path


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
    >>> from melanet.journal import Journal
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
