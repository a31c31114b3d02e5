"""The steps of over-sampling a folder: train, judge, read, translate, write; none done twice."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from rich.progress import Progress as Bar

from melanet import recipes, synthesis
from melanet.augmentation import Augmentation
from melanet.callbacks import Progress, StopOnNonFinite
from melanet.checkpoints import Checkpoint
from melanet.class_filling import ClassFiller
from melanet.cyclegan import CycleGAN
from melanet.judging import Judge, reduced
from melanet.pipelining import overlapped
from melanet.portions import most_of
from melanet.streaming import UnpairedFiles
from melanet.writing import whole

PICTURES = "pictures"  # in the folder of what is not finished
_CHUNK_BYTES = 32 << 20  # of samples that are read, made and written together
_MOST_IN_CHUNK = 256
_MOST_JUDGED = 500  # pictures of each class that the judge learns from


class FolderFilling:
    """The work of `melanet.out_of_core.oversample_files`, each step kept once it is done.

    Parameters
    ----------
    files, y, recipe, seed, work, checkpoint_seconds, verbose
        As there, resolved; `work` is the folder for all that is not finished.
    """

    def __init__(self, files, y, recipe, seed, work, checkpoint_seconds, verbose):
        self.files, self.recipe, self.seed = files, recipe, seed
        self.work, self.checkpoint_seconds, self.verbose = work, checkpoint_seconds, verbose
        self.classes, self.codes = np.unique(y, return_inverse=True)
        self._judge = None

    def fill_up(self, needs, gans, journal):
        """Make and write what is not in the journal yet."""
        done = Counter()
        for line in journal:
            done[line["label"]] = line["stop"]
        first = 0
        for label, n_samples in needs.items():
            if done[label] < n_samples:
                self._fill(label, n_samples, done[label], first, gans.get(label), journal)
            first += n_samples

    def _fill(self, label, n_samples, done, first, gan, journal):
        code = int(np.flatnonzero(self.classes == label)[0])
        seeds = np.random.SeedSequence([self.seed, code]).generate_state(2)
        sources, own = self._sources(code), np.flatnonzero(self.codes == code)
        accepts = self._accepts(code) if self.recipe["reject"] else None
        filler = ClassFiller(
            self.files,
            sources,
            own,
            n_samples,
            cyclegan=gan or self._trained(code, sources, own, int(seeds[0]) % 2**20),
            accepts=accepts,
            recipe=self.recipe,
            seed=[int(seeds[1])],
        )
        n = min(_MOST_IN_CHUNK, most_of(self.files.sample_shape, _CHUNK_BYTES))
        parts = [(start, min(start + n, n_samples)) for start in range(done, n_samples, n)]

        def write(part, chunk):
            pictures = [f"{label}/synthetic-{first + i:06d}.png" for i in range(*part)]
            write_pictures(chunk.pictures, [self.work / PICTURES / name for name in pictures])
            return {
                "label": label,
                "stop": part[1],
                "files": pictures,
                "sources": chunk.sources,
                "kinds": chunk.kinds,
                "attempts": chunk.attempts,
                "unchanged": chunk.unchanged,
                "refused": chunk.refused,
                "diversity": chunk.diversity,
            }

        written = overlapped(
            parts,
            lambda part: filler.read(*part),
            lambda part, chosen: filler.make(*part, chosen),
            write,
        )
        with Bar(disable=not self.verbose) as bar:
            task = bar.add_task(f"Pictures of {label}", total=n_samples, completed=done)
            for line in written:
                journal.add(line)
                bar.update(task, completed=line["stop"])

    def _sources(self, code):
        counts = np.bincount(self.codes)
        counts[code] = 0
        # Of equally large classes the first wins, so that the choice repeats.
        return np.flatnonzero(self.codes == counts.argmax())

    def _trained(self, code, sources, own, seed):
        """Return the CycleGAN of a class, trained unless that is done."""
        file = self.work / f"class-{code}.keras"
        if not file.exists():
            recipe, paths = self.recipe, self.files.paths
            epochs, steps = recipes.epochs_and_steps(recipe)
            batches = UnpairedFiles(
                paths[sources],
                paths[own],
                self.files.sample_shape[:2],
                recipe["batch_size"],
                seed,
                steps=steps,
                flip=recipe["flip"],
                augment=Augmentation(share=recipe["augment"]) if recipe["augment"] else None,
            )
            total = epochs * len(batches)
            model = synthesis.build(recipe, self.files.sample_shape, seed, total)
            checkpoint = Checkpoint(self.work / f"class-{code}", seconds=self.checkpoint_seconds)
            done = checkpoint.restore(model, batches)
            name = f"CycleGAN class {self.classes[code]}"
            callbacks = [StopOnNonFinite(name), checkpoint]
            if self.verbose:
                callbacks.append(Progress(name, total - done * len(batches)))
            try:
                options = {"initial_epoch": done, "epochs": epochs, "verbose": 0}
                model.fit(batches, callbacks=callbacks, **options)
            finally:
                for callback in callbacks[2:]:
                    callback.stop()
            with whole(file) as partial:
                model.generator_ab.save(partial)
            checkpoint.forget()
        # Read from the file at the first time, too: a run that goes on has nothing else.
        return CycleGAN.from_pretrained(file)

    def _accepts(self, code):
        """Return the judge of a class; the judge is trained unless that is done."""
        file = self.work / "judge.keras"
        if self._judge is None and not file.exists():
            rng = np.random.default_rng([self.seed, len(self.classes)])
            rows = [np.flatnonzero(self.codes == i) for i in range(len(self.classes))]
            rows = np.concatenate([rng.permutation(own)[:_MOST_JUDGED] for own in rows])
            parts = [rows[i : i + _MOST_IN_CHUNK] for i in range(0, len(rows), _MOST_IN_CHUNK)]
            samples = np.concatenate([reduced(self.files.read(part)) for part in parts])
            judge = Judge(flip=self.recipe["flip"], seed=self.seed % 2**20)
            with whole(file) as partial:
                judge.fit(samples, self.codes[rows]).save(partial)
        self._judge = self._judge or Judge.load(file)
        return lambda samples: self._judge.accepts(samples, code)


def write_pictures(pictures, paths):
    """Write PNG files by several threads; missing folders are made.

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width, 3), uint8
        What to write.
    paths : list of Path
        Where.
    """
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: Image.fromarray(pair[0]).save(pair[1]), zip(pictures, paths)))
