"""Stages of a long job: each is run once, and an interrupted job resumes."""

import hashlib
import json
import shutil
import time
from pathlib import Path

from melanet.utils._files import read_json, write_json

_NOTE = "stage.json"


class Stages:
    """Result folders under one folder, each with a note of its settings and inputs.

    A stage is skipped if its folder is complete and its key (a hash of its settings and of the
    keys of the stages that it reads) is unchanged. A stage works in a hidden folder that is
    renamed when the work is finished. An interrupted stage finds its partial results there, if
    its key is unchanged.

    Parameters
    ----------
    folder : path-like
        Parent of the stages' folders. It is created if missing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.log = []  # (name, seconds, whether it was skipped)
        self._keys = {}

    def plan(self):
        """Return stages that only log what they expect, and know the same inputs."""
        planned = _Plan(self.folder)
        planned._keys = dict(self._keys)
        return planned

    def run(self, name, make, settings, after=(), expected=0.0):
        """Run a stage, unless it is complete.

        Parameters
        ----------
        name : str
            Folder of the stage, such as "sound/seed-0/gan".
        make : callable
            ``make(folder)`` writes the stage's results there.
        settings : dict
            JSON-serializable settings that the results depend on.
        after : sequence of str
            Names of the stages whose results it reads.
        expected : float, default=0.0
            Seconds that it is expected to take, for `plan`.

        Returns
        -------
        Path
            The folder with the results.
        """
        key, final, seconds = self._look_up(name, settings, after)
        if seconds is not None:
            self.log.append((name, seconds, True))
            return final
        partial = final.with_name(f".{final.name}.partial")
        begun = read_json(partial / _NOTE, {})
        if begun.get("key") != key:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            begun = {"key": key, "settings": settings}
            write_json(partial / _NOTE, begun)
        print(f"[{name}]", flush=True)
        start = time.perf_counter()
        make(partial)
        seconds = time.perf_counter() - start
        files = [p.relative_to(partial) for p in sorted(partial.rglob("*")) if p.is_file()]
        files = [file.as_posix() for file in files if file.name != _NOTE]
        write_json(partial / _NOTE, {**begun, "seconds": seconds, "files": files})
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        self.log.append((name, seconds, False))
        return final

    def _look_up(self, name, settings, after):
        """Return the key and the folder of a stage, and the seconds it took if it is complete."""
        inputs = json.dumps([settings, [self._keys[other] for other in after]], sort_keys=True)
        key = self._keys[name] = hashlib.sha256(inputs.encode()).hexdigest()
        final = self.folder / name
        note = read_json(final / _NOTE, {})
        complete = note.get("key") == key and all(
            (final / file).is_file() for file in note["files"]
        )
        return key, final, note["seconds"] if complete else None


class _Plan(Stages):
    """Stages that are not run; the log holds (name, expected seconds, whether complete)."""

    def run(self, name, make, settings, after=(), expected=0.0):
        _, final, seconds = self._look_up(name, settings, after)
        self.log.append((name, expected, seconds is not None))
        return final


def digest_of_files(paths):
    """Return a hash of the names and contents of files."""
    total = hashlib.sha256()
    for path in map(Path, paths):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
