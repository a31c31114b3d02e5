"""Stages of a long job: each is done once, and a job that was killed goes on where it was."""

import hashlib
import json
import shutil
import time
from pathlib import Path

_NOTE = "stage.json"


class Stages:
    """Folders of results under one folder, each with a note of what it was made from.

    A stage is skipped if its folder is there and its key (a hash of its settings and of the keys
    of the stages that it reads) is the same. It works in a hidden folder that gets its name when
    the work is done; one that was killed finds there what it had kept, if its key is the same.

    Parameters
    ----------
    folder : path-like
        Where the stages' folders are; made if missing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.log = []  # (name, seconds that it took, whether it was there already)
        self._keys = {}

    def run(self, name, make, settings, after=()):
        """Do a stage, unless it is done.

        Parameters
        ----------
        name : str
            Folder of the stage, such as "sound/seed-0/gan".
        make : callable
            ``make(folder)`` writes the stage's results there.
        settings : dict
            What JSON can hold and the results depend on.
        after : sequence of str
            Names of stages whose results it reads.

        Returns
        -------
        Path
            The folder with the results.
        """
        own = json.dumps([settings, [self._keys[other] for other in after]], sort_keys=True)
        key = self._keys[name] = hashlib.sha256(own.encode()).hexdigest()
        final = self.folder / name
        note = _read(final / _NOTE)
        if note.get("key") == key and all((final / file).is_file() for file in note["files"]):
            self.log.append((name, note["seconds"], True))
            return final
        partial = final.with_name(f".{final.name}.partial")
        begun = _read(partial / _NOTE)
        if begun.get("key") != key:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            begun = {"key": key, "settings": settings}
            _write(partial / _NOTE, begun)
        print(f"[{name}]", flush=True)
        start = time.perf_counter()
        make(partial)
        seconds = time.perf_counter() - start
        files = [p.relative_to(partial) for p in sorted(partial.rglob("*")) if p.is_file()]
        files = [file.as_posix() for file in files if file.name != _NOTE]
        _write(partial / _NOTE, {**begun, "seconds": seconds, "files": files})
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)
        self.log.append((name, seconds, False))
        return final


def digest_of_files(paths):
    """Return a hash of files' names and bytes."""
    total = hashlib.sha256()
    for path in map(Path, paths):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _read(path):
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _write(path, note):
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(note, indent=1))
    partial.replace(path)
