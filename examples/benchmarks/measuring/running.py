"""Make, measure and store the translations of each data set, side, arm and seed."""

import json
from pathlib import Path

import numpy as np
from helping.store import digest

from measuring import arms
from measuring.data import find_folder
from measuring.measures import measure

# The code on which stored figures depend; the arms' translations are stored apart.
_CODE = ("data", "measures", "nuisances", "oracles", "pretrained", "realism")


class Results:
    """The results of a data set and side in a folder: figures, translations, contact sheets.

    Parameters
    ----------
    out : str or path-like
        Folder of the benchmark.
    data, side, final, outside
        As for `measuring.measures.open_bench`.
    """

    def __init__(self, out, data, side, final=False, outside="efficientnet-lite0"):
        self.data = find_folder(data).name
        part = "final" if final else "choosing"
        self.folder = Path(out) / "results" / f"{self.data}-{side}-{part}"
        self.folder.mkdir(parents=True, exist_ok=True)
        here = Path(__file__).parent
        self._code = digest([outside, *((here / f"{name}.py").read_text() for name in _CODE)])

    def path(self, arm, seed, suffix):
        """Return the file of an arm and seed; another one if the arm's parameters change."""
        settings = [arms.VARIANTS.get(arm), arms.BY_DATA.get(self.data), arms.NOISE]
        name = "".join(c if c.isalnum() or c in ".-" else "-" for c in arm)
        return self.folder / f"{name}-{seed}-{digest(settings)}{suffix}"

    def stored(self, arm, seed):
        """Return the figures of an arm and seed, or None if they are missing or outdated."""
        try:
            result = json.loads(self.path(arm, seed, ".json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return result if result["code"] == self._code else None

    def run(self, arm, seed, bench):
        """Return the figures of an arm and seed, stored or measured now."""
        from melanet.utils._files import write_json

        if (result := self.stored(arm, seed)) is not None:
            return result
        made = self._made(arm, seed, bench)
        result = measure(made.images, made.source_rows, bench)
        result.update(arm=arm, seed=seed, asked=made.asked, code=self._code, **made.facts)
        draw_sheet(made, bench, self.path(arm, seed, ".png"))
        write_json(self.path(arm, seed, ".json"), result)
        return result

    def _made(self, arm, seed, bench):
        if arm in arms.CONTROLS:  # made in seconds, and one depends on an oracle
            return arms.make(arm, bench, seed, self.data)
        path = self.path(arm, seed, ".npz")
        if path.exists():
            with np.load(path) as file:
                facts = json.loads(str(file["facts"]))
                return arms.Made(file["images"], file["rows"], int(file["asked"]), facts)
        made = arms.make(arm, bench, seed, self.data)
        partial = path.with_suffix(".partial.npz")
        np.savez(
            partial,
            images=made.images,
            rows=made.source_rows,
            asked=made.asked,
            facts=json.dumps(made.facts, default=str),
        )
        partial.replace(path)
        return made


def draw_sheet(made, bench, path, n=14):
    """Save a contact sheet: a row each of sources, translations and edits, twice.

    An edit is shown as three times the difference around middle grey.
    """
    from PIL import Image

    from melanet.images import picture_grid

    if not len(made.images):
        return
    rows = []
    chosen = np.random.default_rng(0).permutation(len(made.images))[: 2 * n]
    for part in (chosen[:n], chosen[n:]):
        if len(part):
            after = made.images[part].astype("float32") / 127.5 - 1
            before = bench.X[made.source_rows[part]].astype("float32") / 127.5 - 1
            rows += [before, after, np.clip(1.5 * (after - before), -1, 1)]
    Image.fromarray(picture_grid(rows)).save(path)
