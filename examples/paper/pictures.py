"""The study's pictures: ISIC 2016, a folder of one's own, or toy lesions laid out as ISIC 2016."""

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
    load_images,
    make_lesions,
)
from melanet.datasets._isic_archives import find_pictures
from melanet.datasets._isic_labels import read_labels

_STEM = "ISBI2016_ISIC_Part3"
NAMES = ("benign", "malignant")
# Part of the set -> (name in the files, benign, malignant, how the labels are spelled).
_ISIC_2016 = {
    "train": ("Training", 727, 173, ("benign", "malignant")),
    "test": ("Test", 304, 75, ("0.0", "1.0")),
}


@dataclass
class Files:
    """Picture files of one part and their labels, 0 for benign and 1 for malignant."""

    paths: list
    y: np.ndarray

    def counts(self):
        """Return class -> number of pictures."""
        return {name: int((self.y == i).sum()) for i, name in enumerate(NAMES)}


def find(data, *, stages, scale, data_home=None, mirror=None):
    """Return the training and the test files, and one line that says what they are.

    Parameters
    ----------
    data : str
        "lesions", "isic2016" or a folder: ISIC 2016's files; train and test with the folders
        benign and malignant in each; or trainA (benign), trainB, testA and testB.
    stages : Stages
        Where toy lesions are drawn.
    scale : Scale
        Side of toy lesions, and how many pictures to keep.
    data_home, mirror : str or None
        As of `melanet.datasets.fetch_isic2016`.

    Returns
    -------
    train, test : Files
    about : str

    Raises
    ------
    ValueError, OSError
        If there is nothing of the kind, or a class is missing.
    """
    numbers = {"train": scale.n_train, "test": scale.n_test}
    if data == "lesions":
        settings = {"size": scale.size, **numbers, "version": __version__}
        home = stages.run("lesions", lambda f: draw_lesions(f, scale.size, numbers), settings)
        about = "make_lesions: toy pictures, drawn by a program, laid out as ISIC 2016"
        parts = [_isic_files(home / "isic2016", subset) for subset in _ISIC_2016]
    elif data == "isic2016":
        about = "ISIC 2016 Part 3, dermoscopic images (CC-0)"
        options = {"data_home": data_home, "mirror": mirror, "verbose": 1}
        found = [fetch_isic2016(subset=subset, **options) for subset in _ISIC_2016]
        parts = [Files(list(part.paths), part.target) for part in found]
    else:
        parts, about = _folder(Path(data))
    for name, part in zip(_ISIC_2016, parts):
        if 0 in part.counts().values():
            raise ValueError(
                f"The {name} set of {data} must hold benign and malignant pictures. "
                f"Received: {part.counts()}"
            )
    return *(_fewer(part, n) for part, n in zip(parts, numbers.values())), about


def draw_lesions(folder, size, numbers):
    """Write toy lesions as ISIC 2016 is laid out: its names, class ratios and label spellings.

    Parameters
    ----------
    folder : path-like
        Gets the folder isic2016.
    size : int
        Side of the pictures.
    numbers : dict
        Part -> number of pictures; None takes ISIC 2016's.
    """
    home = Path(folder) / "isic2016"
    first = 0
    for seed, (subset, facts) in enumerate(_ISIC_2016.items()):
        part, n_benign, n_malignant, spellings = facts
        n_all = n_benign + n_malignant
        n = numbers[subset] or n_all
        weights = (n_benign / n_all, n_malignant / n_all)
        X, y = make_lesions(n, weights=weights, image_size=size, random_state=seed)
        pictures = home / f"{_STEM}_{part}_Data"
        pictures.mkdir(parents=True, exist_ok=True)
        ids = [f"ISIC_{first + i:07d}" for i in range(n)]
        for name, picture in zip(ids, X):
            Image.fromarray(picture).save(pictures / f"{name}.jpg", quality=95)
        with (home / f"{_STEM}_{part}_GroundTruth.csv").open("w", newline="") as file:
            csv.writer(file).writerows((name, spellings[label]) for name, label in zip(ids, y))
        first += n


def overlap(train, test):
    """Return pairs of training and test files that show the same picture, as dicts."""
    return [
        {"training": Path(a).name, "test": Path(b).name, "reason": reason, "bits": int(bits)}
        for a, b, reason, bits in find_duplicates(train.paths, test.paths)
    ]


def read(files, size):
    """Return the pictures as (n, size, size, 3) uint8."""
    return load_images(files.paths, size)


def _fewer(files, n):
    """Return a stratified part of n files, in order; all of them if n is None."""
    if n is None or n >= len(files.y):
        return files
    _, kept = hold_out(files.y, n / len(files.y), 0)
    kept = np.sort(kept)
    return Files([files.paths[i] for i in kept], files.y[kept])


def _isic_files(home, subset):
    """Read ISIC 2016's files where they lie, in any number and without their published hashes."""
    stem = f"{_STEM}_{_ISIC_2016[subset][0]}"
    table, pictures = home / f"{stem}_GroundTruth.csv", home / f"{stem}_Data"
    for path in (table, pictures):
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing. `melanet fetch isic2016` gets ISIC 2016's files"
            )
    ids, y = read_labels(table, {"benign": None, "malignant": "target"})
    return Files(find_pictures(pictures, ids), y)


def _folder(path):
    if not path.is_dir():
        raise FileNotFoundError(
            f"--data must be lesions, isic2016 or a folder of images. Received: {str(path)!r}"
        )
    names = sorted(place.name for place in path.iterdir())
    if "isic2016" in names or any(name.startswith(_STEM) for name in names):
        home = path / "isic2016" if "isic2016" in names else path
        parts = [_isic_files(home, subset) for subset in _ISIC_2016]
        return parts, f"images of {path}, laid out as ISIC 2016"
    if any(f"{subset}{side}" in names for subset in _ISIC_2016 for side in "AB"):
        found = [load_image_folder(path, subset=subset) for subset in _ISIC_2016]
    elif set(_ISIC_2016) <= set(names):
        found = [load_image_folder(path / subset) for subset in _ISIC_2016]
        if wrong := [part.target_names for part in found if part.target_names != list(NAMES)]:
            raise ValueError(
                f"{path} must hold train and test, and each of them the folders benign and "
                f"malignant. Received: {wrong[0]}"
            )
    else:
        raise ValueError(
            f"{path} must hold ISIC 2016's files, as `melanet fetch` leaves them; train and test "
            "with the folders benign and malignant in each; or trainA, trainB, testA and testB. "
            f"Received: {', '.join(names[:5]) or 'an empty folder'}"
        )
    return [Files(list(part.paths), part.target) for part in found], f"images of {path}"
