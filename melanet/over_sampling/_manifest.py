"""The manifest of synthetic image files: written by `oversample_files`, read by a classifier."""

import math
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from melanet.images import load_images
from melanet.over_sampling._generation import sample_weights
from melanet.utils._files import Journal, read_csv
from melanet.utils._labels import merge_spellings
from melanet.utils._paths import check_distinct_files, file_exists, file_key
from melanet.utils._typing import PathLike
from melanet.utils._validation import join_names

MANIFEST = "manifest.csv"


def manifest_rows(
    journal: Journal,
    names: Any,
    files: Sequence[str],
    y: np.ndarray,
    groups: np.ndarray | None,
    models: Mapping[Any, str],
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest.

    Parameters
    ----------
    journal : Journal
        A line for each chunk of images written.
    names : sequence of str
        Names of the real images.
    files : sequence of str
        Their paths, relative to the manifest's folder.
    y : ndarray of shape (n,)
        Their labels.
    groups : ndarray of shape (n,) or None
        Their groups.
    models : dict
        label -> name of the CycleGAN that was given.
    seed : int
        Seed of all images.

    Yields
    ------
    dict
    """
    certainty: dict[Any, list[float]] = {}
    for line in journal:
        certainty.setdefault(line["label"], []).extend(line["certainty"])
    weights = {label: iter(sample_weights(np.array(c))) for label, c in certainty.items()}
    for line in journal:
        label = line["label"]
        for file, row, kind in zip(line["files"], line["sources"], line["kinds"]):
            yield {
                "file": file,
                "label": label,
                "source": str(names[row]),
                "source_file": files[row],
                "source_label": str(y[row]),
                "group": "" if groups is None else groups[row],
                "kind": kind,
                "weight": f"{next(weights[label]):.6g}",
                "model": models.get(label, "trained here") if kind == "translation" else "",
                "seed": seed,
            }


def load_synthetic(
    folder: PathLike,
    size: int | tuple[int, int],
    *,
    exclude_sources: Iterable[PathLike] = (),
    source_folder: PathLike | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load the images that `oversample_files` wrote.

    Parameters
    ----------
    folder : str or path-like
        Its destination.
    size : int or (int, int)
        Side, or height and width, that images are resized to.
    exclude_sources : iterable of str or path-like, default=()
        Sources whose images are left out, such as those of a validation set: a translation of a
        validation image must not be trained on. Each is a path, in any spelling that leads to the
        file, or a name as in the manifest.
    source_folder : str, path-like or None, default=None
        Folder that the manifest's names of sources are relative to. It is needed only if the
        sources, or the synthetic images, were moved since.

    Returns
    -------
    X : ndarray of shape (n, height, width, 3), uint8
        Images.
    y : ndarray of str of shape (n,)
        Their classes.
    sources : ndarray of str of shape (n,)
        Their sources, as the manifest names them.

    Raises
    ------
    FileNotFoundError
        If the folder has no manifest.
    ValueError
        If the manifest is incomplete, names a file twice, or has a weight that is not a number
        of 0 or more; or if an excluded source is neither a file nor in the manifest, or is a path
        and the manifest's sources are not found, so that they cannot be compared.
    """
    rows = read_manifest(folder, source_folder)
    rows = exclude(exclude_sources, rows, folder, source_folder)
    X, labels, _ = load_rows(rows, size)
    return X, labels, np.array([row.source for row in rows], dtype=str)


class ManifestRow(NamedTuple):
    """A synthetic image, as its manifest describes it.

    Parameters
    ----------
    file : str
        The image.
    label : str
        Its class.
    source : str
        Name of its source.
    source_keys : frozenset
        Keys of the files that the source may be, see `melanet.utils._paths.file_key`: the one
        that was read, and the one of its name in the source folder. Empty if neither exists.
    root : Path or None
        Folder that `source` is relative to, as far as the manifest tells.
    weight : float
        Its weight in the loss, 0 or more; 1 if the manifest has no weights.
    """

    file: str
    label: str
    source: str
    source_keys: frozenset[Hashable]
    root: Path | None
    weight: float


def read_manifest(folder: PathLike, source_folder: PathLike | None = None) -> list[ManifestRow]:
    """Read the manifest that `oversample_files` wrote; see `load_synthetic`."""
    manifest = Path(folder) / MANIFEST
    if not manifest.is_file():
        raise FileNotFoundError(
            f"synthetic must be a folder that `melanet oversample` wrote. Received: {folder}, "
            f"which holds no {MANIFEST}"
        )
    columns = ("file", "label", "source", "source_file")
    cells = read_csv(manifest, columns, optional=("weight",), any_name=True)
    places = [f"line {number}" for number, _ in cells]
    files = [str(Path(folder) / row["file"]) for _, row in cells]
    labels = merge_spellings(
        f"The labels of {manifest}", [row["label"] for _, row in cells], places
    )
    check_distinct_files(str(manifest), files, [f"{p} ({f})" for p, f in zip(places, files)])
    here = Path(os.path.realpath(folder))
    rows = []
    for (_, row), file, label, place in zip(cells, files, labels, places):
        source, source_file = row["source"], row["source_file"]
        found = [here / source_file]
        if source_folder is not None:
            found.append(Path(source_folder) / source)
        keys = frozenset(file_key(path) for path in found if file_exists(path))
        relative = source_file.endswith(f"/{source}")
        root = here / source_file.removesuffix(source) if relative else None
        weight = _parse_weight(row.get("weight", "1"), f"{manifest}, {place}")
        rows.append(ManifestRow(file, label, source, keys, root, weight))
    return rows


def _parse_weight(cell, place):
    try:
        weight = float(cell)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise ValueError(
            f"weight must be a finite number of 0 or more. Received: {cell!r}, {place}"
        )
    return weight


def exclude(
    exclude_sources: Iterable[PathLike],
    rows: Sequence[ManifestRow],
    folder: PathLike,
    source_folder: PathLike | None = None,
) -> list[ManifestRow]:
    """Return the rows of images that were made of other sources; see `load_synthetic`."""
    excluded = _find_excluded(exclude_sources, rows, folder, source_folder)
    return [row for row in rows if not excluded & {row.source, *row.source_keys}]


def load_rows(
    rows: Sequence[ManifestRow], size: int | tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, classes and weights of rows of a manifest."""
    X = load_images([row.file for row in rows], size)
    labels = np.array([row.label for row in rows], dtype=str)
    return X, labels, np.array([row.weight for row in rows], dtype=float)


def _find_excluded(exclude_sources, rows, folder, source_folder):
    """Return the names and file keys of sources, given as names or paths."""
    names = {row.source for row in rows}
    roots = {Path(), *(row.root for row in rows if row.root is not None)}
    roots |= set() if source_folder is None else {Path(source_folder)}
    excluded, by_path = set(), []
    for source in exclude_sources:
        name = Path(source).as_posix()
        found = [path for path in (root / source for root in roots) if file_exists(path)]
        excluded |= {name, *map(file_key, found)}
        if name not in names:
            by_path.append(source)
            if not found:
                raise ValueError(
                    f"exclude_sources must hold existing files, or sources in {MANIFEST} of "
                    f"{folder}. Received: {str(source)!r}, and the manifest has names such as "
                    f"{join_names(sorted(names)[:3])}. Give its path, or source_folder"
                )
    lost = sorted({row.source for row in rows if not row.source_keys})
    if by_path and lost:
        raise ValueError(
            f"source_folder must be the folder of the sources in {MANIFEST} of {folder}, so that "
            f"they can be compared with exclude_sources. Received: {source_folder!r}, and "
            f"{join_names(lost, 3)} not found"
        )
    return excluded
