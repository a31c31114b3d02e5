"""Images of the study: ISIC 2016, a folder, or toy lesions in the layout of ISIC 2016."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from melanet import __version__
from melanet.classifier._dataset import hold_out
from melanet.datasets import (
    fetch_isic2016,
    find_duplicates,
    load_image_folder,
    load_image_table,
    make_lesions,
)
from melanet.datasets._isic_archives import find_pictures
from melanet.datasets._isic_labels import read_labels
from melanet.utils._labels import match_labels

_STEM = "ISBI2016_ISIC_Part3"
NAMES = ("benign", "malignant")
# Subset -> (name in the files, number of benign, of malignant, spelling of the labels).
_ISIC_2016 = {
    "train": ("Training", 727, 173, ("benign", "malignant")),
    "test": ("Test", 304, 75, ("0.0", "1.0")),
}


@dataclass
class Files:
    """Image files of one subset, their labels, 0 for benign and 1 for malignant, and groups."""

    paths: list
    y: np.ndarray
    groups: np.ndarray | None = None

    def counts(self):
        """Return class -> number of images."""
        return {name: int((self.y == i).sum()) for i, name in enumerate(NAMES)}


def find(data, *, stages, scale, data_home=None, mirror=None):
    """Return the training files, the test files, and a one-line description.

    Parameters
    ----------
    data : str
        "lesions", "isic2016" or a folder. A folder holds ISIC 2016's files; train and test, each
        with the folders benign and malignant; trainA (benign), trainB, testA and testB; or
        train.csv and test.csv with the columns path and label, and perhaps those of lesions and
        patients, by which the study then splits and draws.
    stages : Stages
        Stages; toy lesions are drawn in one of them.
    scale : Scale
        Side of toy lesions, and number of images to keep.
    data_home, mirror : str or None
        Options of `melanet.datasets.fetch_isic2016`.

    Returns
    -------
    train, test : Files
    about : str

    Raises
    ------
    ValueError, OSError
        If the files are not found, or a class is missing.
    """
    numbers = {"train": scale.n_train, "test": scale.n_test}
    if data == "lesions":
        settings = {"size": scale.size, **numbers, "version": __version__}
        home = stages.run("lesions", lambda f: draw_lesions(f, scale.size, numbers), settings)
        about = "make_lesions: toy images drawn by a program, in the layout of ISIC 2016"
        parts = [_isic_files(home / "isic2016", subset) for subset in _ISIC_2016]
    elif data == "isic2016":
        about = "ISIC 2016 Part 3, dermoscopic images (CC-0)"
        options = {"data_home": data_home, "mirror": mirror, "verbose": 1}
        found = [fetch_isic2016(subset=subset, **options) for subset in _ISIC_2016]
        parts = [Files(list(part.paths), part.target) for part in found]
    else:
        parts, about = find_in_folder(Path(data))
    for name, part in zip(_ISIC_2016, parts):
        if 0 in part.counts().values():
            raise ValueError(
                f"The {name} set of {data} must hold benign and malignant images. "
                f"Received: {part.counts()}"
            )
    return *(_subsample(part, n) for part, n in zip(parts, numbers.values())), about


def draw_lesions(folder, size, numbers):
    """Write toy lesions with the file names, class ratios and label spellings of ISIC 2016.

    Parameters
    ----------
    folder : path-like
        Parent of the new folder isic2016.
    size : int
        Side of the images.
    numbers : dict
        Subset -> number of images; None takes ISIC 2016's.
    """
    home = Path(folder) / "isic2016"
    first = 0
    for seed, (subset, facts) in enumerate(_ISIC_2016.items()):
        part, n_benign, n_malignant, spellings = facts
        n_all = n_benign + n_malignant
        n = numbers[subset] or n_all
        weights = (n_benign / n_all, n_malignant / n_all)
        X, y = make_lesions(n, weights=weights, image_size=size, random_state=seed)
        images = home / f"{_STEM}_{part}_Data"
        images.mkdir(parents=True, exist_ok=True)
        ids = [f"ISIC_{first + i:07d}" for i in range(n)]
        for name, pixels in zip(ids, X):
            Image.fromarray(pixels).save(images / f"{name}.jpg", quality=95)
        with (home / f"{_STEM}_{part}_GroundTruth.csv").open("w", newline="") as file:
            csv.writer(file).writerows((name, spellings[label]) for name, label in zip(ids, y))
        first += n


def overlap(train, test):
    """Return pairs of training and test files that show the same image, as dicts."""
    return [
        {"training": Path(a).name, "test": Path(b).name, "reason": reason, "bits": int(bits)}
        for a, b, reason, bits in find_duplicates(train.paths, test.paths)
    ]


def _subsample(files, n):
    """Return a stratified sample of n files, in order; all of them if n is None."""
    if n is None or n >= len(files.y):
        return files
    _, kept = hold_out(files.y, n / len(files.y), 0, files.groups)
    kept = np.sort(kept)
    groups = None if files.groups is None else files.groups[kept]
    return Files([files.paths[i] for i in kept], files.y[kept], groups)


def _isic_files(home, subset):
    """Find ISIC 2016's files in a folder, without checking their number and hashes."""
    stem = f"{_STEM}_{_ISIC_2016[subset][0]}"
    table, images = home / f"{stem}_GroundTruth.csv", home / f"{stem}_Data"
    for path in (table, images):
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing. Download ISIC 2016's files by `melanet fetch isic2016`"
            )
    ids, y = read_labels(table, {"benign": None, "malignant": "target"})
    return Files(find_pictures(images, ids), y)


def find_in_folder(path):
    """Return the training and test files of a folder in one of four layouts, and a description."""
    if not path.is_dir():
        raise FileNotFoundError(
            f"--data must be lesions, isic2016 or a folder of images. Received: {str(path)!r}"
        )
    names = sorted(entry.name for entry in path.iterdir())
    if "isic2016" in names or any(name.startswith(_STEM) for name in names):
        home = path / "isic2016" if "isic2016" in names else path
        parts = [_isic_files(home, subset) for subset in _ISIC_2016]
        return parts, f"images of {path}, in the layout of ISIC 2016"
    if {f"{subset}.csv" for subset in _ISIC_2016} <= set(names):
        tables = [load_image_table(path / f"{subset}.csv") for subset in _ISIC_2016]
        parts = [
            Files(
                list(part.paths), match_labels("label", part.labels, "classes", NAMES), part.groups
            )
            for part in tables
        ]
        grouped = "" if parts[1].groups is None else ", split and drawn by lesion or patient"
        return parts, f"images of the tables in {path}{grouped}"
    if any(f"{subset}{side}" in names for subset in _ISIC_2016 for side in "AB"):
        found = [load_image_folder(path, subset=subset) for subset in _ISIC_2016]
    elif set(_ISIC_2016) <= set(names):
        found = [load_image_folder(path / subset) for subset in _ISIC_2016]
        if wrong := [part.target_names for part in found if part.target_names != list(NAMES)]:
            raise ValueError(
                f"{path} must hold train and test, each with the folders benign and malignant. "
                f"Received: {wrong[0]}"
            )
    else:
        raise ValueError(
            f"{path} must hold ISIC 2016's files, as `melanet fetch` writes them; train and test, "
            "each with the folders benign and malignant; trainA, trainB, testA and testB; or "
            "train.csv and test.csv. "
            f"Received: {', '.join(names[:5]) or 'an empty folder'}"
        )
    return [Files(list(part.paths), part.target) for part in found], f"images of {path}"
