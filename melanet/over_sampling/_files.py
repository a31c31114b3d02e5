"""Over-sample image files out of core: files in, files and a manifest out."""

import contextlib
import hashlib
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from imblearn.utils import check_sampling_strategy
from numpy.typing import ArrayLike
from PIL import Image
from rich.progress import Progress as ProgressBar

from melanet._version import __version__
from melanet.callbacks import Checkpoint
from melanet.features import FeatureNetwork
from melanet.gan import CycleGAN
from melanet.gan.training import train
from melanet.images import check_paths, for_each, open_file, verify_picture
from melanet.over_sampling._gate import pass_gate
from melanet.over_sampling._generation import (
    ClassGenerator,
    ClassReport,
    Generated,
    labels_to_learn,
)
from melanet.over_sampling._guidance import guide_for, with_features
from melanet.over_sampling._judge import Judge, train_judge
from melanet.over_sampling._manifest import MANIFEST, manifest_rows
from melanet.over_sampling._plans import (
    ClassPlan,
    check_needs,
    check_sample_shapes,
    load_cyclegans,
    open_pictures,
    plan_classes,
)
from melanet.over_sampling._presets import Recipe, names_features, resolve_recipe
from melanet.over_sampling._strength import temper
from melanet.preprocessing import PictureFiles
from melanet.utils import reproducible
from melanet.utils._chunks import samples_that_fit
from melanet.utils._files import (
    Journal,
    ResumableFolder,
    atomic_path,
    can_write_text,
    check_new_folder,
    move_folder,
    resolve,
    resumable,
    write_csv,
    write_json,
)
from melanet.utils._groups import check_groups
from melanet.utils._labels import check_spelling, match_keys
from melanet.utils._parallel import read_compute_write
from melanet.utils._paths import check_distinct_files, stat_file
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_unmasked, to_python

RECIPE = "recipe.json"
_IMAGES = "images"  # folder of the finished images in the work folder
_CHUNK_BYTES = 32 << 20  # samples that are read, translated and written together
_MAX_CHUNK = 256
_MAX_JUDGED = 500  # images of each class that the judge learns from


def oversample_files(
    paths: Sequence[PathLike],
    y: ArrayLike,
    destination: PathLike,
    *,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    models: Mapping[Any, PathLike | CycleGAN] | None = None,
    sampling_strategy: Any = "auto",
    preset: str = "default",
    quality: str = "default",
    features: PathLike | None = "auto",
    max_translations: float | None = None,
    gate: str | bool = False,
    size: int | tuple[int, int] | None = None,
    value_range: Iterable[float] | None = None,
    seed: int = 0,
    checkpoint_seconds: float = 60,
    verbose: int = 0,
) -> dict[str, int]:
    """Fill up the rare classes of image files, in memory that does not grow with their number.

    The CycleGANs train on images read batch by batch. Then images are read, translated and
    written chunk by chunk, all three at the same time. A call with the same arguments and files
    resumes a killed run, a training from its last checkpoint and the writing after the last
    chunk, and the result is the same byte for byte. Unfinished work lies in the hidden folder
    ``.partial-<name>`` beside `destination`, which is removed at the end; a call with other
    arguments starts over, with a warning. That the work can be moved to `destination` is tried
    before it starts.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Image files, or pictures in an HDF5 file as ``<file>.hdf5/<name>``. They are only read.
    y : array-like of str of shape (n,)
        Their classes; each must be a valid folder name. The keys of `models` and
        `sampling_strategy` are matched with them by their text: "9" is 9.
    destination : str or path-like
        New or empty folder, or a link to one. It gets ``<class>/<number>.png`` for each
        synthetic image, and ``manifest.csv`` with its file, label, source, source file (relative
        to `destination`), source label, group of the source, kind ("translation", or "copy",
        possibly augmented), weight (as `sample_weight_` of `melanet.GANOversampler`), model and
        seed. ``recipe.json`` holds the settings, with the checksum of pretrained features. All is
        written atomically. Where all images are grey, so are the synthetic ones, and the CycleGANs
        work in one channel, unless one of `models` takes three.
    names : sequence of str or None, default=None
        Names of the sources in the manifest, one for each path; None takes `paths`. A name that
        is not UTF-8 is written byte for byte: read with ``errors="surrogateescape"``.
    groups : array-like of shape (n,) or None, default=None
        Lesion or patient of each image, for the manifest, so that a later split can keep the
        originals and synthetic images of a group on one side.
    models : dict or None, default=None
        label -> CycleGAN or file of one, to use instead of training; of classes that get images.
    sampling_strategy : float, str or dict, default="auto"
        As in imbalanced-learn.
    preset : {"default", "paper"}, default="default"
        Recipe, as in `melanet.GANOversampler`. The judge of the default learns from at most 500
        images of each class, drawn at random.
    quality : {"draft", "default", "high"}, default="default"
        Length of the default's training.
    features : {"auto", "imagenet"}, path-like or None, default="auto"
        Frozen network that guides the default's training, see `melanet.features.find_features`.
    max_translations : float or None, default=None
        Greatest number of translations for each real image of a class, as in
        `melanet.GANOversampler`; the rest are exact copies.
    gate : {"auto"} or False, default=False
        With "auto", no GAN is trained where the majority shows no condition that the class lacks,
        as in `melanet.GANOversampler`; ``recipe.json`` has the reasons.
    size : int, (int, int) or None, default=None
        Side, or height and width, that images are resized to; None takes that of the first
        model, or 256.
    value_range : (float, float) or None, default=None
        Limits of the values of grey files of more than 8 bits, such as (0, 4095), see
        `melanet.datasets.load_images`. The images written have 8 bits.
    seed : int, default=0
        Seed of everything.
    checkpoint_seconds : float, default=60
        Minimum time between two checkpoints of a training.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    dict
        Class -> number of images written.

    Raises
    ------
    ValueError
        If classes or parameters do not fit, a file is named twice, images cannot be read, or no
        class needs images.
    OSError
        If a model cannot be read or an image cannot be written.
    melanet.exceptions.TrainingDiverged
        If the loss of a training becomes infinite or NaN.

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
    ...         os.path.join(folder, "synthetic"),
    ...         models={"malignant": gan},
    ...         preset="paper",
    ...     )
    {'malignant': 1}
    """
    if gate not in ("auto", False):
        raise ValueError(f"gate must be 'auto' or False. Received: gate={gate!r}")
    paths, destination = check_paths(paths), resolve(destination)
    check_unmasked("y", y)
    y = np.asarray(y)
    _check_labels(y, len(paths))
    check_distinct_files("paths", paths)
    names = _check_names(paths if names is None else names, len(paths))
    groups = check_groups(groups, len(paths))
    cyclegans = load_cyclegans(models, "models", y)
    files = open_pictures(paths, size, value_range, cyclegans)
    remedy = "Leave size out, or give the model's"
    check_sample_shapes(cyclegans, "models", files.sample_shape, remedy)
    needs = _needs(sampling_strategy, y, cyclegans)
    _refuse_unused(cyclegans, needs, max_translations)
    recipe = resolve_recipe(preset, files.sample_shape, quality, max_translations=max_translations)
    plans = plan_classes(y, needs, seed, copies=recipe.copies, max_translations=max_translations)
    network = None
    if labels_to_learn(plans, cyclegans):
        recipe, network = with_features(recipe, files.sample_shape, features)
    else:
        _refuse_training(needs, quality, features, gate)
    settings = {
        "version": __version__,
        "recipe": recipe.as_dict(),
        "size": files.sample_shape,
        "value_range": files.value_range,
        "seed": seed,
        "needs": needs,
        "gate": gate,
        "models": {to_python(k): _digest_weights(gan) for k, gan in cyclegans.items()},
        "files": _digest_files(files.paths, y),
    }
    work = ResumableFolder(destination.with_name(f".partial-{destination.name}"), settings)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        if work.matches() and not (work.path / _IMAGES).exists():  # killed before the last step
            work.remove()
            return needs
        raise ValueError(
            f"destination must be a new or an empty folder. Received: {str(destination)!r}, "
            f"which is not empty{_mention(work)}. Empty that folder, or name another"
        )
    with resumable(work.path):
        check_new_folder(destination, work.path)
    if not work.matches():
        for_each(lambda i: _verify(files, i), files.paths.tolist())
        files.depth.check(len(files))
        if work.path.exists():
            warnings.warn(
                f"The unfinished work in {work.path} is of other arguments or files; it is "
                "removed, and the work starts over",
                stacklevel=2,
            )
    elif verbose:
        print(f"Continues the work in {work.path}")
    with resumable(work.path):
        work.claim()
        for label in needs:  # a class may have a name that no folder can have
            (work.path / _IMAGES / str(label)).mkdir(parents=True, exist_ok=True)
        journal = Journal(work.path / "journal.jsonl")
        notes: dict[Any, str] = {}
        if gate:
            to_learn = labels_to_learn(plans, cyclegans)
            plans, notes = pass_gate(files, plans, to_learn, seed, stacklevel=2)
        writer = _FolderWriter(files, recipe, work.path, network, checkpoint_seconds, verbose)
        with reproducible():
            writer.write(plans, cyclegans, journal, y, seed)
        named = match_keys("models", models or {}, "classes of y", np.unique(y))
        shown = {to_python(label): str(model) for label, model in named.items()}
        sources = _relative_paths(files.paths, destination)
        rows = manifest_rows(journal, names, sources, y, groups, shown, seed)
        write_csv(work.path / _IMAGES / MANIFEST, rows)
        settings_used = {"version": __version__, **recipe.as_dict()}
        if gate:
            settings_used["gate"] = {to_python(label): note for label, note in notes.items()}
        write_json(work.path / _IMAGES / RECIPE, settings_used)
        if recipe.guard:
            for label, report in _reports(journal).items():
                report.warn(label, f"kind in {MANIFEST}", stacklevel=2)
        move_folder(work.path / _IMAGES, destination)
    shutil.rmtree(work.path)
    return needs


class _FolderWriter:
    """Make the images of all classes and write them, skipping finished work.

    Parameters
    ----------
    files : PictureFiles
        Real images.
    recipe : Recipe
        Settings.
    folder : Path
        Work folder.
    network : FeatureNetwork or None
        Frozen network that guides the training.
    checkpoint_seconds : float
        Minimum time between two checkpoints.
    verbose : int
        1 shows progress.
    """

    def __init__(
        self,
        files: PictureFiles,
        recipe: Recipe,
        folder: Path,
        network: FeatureNetwork | None,
        checkpoint_seconds: float,
        verbose: int,
    ):
        self.files, self.recipe, self.folder = files, recipe, folder
        self.network = network
        self.checkpoint_seconds, self.verbose = checkpoint_seconds, verbose

    def write(
        self,
        plans: Sequence[ClassPlan],
        cyclegans: Mapping[Any, CycleGAN],
        journal: Journal,
        y: np.ndarray,
        seed: int,
    ) -> None:
        """Write the images that the journal lacks."""
        done = {line["label"]: line["stop"] for line in journal}
        copies: Counter[Any] = Counter()
        for line in journal:
            copies[line["label"]] += line["kinds"].count("copy")
        judge, first = None, 0
        for plan in plans:
            label = to_python(plan.label)
            start = done.get(label, 0)
            if start < plan.n_samples:
                cyclegan = cyclegans.get(plan.label)
                if cyclegan is None and plan.n_translations:
                    cyclegan = self._trained(plan)
                if judge is None and plan.n_translations and self.recipe.reject:
                    judge = self._trained_judge(y, seed)
                generator = ClassGenerator(self.files, plan, cyclegan, self.recipe, judge)
                self._write_class(generator, label, start, copies[label], first, journal)
            first += plan.n_samples

    def _write_class(self, generator, label, done, n_copies, first, journal):
        n_samples = generator.plan.n_samples
        step = min(_MAX_CHUNK, samples_that_fit(self.files.sample_shape, _CHUNK_BYTES))
        chunks = [np.arange(i, min(i + step, n_samples)) for i in range(done, n_samples, step)]

        def make(places, sources):
            nonlocal n_copies
            generated = generator.generate(places, sources, n_copies)
            n_copies += generated.n_copies
            return generated

        def write(places, generated):
            names = [f"{label}/synthetic-{first + i:06d}.png" for i in places]
            images = self.files.form.decode(generated.samples)
            write_images(images, [self.folder / _IMAGES / name for name in names])
            return _journal_line(label, places, names, generated, generator.measures)

        written = read_compute_write(chunks, generator.read, make, write)
        bar = ProgressBar()
        # Not started instead of disabled: rich before 14.3 ends a disabled bar with an empty line.
        with bar if self.verbose else contextlib.nullcontext():
            task = bar.add_task(f"Images of {label}", total=n_samples, completed=done)
            for line in written:
                journal.add(line)
                bar.update(task, completed=line["stop"])

    def _trained(self, plan: ClassPlan) -> CycleGAN:
        """Return the CycleGAN of a class, trained unless its file exists."""
        file = self.folder / f"class-{plan.code}.keras"
        if not file.exists():
            checkpoint = Checkpoint(
                self.folder / f"class-{plan.code}", seconds=self.checkpoint_seconds
            )
            both = self.files.subset(plan.source_rows), self.files.subset(plan.target_rows)
            guide = guide_for(
                self.recipe, *both, self.network, plan.training_seed, verbose=self.verbose
            )
            cyclegan, _ = train(
                self.recipe,
                *both,
                guide=guide,
                seed=plan.training_seed,
                name=f"CycleGAN class {plan.label}",
                callbacks=[checkpoint],
                verbose=self.verbose,
            )
            temper(cyclegan, self.files, plan.source_rows, plan.target_rows, self.recipe)
            with atomic_path(file) as partial:
                cyclegan.generator_ab.save(partial)
            checkpoint.forget()
        # Read from the file even now, as a resumed run would.
        return CycleGAN.from_pretrained(file)

    def _trained_judge(self, y, seed):
        """Return the judge, trained unless its file exists."""
        file = self.folder / "judge.keras"
        if not file.exists():
            judge = train_judge(self.files, y, self.recipe.flip, seed, _MAX_JUDGED)
            with atomic_path(file) as partial:
                judge.save(partial)
        return Judge.load(file)


def write_images(images: np.ndarray, paths: Sequence[Path]) -> None:
    """Write PNG files by several threads; create missing folders.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3) or (n, height, width, 1), uint8
        Images; those of one channel are written as grey files.
    paths : sequence of Path
        Files to write.
    """
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    if images.shape[-1] == 1:
        images = images[..., 0]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: Image.fromarray(pair[0]).save(pair[1]), zip(images, paths)))


def _journal_line(
    label: Any,
    places: np.ndarray,
    names: list[str],
    generated: Generated,
    measures: dict[str, float],
) -> dict[str, Any]:
    return {
        "label": label,
        "stop": int(places[-1]) + 1,
        "files": names,
        "sources": generated.rows.tolist(),
        "kinds": generated.kinds.tolist(),
        "certainty": generated.certainty.tolist(),
        "n_attempts": generated.n_attempts,
        "n_unchanged": generated.n_unchanged,
        "n_refused": generated.n_refused,
        "measures": measures,
    }


def _reports(journal: Journal) -> dict[Any, ClassReport]:
    reports: dict[Any, ClassReport] = {}
    for line in journal:
        report = reports.setdefault(line["label"], ClassReport(measures=line["measures"]))
        report.n_samples += len(line["kinds"])
        report.n_copies += line["kinds"].count("copy")
        report.n_attempts += line["n_attempts"]
        report.n_unchanged += line["n_unchanged"]
        report.n_refused += line["n_refused"]
    return reports


def _needs(strategy, y, cyclegans):
    counts = dict(sorted(Counter(y.tolist()).items()))
    if isinstance(strategy, Mapping):
        strategy = match_keys("sampling_strategy", strategy, "classes of y", np.unique(y).tolist())
    needs = check_sampling_strategy(strategy, y, "over-sampling")
    needs = check_needs({to_python(label): n for label, n in needs.items()}, y, cyclegans)
    if not needs:
        raise ValueError(
            f"sampling_strategy={strategy!r} asks for no further image. Received: {counts}"
        )
    return needs


def _mention(work):
    return f"; unfinished work lies in {work.path}" if work.path.exists() else ""


def _refuse_unused(cyclegans, needs, max_translations):
    if cyclegans and max_translations == 0:
        raise ValueError(
            "models are of no use without translations. Received: max_translations=0 and models of "
            f"{[to_python(label) for label in cyclegans]}"
        )
    if unused := [to_python(label) for label in cyclegans if to_python(label) not in needs]:
        raise ValueError(
            "models must be of classes that get images by sampling_strategy. Received: models of "
            f"{unused}, but images are made of {needs}"
        )


def _refuse_training(needs, quality, features, gate):
    given = {"quality": quality} if quality != "default" else {}
    given |= {"gate": gate} if gate else {}
    given |= {"features": features} if names_features(features) else {}
    if given:
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            f"{' and '.join(given)} can only be used in a training, and models has a CycleGAN for "
            f"every class that gets images, {list(needs)}. Received: {shown}. Leave them out"
        )


def _check_names(names, n):
    """Return the sources' names as text that a manifest can hold."""
    names = [os.fspath(name) for name in names]
    if len(names) != n:
        raise ValueError(f"names must hold one name for each of {n} paths. Received: {len(names)}")
    bad = [name for name in names if not can_write_text(name)]
    if bad:
        raise ValueError(f"names must be text that a file can hold. Received: {bad[:5]!r}")
    return names


def _check_labels(y, n):
    if y.shape != (n,) or not n:
        raise ValueError(
            f"y must hold one label for each of {n} paths, one or more. Received: shape {y.shape}"
        )
    check_spelling("y", y)
    classes = np.unique(y)
    bad = [name for name in map(str, classes) if not _can_be_folder(name)]
    if bad or len(classes) < 2:
        raise ValueError(
            "y must hold two classes or more, with names that a folder can have. "
            f"Received: {bad or classes.tolist()}"
        )


def _relative_paths(paths, folder):
    """Return paths relative to a folder where that is possible, absolute ones elsewhere."""
    folder = os.path.realpath(folder)

    def relative(path):
        path = os.path.realpath(path)
        with contextlib.suppress(ValueError):  # another drive of Windows
            path = os.path.relpath(path, folder)
        return Path(path).as_posix()

    return [relative(path) for path in paths]


def _can_be_folder(name):
    reserved = (".", "..", "", MANIFEST, RECIPE)
    return Path(name).name == name and name not in reserved and can_write_text(name)


def _verify(files, i):
    with open_file(files.paths[i]) as file:
        verify_picture(file, files.value_range, files.depth)


def _digest_files(paths, y):
    digest = hashlib.sha256()
    for path, label in zip(paths.tolist(), y.tolist()):
        try:
            state = stat_file(path)
        except OSError:
            continue  # matches no earlier work; the pictures are verified next
        digest.update(repr((path, label, state.st_size, state.st_mtime_ns)).encode())
    return digest.hexdigest()


def _digest_weights(cyclegan):
    digest = hashlib.sha256()
    for value in cyclegan.generator_ab.get_weights():
        digest.update(value.tobytes())
    return digest.hexdigest()
