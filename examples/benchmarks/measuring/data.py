"""Photographs of two classes, and their division: the sampler's part and the oracle's part.

While settings are chosen, the oracle learns from half of the training part and the sampler from
the other half; the test part is not touched. With ``final`` the sampler learns from the whole
training part and the oracle from the test part.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

# Beside the checkout, or in it on a machine that gets a copy.
SHARED = [Path(__file__).resolve().parents[i] / "shared" / "data" for i in (4, 3)]
DUPLICATES = {"ISIC_0000280"}  # of a picture of the test part
# Rare pictures of the training part that the sampler may see; the others stay the oracle's.
DRAWN = {"chest-xray": {"pneumonia": 100}}
_PATIENTS = (r"(?:NORMAL2-)?IM-(\d+)", r"person(\d+)")


@dataclass(frozen=True)
class Parts:
    """Pictures of the sampler's part and of the oracle's part.

    Parameters
    ----------
    X : ndarray of shape (n, side, side, c), uint8
        The sampler's training pictures; c is 1 if all pictures are grey.
    y : ndarray of shape (n,), bool
        Whether a picture is of the rare class.
    oracle_X, oracle_y : ndarray
        The oracle's pictures and classes; the sampler sees none of them.
    oracle_groups : ndarray of shape (m,)
        Patient of each of the oracle's pictures.
    names : (str, str)
        Names of the common and the rare class.
    """

    X: np.ndarray
    y: np.ndarray
    oracle_X: np.ndarray
    oracle_y: np.ndarray
    oracle_groups: np.ndarray
    names: tuple


def find_folder(data):
    """Return the folder of a data set, given its name or the folder itself."""
    for folder in (*(shared / data for shared in SHARED), Path(data)):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"data must be a folder, or the name of one in {SHARED[0]}. Received: {data!r}"
    )


def patient(path):
    """Return the patient of a file where its name says it, and the file's stem otherwise."""
    stem = Path(path).stem
    for pattern in _PATIENTS:
        if match := re.match(pattern, stem):
            return f"{pattern[:6]}{match[1]}"
    return stem


def load_parts(data, side, final=False):
    """Read a data set's pictures and divide them; the division is the same for every side.

    Parameters
    ----------
    data : str
        Name of a folder in `SHARED`, or a folder: one subfolder of pictures for each of two
        classes, or such subfolders in "train" and "test". Without "test", a third of the patients
        serves as the test part.
    side : int
        Side of the pictures.
    final : bool
        Divide for the last table.

    Returns
    -------
    Parts
    """
    folder = find_folder(data)
    (paths, y), (test_paths, test_y), names = find_pictures(folder)
    limit = DRAWN.get(folder.name, {}).get(names[1])
    if final:
        own, others, other_y = np.arange(len(y)), test_paths, test_y
    else:
        own, other = split(paths, y, 2)
        others, other_y = paths[other], y[other]
        limit = limit and limit // 2
    if limit:
        shuffled = np.random.default_rng(0).permutation(own[y[own]])
        own = np.sort(np.concatenate([own[~y[own]], shuffled[:limit]]))
    X, oracle_X = read_pictures(paths[own], side), read_pictures(others, side)
    if is_grey(X) and is_grey(oracle_X):
        X, oracle_X = X[..., :1], oracle_X[..., :1]
    groups = np.array([patient(p) for p in others])
    return Parts(X, y[own], oracle_X, other_y, groups, names)


def find_pictures(folder):
    """Return the paths of a data set's training and test part, and whether each is rare.

    Parameters
    ----------
    folder : pathlib.Path
        As for `load_parts`.

    Returns
    -------
    (paths, y), (test_paths, test_y), (common name, rare name)
        No training picture is a duplicate of a test picture.
    """
    if (folder / "train").is_dir():
        train, test = (_list(folder / part) for part in ("train", "test"))
    else:
        paths, labels, names = _list(folder)
        kept, held_out = split(paths, labels, 3)
        train, test = ((paths[rows], labels[rows], names) for rows in (kept, held_out))
    paths, labels, names = train
    keep = np.array([Path(p).stem not in DUPLICATES for p in paths])
    paths, labels = paths[keep], labels[keep]
    rare = _rare_label(labels, names, folder.name)
    names = (names[1 - rare], names[rare])
    return (paths, labels == rare), (test[0], test[1] == rare), names


def _list(folder):
    from melanet.datasets import load_image_folder

    found = load_image_folder(folder)
    if len(found.target_names) != 2:
        raise ValueError(
            f"{folder} must hold pictures of two classes. Received: {found.target_names}"
        )
    return np.array(found.paths), found.target, found.target_names


def _rare_label(labels, names, data):
    if drawn := DRAWN.get(data):
        return next(i for i, name in enumerate(names) if name in drawn)
    return int(np.bincount(labels).argmin())


def split(paths, labels, n_parts, part=0):
    """Return rows of all parts but one, and of that one; no patient is in both."""
    groups = [patient(p) for p in paths]
    folds = StratifiedGroupKFold(n_parts, shuffle=True, random_state=0)
    return list(folds.split(paths, labels, groups))[part]


def read_pictures(paths, side):
    """Return pictures of shape (n, side, side, 3), uint8."""
    from melanet.images import load_images

    return load_images(paths, side)


def is_grey(images):
    """Return whether all pictures are grey."""
    return bool((images == images[..., :1]).all())
