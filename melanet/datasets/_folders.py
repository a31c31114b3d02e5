"""Folders of images: listing classes, and exporting in the layout of CycleGAN code."""

import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from sklearn.utils import Bunch, check_random_state

from melanet.images import Depth, check_paths, check_size, for_each, read_picture, verify_picture
from melanet.utils._download import check_space, explain_disk_errors
from melanet.utils._files import check_new_folder, move_folder, resolve
from melanet.utils._labels import (
    check_spelling,
    label_text,
    label_texts,
    match_labels,
    merge_spellings,
)
from melanet.utils._paths import check_distinct_files, split_member
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_unmasked, is_integer, join_names

_SUFFIXES = (".bmp", ".dcm", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_PAIRS = {"trainA", "trainB", "testA", "testB"}  # the folders of the second layout
_MOST_NAMED = 5  # images that a warning lists


def load_image_folder(path: PathLike, *, subset: Literal["train", "test"] = "train") -> Bunch:
    """List the images in a folder and their classes.

    Parameters
    ----------
    path : str or path-like
        Folder with one subfolder of images per class, or with the subfolders ``trainA`` and
        ``trainB`` (``testA`` and ``testB``) that CycleGAN code expects.
    subset : {"train", "test"}, default="train"
        Pair of subfolders to list in the second layout. In the first, only "train" exists.

    Returns
    -------
    Bunch
        - ``paths``: ndarray of str of shape (n,), sorted by class and name; `load_images` decodes
          them
        - ``target``: ndarray of int64 of shape (n,), indices into ``target_names``
        - ``target_names``: list of str, sorted names of the subfolders, stripped of white space,
          or ["A", "B"]

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the folder has neither layout, classes have no images, or two entries are links to
        the same file.
    PermissionError
        If the folder is not readable.

    Warns
    -----
    UserWarning
        If subfolders name the same class, such as "1" and "1.0", or "benign" twice, once with
        a space at its end, whose images are listed together. If images lie elsewhere in the
        folder, beside the classes or deeper; they are left out.

    Notes
    -----
    Hidden files, and files with other suffixes than .bmp, .dcm, .gif, .jpg, .jpeg, .png, .tif,
    .tiff and .webp, are ignored.

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
        raise FileNotFoundError(
            f"path must be a folder with a subfolder for each class. Received: {str(path)!r}, "
            "which is not a folder"
        )
    names = [entry.name for entry in _list_entries(path) if entry.is_dir()]
    if not _PAIRS.isdisjoint(names):
        folders = {f"{subset}{side}": side for side in "AB"}
        absent = [name for name in folders if not (path / name).is_dir()]
        if absent:
            raise ValueError(f"{path} has no subfolder {' nor '.join(absent)}. Received: {names}")
    elif subset == "test":
        raise ValueError(
            f"{path} has no subfolders testA and testB. If it has a subfolder for each class, pass "
            "the path of the test set's own folder"
        )
    else:
        places = [repr(name) for name in names]
        folders = dict(zip(names, merge_spellings(f"The folders in {path}", names, places)))
    if not folders:
        loose = len(_list_images(path))
        raise ValueError(
            f"{path} has no subfolders, and {loose} images. Put the images of each class into a "
            "subfolder with the name of the class"
        )
    found = {name: _list_images(path / name) for name in folders}
    empty = [name for name, paths in found.items() if not paths]
    if empty:
        raise ValueError(
            f"{path} has subfolders without images: {join_names(empty)}. Remove them; or, if they "
            "contain the folders of the classes, pass the path of one of them"
        )
    images: dict[str, list[str]] = {label: [] for label in sorted(folders.values())}
    for name, label in folders.items():
        images[label] += found[name]
    listed = [file for paths in images.values() for file in paths]
    check_distinct_files(str(path), listed, listed)
    _warn_of_unlisted(path, listed, _PAIRS if f"{subset}A" in folders else ())
    return Bunch(
        paths=np.array(listed),
        target=np.repeat(np.arange(len(images)), [len(paths) for paths in images.values()]),
        target_names=list(images),
    )


def _list_entries(folder):
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except PermissionError as error:
        message = f"{folder} is not readable; change its permissions"
        raise PermissionError(error.errno, message) from error


def _list_images(folder):
    return [str(entry) for entry in _list_entries(folder) if entry.suffix.lower() in _SUFFIXES]


def _warn_of_unlisted(path, listed, other_parts):
    """Warn of images in a folder that belong to no class: beside the classes, or deeper."""
    known, unlisted = set(listed), []
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        place = Path(folder).relative_to(path)
        if str(place) not in other_parts:
            unlisted += [
                place / name
                for name in sorted(files)
                if not name.startswith(".")
                and name.lower().endswith(_SUFFIXES)
                and str(path / place / name) not in known
            ]
    if unlisted:
        shown = join_names((file.as_posix() for file in unlisted), _MOST_NAMED)
        warnings.warn(
            f"{path} has images outside the folders of its classes, which are left out. Received: "
            f"{len(unlisted)} ({shown}). Move them into the folder of their class, or away",
            stacklevel=3,
        )


def export_cyclegan_folders(
    destination: PathLike,
    paths: Iterable[PathLike],
    target: ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    target_names: Sequence[str] | None = None,
    test_size: float = 0.2,
    size: int | Sequence[int] | None = None,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> dict[str, NDArray[np.intp]]:
    """Export images of two classes to the folders trainA, trainB, testA and testB.

    Parameters
    ----------
    destination : str or path-like
        Folder that does not exist yet, or is empty, or a link to one. It is created atomically;
        that this can be done is tried first.
    paths : sequence of str or path-like of length n
        Image files; they are not modified.
    target : array-like of shape (n,)
        Labels.
    classes : (label, label) or None, default=None
        Labels of A and B, or their names if `target_names` is given; images of other classes are
        left out. None takes the more frequent of two classes as A and the rarer one as B.
    target_names : sequence of str or None, default=None
        Names of the labels 0, 1, ...
    test_size : float or int, default=0.2
        Fraction of the images of each class, in (0, 1), or total number of images, in the test
        folders.
    size : int, (int, int) or None, default=None
        Side, or height and width, that images are resized to and written as PNG; see
        `load_images`. None copies the files.
    groups : array-like of shape (n,) or None, default=None
        Patient or lesion of each image. Groups are not split, so that `test_size` is
        approximate.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    dict of str to ndarray of int
        "trainA", "trainB", "testA", "testB" -> indices into `paths`.

    Raises
    ------
    ValueError
        If a parameter is invalid, two images of a folder share a name, or images cannot be read;
        the message lists all of them.
    FileExistsError
        If the destination exists and is not an empty folder.
    OSError
        If the disk is full, or the folder is not writable.

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
    for name, values in (("target", target), ("groups", groups)):
        check_unmasked(name, values)
    target = np.asarray(target)
    for name, values in (("target", target), ("groups", groups)):
        if values is not None and np.shape(values) != (len(paths),):
            raise ValueError(
                f"{name} must have one entry for each of the {len(paths)} paths. Received: shape "
                f"{np.shape(values)}"
            )
    check_spelling("target", target)
    check_distinct_files("paths", paths)
    if groups is not None:
        groups = np.array(label_texts("groups", np.asarray(groups)))
    if size is None and any(split_member(path) for path in paths):
        raise ValueError(
            "size must be given for pictures in an HDF5 file, which are written as PNG. Received: "
            "size=None"
        )
    label_a, label_b = _choose_classes(classes, target, target_names)
    rows = np.flatnonzero((target == label_a) | (target == label_b))
    is_b = target[rows] == label_b
    tested = _split(is_b, test_size, None if groups is None else groups[rows], random_state)
    parts = {
        f"{part}{side}": rows[(tested == (part == "test")) & (is_b == (side == "B"))]
        for part in ("train", "test")
        for side in "AB"
    }
    empty = [name for name, found in parts.items() if not len(found)]
    if empty:
        raise ValueError(
            f"{join_names(empty)} would be empty with test_size={test_size!r}. Choose another "
            "test_size, or pass more images or groups"
        )
    files = {
        name: [Path(paths[i]).name if size is None else f"{Path(paths[i]).stem}.png" for i in found]
        for name, found in parts.items()
    }
    duplicates = [
        f"{name}/{file}"
        for name, found in files.items()
        for file, count in Counter(file.lower() for file in found).items()
        if count > 1
    ]
    if duplicates:
        raise ValueError(
            f"paths must have unique file names. Received several of {join_names(duplicates)}. "
            "Rename them"
        )
    jobs = [
        (paths[i], f"{name}/{file}")
        for name, found in parts.items()
        for i, file in zip(found, files[name])
    ]
    _export(resolve(destination), jobs, None if size is None else check_size(size))
    return parts


def _choose_classes(classes, target, target_names):
    labels, counts = np.unique(target, return_counts=True)
    if classes is None:
        if len(labels) != 2:
            raise ValueError(
                "target must have two classes, or classes=(a, b) must select two. Received: "
                f"{labels.tolist()[:20]}"
            )
        rare = int(counts[1] <= counts[0])
        return labels[1 - rare], labels[rare]
    names = [] if target_names is None else list(target_names)
    if names:
        check_spelling("target_names", names)
        match_labels("target", labels, "positions in target_names", range(len(names)))
    named = {label_text(name): i for i, name in enumerate(names)}
    present = {label_text(label): label for label in labels}
    texts = [label_text(c) for c in classes]
    chosen = [
        present.get(str(named[text]) if isinstance(c, str) and text in named else text)
        for c, text in zip(classes, texts)
    ]
    if len(chosen) != 2 or None in chosen or chosen[0] == chosen[1]:
        raise ValueError(
            f"classes must be two different labels of {labels.tolist()[:20]}"
            + (f" or names of {names}" if names else "")
            + f". Received: classes={classes!r}"
        )
    return chosen


def _split(is_b, test_size, groups, random_state):
    """Return a mask of the test images."""
    share = test_size / len(is_b) if is_integer(test_size) else test_size
    if isinstance(test_size, bool) or not isinstance(share, Real) or not 0 < float(share) < 1:
        raise ValueError(
            "test_size must be a fraction in (0, 1), or a number of images smaller than their "
            f"total. Received: test_size={test_size!r}"
        )
    share = float(share)
    random_state = check_random_state(random_state)
    tested = np.zeros(len(is_b), dtype=bool)
    try:
        if groups is None:
            _, chosen = train_test_split(
                np.arange(len(is_b)), test_size=test_size, stratify=is_b, random_state=random_state
            )
            tested[chosen] = True
            return tested
        n_folds = max(2, round(1 / min(share, 1 - share)))
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state)
        _, chosen = next(splitter.split(is_b, is_b, groups))
    except ValueError as error:
        raise ValueError(f"paths cannot be split with test_size={test_size!r}: {error}") from error
    tested[chosen] = True
    return tested if share <= 0.5 else ~tested


def _export(destination, jobs, size):
    """Write images to a folder that appears when it is complete.

    Parameters
    ----------
    destination : Path
        The folder.
    jobs : list of (str, str)
        Source file, and name relative to the destination.
    size : (int, int) or None
        Height and width that images are resized to; None copies the files.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise FileExistsError(
            f"destination must not exist, or be an empty folder. Received: {str(destination)!r}. "
            "Choose another destination, or remove it"
        )
    partial = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed call
    check_new_folder(destination, partial)
    sources = [source for source, _ in jobs]
    depth = Depth(len(jobs))

    def write(i):
        source, name = jobs[i]
        if size is None:
            with open(source, "rb") as file:
                verify_picture(file)
            shutil.copyfile(source, partial / name)
        else:
            read_picture(source, size, depth=depth).save(partial / name)

    with explain_disk_errors(destination, partial, remedy="destination"):
        try:
            for folder in {Path(name).parent for _, name in jobs}:
                (partial / folder).mkdir(parents=True, exist_ok=True)
            if size is None:
                check_space(partial, sum(os.path.getsize(p) for p in sources if os.path.exists(p)))
            for_each(write, sources)
            depth.check(len(jobs))
            move_folder(partial, destination)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
