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

    def run(self, name, make, settings, after=()):
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

        Returns
        -------
        Path
            The folder with the results.
        """
        inputs = json.dumps([settings, [self._keys[other] for other in after]], sort_keys=True)
        key = self._keys[name] = hashlib.sha256(inputs.encode()).hexdigest()
        final = self.folder / name
        note = read_json(final / _NOTE, {})
        if note.get("key") == key and all((final / file).is_file() for file in note["files"]):
            self.log.append((name, note["seconds"], True))
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


def digest_of_files(paths):
    """Return a hash of the names and contents of files."""
    total = hashlib.sha256()
    for path in map(Path, paths):
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
