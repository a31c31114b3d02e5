"""Folders of pictures: read as they are laid out, and written as CycleGANs expect them."""

import contextlib
import os
import shutil
from collections import Counter
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from sklearn.utils import Bunch, check_random_state

from melanet.images import check_paths, check_size, for_each, read_picture, verify_picture
from melanet.utils._download import check_space, explain_disk_errors
from melanet.utils._validation import join_names

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def load_image_folder(path, *, subset="train"):
    """List a folder's pictures and their classes.

    Parameters
    ----------
    path : str or path-like
        A folder with one folder of pictures for each class, or with ``trainA`` and ``trainB``
        (``testA`` and ``testB``), as CycleGANs expect them.
    subset : {"train", "test"}, default="train"
        Which two of the latter. A folder per class has a "train" part only.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), by class and name; `load_images` decodes them
        - ``target``: ndarray of int64 of shape (n,), positions in ``target_names``
        - ``target_names``: list of str, the folders' names in order, or ["A", "B"]

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it is not laid out in one of the two ways, or classes have no pictures.
    PermissionError
        If it may not be read.

    Notes
    -----
    Files that end neither in .bmp, .gif, .jpg, .jpeg, .png, .tif, .tiff nor .webp, and hidden
    ones, are passed over.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("benign", "malignant"):
    ...         os.mkdir(os.path.join(folder, name))
    ...         Image.new("RGB", (8, 8)).save(os.path.join(folder, name, "1.png"))
    ...     data = load_image_folder(folder)
    >>> data.target, data.target_names
    (array([0, 1]), ['benign', 'malignant'])
    """
    if subset not in ("train", "test"):
        raise ValueError(f"subset must be 'train' or 'test'. Received: subset={subset!r}")
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder. Give one that holds a folder for each class")
    names = [place.name for place in _entries(path) if place.is_dir()]
    if any(f"{part}{side}" in names for part in ("train", "test") for side in "AB"):
        classes = {side: path / f"{subset}{side}" for side in "AB"}
        absent = [place.name for place in classes.values() if not place.is_dir()]
        if absent:
            raise ValueError(f"{path} has no folder {' nor '.join(absent)}. Received: {names}")
    elif subset == "test":
        raise ValueError(
            f"{path} has no testA and testB. For a folder of classes, give the path of the test "
            "set's own"
        )
    else:
        classes = {name: path / name for name in names}
    if not classes:
        loose = sum(place.suffix.lower() in _SUFFIXES for place in _entries(path))
        raise ValueError(
            f"{path} holds no folders, and {loose} pictures. Put the pictures of each class into "
            "a folder with the class's name"
        )
    pictures = {name: _list_pictures(place) for name, place in classes.items()}
    empty = [classes[name].name for name, found in pictures.items() if not found]
    if empty:
        raise ValueError(
            f"{path} has folders without pictures: {join_names(empty)}. Remove them; or, if they "
            "hold the classes' folders, give the path of one of them"
        )
    return Bunch(
        paths=np.array([picture for found in pictures.values() for picture in found]),
        target=np.repeat(np.arange(len(pictures)), [len(found) for found in pictures.values()]),
        target_names=list(pictures),
    )


def _entries(folder):
    try:
        return sorted(place for place in folder.iterdir() if not place.name.startswith("."))
    except PermissionError as error:
        message = f"{folder} may not be read; change its rights"
        raise PermissionError(error.errno, message) from error


def _list_pictures(folder):
    return [str(place) for place in _entries(folder) if place.suffix.lower() in _SUFFIXES]


def export_cyclegan_folders(
    destination,
    paths,
    target,
    *,
    classes=None,
    target_names=None,
    test_size=0.2,
    size=None,
    groups=None,
    random_state=None,
):
    """Lay pictures of two classes out as trainA, trainB, testA and testB.

    Parameters
    ----------
    destination : str or path-like
        A folder that is not there yet, or empty. It is made whole or not at all.
    paths : sequence of str or path-like of length n
        Picture files, which stay as they are.
    target : array-like of shape (n,)
        Their labels.
    classes : (label, label) or None, default=None
        The labels, or their names if `target_names` is given, of A and of B; pictures of others
        are left out. None takes the more frequent of two classes as A, the rare one as B.
    target_names : sequence of str or None, default=None
        Names of the labels 0, 1, ...
    test_size : float or int, default=0.2
        Share of the pictures of each class, in (0, 1), or number of pictures to set aside.
    size : int, (int, int) or None, default=None
        As for `load_images`; pictures are then written as PNG. None copies the files.
    groups : array-like of shape (n,) or None, default=None
        Patients or lesions, which are kept together. The test set's share is then met as near as
        whole groups permit.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    dict of str to ndarray of int
        "trainA", "trainB", "testA", "testB" -> rows of `paths` that lie there.

    Raises
    ------
    ValueError
        If a parameter is wrong, two pictures of a folder share a name, or one cannot be read;
        all of them are named.
    FileExistsError
        If there is something at the destination.
    OSError
        If there is no room, or the folder cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.datasets import export_cyclegan_folders, make_lesions
    >>> X, y = make_lesions(20, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = [os.path.join(folder, f"{i}.png") for i in range(20)]
    ...     for path, x in zip(paths, X):
    ...         Image.fromarray(x).save(path)
    ...     parts = export_cyclegan_folders(
    ...         os.path.join(folder, "b2m"), paths, y, test_size=0.25, random_state=0
    ...     )
    >>> {name: len(rows) for name, rows in parts.items()}
    {'trainA': 12, 'trainB': 3, 'testA': 4, 'testB': 1}
    """
    paths = check_paths(paths)
    target = np.asarray(target)
    for name, values in (("target", target), ("groups", groups)):
        if values is not None and np.shape(values) != (len(paths),):
            raise ValueError(
                f"{name} must have one entry for each of {len(paths)} paths. Received: shape "
                f"{np.shape(values)}"
            )
    label_a, label_b = _choose_classes(classes, target, target_names)
    rows = np.flatnonzero((target == label_a) | (target == label_b))
    is_b = target[rows] == label_b
    tested = _split(
        is_b, test_size, None if groups is None else np.asarray(groups)[rows], random_state
    )
    parts = {
        f"{part}{side}": rows[(tested == (part == "test")) & (is_b == (side == "B"))]
        for part in ("train", "test")
        for side in "AB"
    }
    empty = [name for name, found in parts.items() if not len(found)]
    if empty:
        raise ValueError(
            f"{join_names(empty)} would be empty with test_size={test_size!r}. Choose another "
            "share, or give more pictures or groups"
        )
    suffix = None if size is None else ".png"
    files = {name: [_new_name(paths[i], suffix) for i in found] for name, found in parts.items()}
    doubles = [
        f"{name}/{file}"
        for name, found in files.items()
        for file, count in Counter(file.lower() for file in found).items()
        if count > 1
    ]
    if doubles:
        raise ValueError(f"paths has several files of one name: {join_names(doubles)}. Rename them")
    _write(Path(destination), paths, parts, files, None if size is None else check_size(size))
    return parts


def _new_name(path, suffix):
    name = Path(path).name
    return name if suffix is None else f"{Path(path).stem}{suffix}"


def _choose_classes(classes, target, target_names):
    labels, counts = np.unique(target, return_counts=True)
    if classes is None:
        if len(labels) != 2:
            raise ValueError(
                f"target must have two classes, or classes=(a, b) must choose them. Received: "
                f"{labels.tolist()[:20]}"
            )
        rare = int(counts[1] <= counts[0])
        return labels[1 - rare], labels[rare]
    names = [] if target_names is None else list(target_names)
    chosen = [names.index(c) if isinstance(c, str) and c in names else c for c in classes]
    if len(chosen) != 2 or chosen[0] == chosen[1] or not np.isin(chosen, labels).all():
        raise ValueError(
            f"classes must be two different labels of {labels.tolist()[:20]}"
            + (f" or names of {names}" if names else "")
            + f". Received: classes={classes!r}"
        )
    return chosen


def _split(is_b, test_size, groups, random_state):
    """Return which pictures are set aside."""
    share = test_size / len(is_b) if isinstance(test_size, Integral) else test_size
    if isinstance(test_size, bool) or not isinstance(share, Real) or not 0 < share < 1:
        raise ValueError(
            "test_size must be a share in (0, 1), or a number of pictures less than all. "
            f"Received: test_size={test_size!r}"
        )
    random_state = check_random_state(random_state)
    tested = np.zeros(len(is_b), dtype=bool)
    try:
        if groups is None:
            tested[
                train_test_split(
                    np.arange(len(is_b)),
                    test_size=test_size,
                    stratify=is_b,
                    random_state=random_state,
                )[1]
            ] = True
            return tested
        folds = max(2, round(1 / min(share, 1 - share)))
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
        _, aside = next(splitter.split(is_b, is_b, groups))
    except ValueError as error:
        raise ValueError(
            f"the pictures cannot be split with test_size={test_size!r}: {error}"
        ) from error
    tested[aside] = True
    return tested if share <= 0.5 else ~tested


def _write(destination, paths, parts, files, size):
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(
            f"{destination} is there and not empty. Choose another destination, or remove it"
        )
    partial = destination.with_name(f".{destination.name}.partial")
    jobs = [
        (paths[i], partial / name / file)
        for name, found in parts.items()
        for i, file in zip(found, files[name])
    ]
    sources = [source for source, _ in jobs]

    def write(i):
        source, place = jobs[i]
        if size is None:
            with open(source, "rb") as file:
                verify_picture(file)
            shutil.copyfile(source, place)
        else:
            read_picture(source, size).save(place)

    with explain_disk_errors(destination, partial, remedy="destination"):
        try:
            for name in parts:
                (partial / name).mkdir(parents=True, exist_ok=True)
            if size is None:
                check_space(partial, sum(os.path.getsize(p) for p in sources if os.path.exists(p)))
            for_each(write, sources)
            with contextlib.suppress(FileNotFoundError):
                destination.rmdir()
            partial.replace(destination)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
