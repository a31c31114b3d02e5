"""Store of a run: a line for each result, a file for each set of synthetic samples."""

import fcntl
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from helping.arms import Synthetic


def digest(settings):
    """Return a short hash of JSON-serializable settings."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Store:
    """A folder of results that several processes may add to.

    Parameters
    ----------
    folder : str or path-like
        Folder, created if missing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = self.folder / "results.jsonl"

    def records(self):
        """Return key -> record, the last one of each key. Incomplete lines are skipped."""
        records = {}
        if self.lines.exists():
            for line in self.lines.read_bytes().splitlines():
                try:
                    record = json.loads(line)
                    records[record["key"]] = record
                except (ValueError, KeyError):
                    continue
        return records

    def add(self, record):
        """Append a record as one line, atomically for readers."""
        line = json.dumps(record).encode() + b"\n"
        with self.lines.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a process was killed while it wrote
                    line = b"\n" + line
            file.write(line)

    def _path(self, key):
        return self.folder / "synthetic" / f"{key}.npz"

    def has_synthetic(self, key):
        """Return whether the synthetic samples of a key are stored."""
        return self._path(key).exists()

    def synthetic(self, key, make):
        """Read the synthetic samples of a key, or generate and store them.

        Parameters
        ----------
        key : str
            Name of the file without its extension.
        make : callable
            Function that returns a `Synthetic`.
        """
        path = self._path(key)
        if not path.exists():
            made = make()
            path.parent.mkdir(exist_ok=True)
            partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
            with partial.open("wb") as file:
                facts = json.dumps(made.facts, default=float)
                np.savez_compressed(
                    file, X=made.X, y=made.y, sources=made.sources, kinds=made.kinds, facts=facts
                )
            partial.replace(path)
        with np.load(path) as file:
            facts = json.loads(str(file["facts"]))
            return Synthetic(*(file[name] for name in ("X", "y", "sources", "kinds")), facts)
