"""Over-sampling of picture files, out of core: files in, files and a manifest out."""

import hashlib
import json
import os
import shutil
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from imblearn.utils import check_sampling_strategy

from melanet import recipes
from melanet._version import __version__
from melanet.cyclegan import CycleGAN
from melanet.datasets.pictures import for_each, look_at
from melanet.folder_filling import PICTURES, FolderFilling
from melanet.guarding import complaint
from melanet.input_checks import check_needs, plain
from melanet.journal import Journal
from melanet.over_sampling import GANOversampler
from melanet.picture_files import PictureFiles, check_fits
from melanet.reproducibility import reproducible
from melanet.writing import write_json, write_rows

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
    melanet.callbacks.TrainingDiverged
        If the loss of a training becomes infinite or not a number.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet import CycleGAN
    >>> from melanet.out_of_core import oversample_files
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
    recipe = recipes.resolve(GANOversampler(preset=preset), files.sample_shape)
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
    write_rows(work / PICTURES / MANIFEST, _manifest(journal, names, y, shown, seed))
    _warn(journal, needs)
    if destination.exists():
        destination.rmdir()
    (work / PICTURES).replace(destination)
    shutil.rmtree(work)
    return needs


def _needs(strategy, y, gans):
    counts = dict(sorted(Counter(y.tolist()).items()))
    needs = check_sampling_strategy(strategy, y, "over-sampling")
    needs = {plain(label): n for label, n in needs.items() if n}
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
        look_at(file)


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
        problem = complaint(attempts, **found, diversity=min(diversities[label], default=None))
        if problem:
            warnings.warn(
                f"Class {label!r}: {problem}. Of its {n} synthetic pictures "
                f"{counts[label]['copies']} are copies of real ones of the class "
                f"(see kind in {MANIFEST}). Train longer, collect more, or take another remedy for "
                "this class",
                stacklevel=3,
            )
