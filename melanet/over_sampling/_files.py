"""Over-sampling of picture files, out of core: files in, files and a manifest out."""

import hashlib
import json
import os
import shutil
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from imblearn.utils import check_sampling_strategy
from PIL import Image
from rich.progress import Progress as Bar

from melanet._version import __version__
from melanet.callbacks._checkpoint import Checkpoint
from melanet.callbacks._monitoring import Progress, StopOnNonFinite
from melanet.gan import training
from melanet.gan._cyclegan import CycleGAN
from melanet.gan._unpaired_dataset import UnpairedFiles
from melanet.images._augmentation import Augmentation
from melanet.images._io import for_each, verify_picture
from melanet.over_sampling import _presets
from melanet.over_sampling._gan_oversampler import GANOversampler
from melanet.over_sampling._generation import ClassFiller, check_fits, check_needs
from melanet.over_sampling._guard import describe_failures
from melanet.over_sampling._judge import Judge, reduced
from melanet.preprocessing._image_form import PictureFiles
from melanet.utils._chunks import samples_that_fit
from melanet.utils._files import Journal, atomic_path, write_csv, write_json
from melanet.utils._keras import reproducible
from melanet.utils._parallel import read_compute_write
from melanet.utils._validation import to_python

MANIFEST = "manifest.csv"
_SETTINGS = "settings.json"  # in the folder of what is not finished


def oversample_files(
    paths,
    y,
    destination,
    *,
    names=None,
    models=None,
    sampling_strategy="auto",
    preset="default",
    size=None,
    seed=0,
    checkpoint_seconds=60,
    verbose=0,
):
    """Fill up the rare classes of picture files, in memory that does not grow with their number.

    The CycleGANs train on pictures that are read batch by batch. Then sources are read, translated,
    judged and written chunk by chunk, the three at the same time. A run that was killed goes on
    when it is called again with the same arguments and files: a training from its last
    checkpoint, the writing after the last chunk, and the result is the same byte for byte. What
    it needs for that lies in the hidden folder ``.partial-<name>`` beside `destination`, which
    goes when all is done; a call with other arguments begins anew there.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Picture files; nothing is changed in them.
    y : array-like of str of shape (n,)
        Their classes, names that a folder can have.
    destination : str or path-like
        Folder to write, which must be new or empty: ``<class>/<number>.png`` of what was made,
        and ``manifest.csv`` with a row for each: its file, label, source file and its label,
        kind ("translation", or "copy" for an augmented copy), model and seed. It is whole or not
        there.
    names : sequence of str or None, default=None
        What the manifest calls the sources; None takes `paths`.
    models : dict or None, default=None
        label -> CycleGAN or file of one, to use instead of training.
    sampling_strategy : float, str or dict, default="auto"
        As in imbalanced-learn.
    preset : {"default", "paper"}, default="default"
        Recipe, as of `melanet.GANOversampler`. The default's judge learns from at most 500
        pictures of each class, drawn at random, and its guard compares with at most 300; whether
        translations all look alike is decided for each chunk of up to 256.
    size : int, (int, int) or None, default=None
        Side, or height and width, that pictures are resized to; None takes that of the first
        model, or 256.
    seed : int, default=0
        Seed of it all.
    checkpoint_seconds : float, default=60
        Least time between two checkpoints of a training.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    dict
        Class -> number of pictures written.

    Raises
    ------
    ValueError
        If the classes or parameters do not fit, pictures cannot be read, or nothing has to be made.
    OSError
        If a model cannot be read, or a picture not be written.
    melanet.exceptions.TrainingDiverged
        If the loss of a training becomes infinite or not a number.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet import CycleGAN
    >>> from melanet.over_sampling import oversample_files
    >>> gan = CycleGAN.from_shape((8, 8, 3), filters=2, discriminator_filters=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, f"{i}.png") for i in range(5)]
    ...     for i, path in enumerate(paths):
    ...         Image.new("RGB", (8, 8), (50 * i, 0, 0)).save(path)
    ...     oversample_files(
    ...         paths,
    ...         ["benign"] * 3 + ["malignant"] * 2,
    ...         os.path.join(folder, "made"),
    ...         models={"malignant": gan},
    ...         preset="paper",
    ...     )
    {'malignant': 1}
    """
    destination = Path(destination)
    work = destination.with_name(f".partial-{destination.name}")
    y = np.asarray(y)
    gans = {label: CycleGAN.from_pretrained(model) for label, model in (models or {}).items()}
    if size is None:
        size = next((gan.sample_shape[:2] for gan in gans.values()), 256)
    files = PictureFiles(paths, size)
    classes = _check_classes(y, files)
    for label, gan in gans.items():
        check_fits(label, gan, classes, files.sample_shape)
    needs = _needs(sampling_strategy, y, gans)
    recipe = _presets.resolve(GANOversampler(preset=preset), files.sample_shape)
    settings = {
        "version": __version__,
        "recipe": recipe,
        "size": files.sample_shape,
        "seed": seed,
        "needs": needs,
        "models": {label: _digest_weights(gan) for label, gan in gans.items()},
        "files": _digest_files(files.paths, y),
    }
    claimed = _is_claimed(work, settings)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        if claimed and not (work / PICTURES).exists():  # cut off after the last step but one
            shutil.rmtree(work)
            return needs
        raise ValueError(
            f"destination must be a new or an empty folder. Received: {str(destination)!r}, "
            "which holds something. Remove it, or name another"
        )
    if not claimed:
        for_each(lambda i: _look(files.paths[i]), files.paths)
        shutil.rmtree(work, ignore_errors=True)
        (work / PICTURES).mkdir(parents=True)
        write_json(work / _SETTINGS, settings)
    journal = Journal(work / "journal.jsonl")
    with reproducible():
        filling = FolderFilling(files, y, recipe, seed, work, checkpoint_seconds, verbose)
        filling.fill_up(needs, gans, journal)
    shown = {label: str(model) for label, model in (models or {}).items()}
    names = files.paths if names is None else names
    write_csv(work / PICTURES / MANIFEST, _manifest(journal, names, y, shown, seed))
    _warn(journal, needs)
    if destination.exists():
        destination.rmdir()
    (work / PICTURES).replace(destination)
    shutil.rmtree(work)
    return needs


def _needs(strategy, y, gans):
    counts = dict(sorted(Counter(y.tolist()).items()))
    needs = check_sampling_strategy(strategy, y, "over-sampling")
    needs = {to_python(label): n for label, n in needs.items() if n}
    if not needs:
        raise ValueError(
            f"sampling_strategy={strategy!r} asks for no further image. Received: {counts}"
        )
    return check_needs(needs, counts, gans)


def _check_classes(y, files):
    if y.shape != (len(files),) or not len(files):
        raise ValueError(
            f"y must hold one label for each of {len(files)} paths, one or more. "
            f"Received: shape {y.shape}"
        )
    classes = np.unique(y)
    bad = [name for name in map(str, classes) if Path(name).name != name or name in (".", "..", "")]
    if bad or len(classes) < 2:
        raise ValueError(
            "y must hold two classes or more, with names that a folder can have. "
            f"Received: {bad or classes.tolist()}"
        )
    return classes


def _look(path):
    with open(path, "rb") as file:
        verify_picture(file)


def _is_claimed(work, settings):
    note = work / _SETTINGS
    return note.exists() and json.loads(note.read_text()) == json.loads(json.dumps(settings))


def _digest_files(paths, y):
    digest = hashlib.sha256()
    for path, label in zip(paths.tolist(), y.tolist()):
        state = os.stat(path)
        digest.update(repr((path, label, state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()


def _digest_weights(gan):
    digest = hashlib.sha256()
    for value in gan.generator_ab.get_weights():
        digest.update(value.tobytes())
    return digest.hexdigest()


def _manifest(journal, names, y, models, seed):
    for line in journal:
        label = line["label"]
        for file, row, kind in zip(line["files"], line["sources"], line["kinds"]):
            model = models.get(label, "trained here") if kind == "translation" else ""
            yield {
                "file": file,
                "label": label,
                "source": str(names[row]),
                "source_label": str(y[row]),
                "kind": kind,
                "model": model,
                "seed": seed,
            }


def _warn(journal, needs):
    """Say which classes were hard to translate into, from what the journal counted."""
    counts = {label: Counter() for label in needs}
    diversities = {label: [] for label in needs}
    for line in journal:
        label = line["label"]
        counts[label].update({key: line[key] for key in ("attempts", "unchanged", "refused")})
        counts[label]["copies"] += line["kinds"].count("copy")
        if line["diversity"] is not None:
            diversities[label].append(line["diversity"])
    for label, n in needs.items():
        found = {key: counts[label][key] for key in ("unchanged", "refused")}
        attempts = counts[label]["attempts"]
        problem = describe_failures(
            attempts, **found, diversity=min(diversities[label], default=None)
        )
        if problem:
            warnings.warn(
                f"Class {label!r}: {problem}. Of its {n} synthetic pictures "
                f"{counts[label]['copies']} are copies of real ones of the class "
                f"(see kind in {MANIFEST}). Train longer, collect more, or take another remedy for "
                "this class",
                stacklevel=3,
            )


PICTURES = "pictures"  # in the folder of what is not finished
_CHUNK_BYTES = 32 << 20  # of samples that are read, made and written together
_MOST_IN_CHUNK = 256
_MOST_JUDGED = 500  # pictures of each class that the judge learns from


class FolderFilling:
    """The work of `melanet.over_sampling.oversample_files`, each step kept once it is done.

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
        n = min(_MOST_IN_CHUNK, samples_that_fit(self.files.sample_shape, _CHUNK_BYTES))
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

        written = read_compute_write(
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
            epochs, steps = training.epochs_and_steps(recipe)
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
            model = training.build(recipe, self.files.sample_shape, seed, total)
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
            with atomic_path(file) as partial:
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
            with atomic_path(file) as partial:
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
