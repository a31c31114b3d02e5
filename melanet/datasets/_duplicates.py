"""Duplicate images, within a set or between two, by ISIC id, bytes or appearance."""

import hashlib
import io
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.fft import dctn

from melanet.exceptions import OverlapWarning
from melanet.images import check_paths, for_each, open_file, read_picture
from melanet.utils._typing import PathLike
from melanet.utils._validation import is_integer, join_names

_ID = re.compile(r"ISIC_\d{7}", re.IGNORECASE)
_SIDE, _KEPT = 64, 16  # along each side: pixels, and cosine coefficients of the hash
_BITS = _KEPT * _KEPT - 1
_BLOCK = 1 << 16  # hashes compared at a time, so that they stay in the processor's cache
_MOST_PAIRS = 2_000_000  # about 1 GB
_MOST_NAMED = 5  # pairs that a warning lists


class Duplicate(NamedTuple):
    """A pair of images found by `find_duplicates`.

    Parameters
    ----------
    path_a, path_b : str
        Image files.
    reason : {"id", "exact", "near"}
        Criterion that matched: ISIC id, bytes, or perceptual hash.
    distance : int
        Number of bits, of 255, in which the perceptual hashes differ.
    """

    path_a: str
    path_b: str
    reason: str
    distance: int


def find_duplicates(
    paths_a: Iterable[PathLike],
    paths_b: Iterable[PathLike] | None = None,
    *,
    threshold: int = 40,
    n_jobs: int | None = None,
) -> list[Duplicate]:
    """Find images that two sets share, or that occur twice in one set.

    Images match by the ISIC id in their file names, by their bytes, or by a perceptual hash: the
    signs of the 255 lowest cosine frequencies. The hash finds copies that were re-encoded,
    resized, flipped or rotated by multiples of 90 degrees. It does not find crops.

    Parameters
    ----------
    paths_a : sequence of str or path-like
        Image files.
    paths_b : sequence of str or path-like or None, default=None
        Image files to compare them with; None compares `paths_a` with itself.
    threshold : int, default=40
        Largest number of bits, of 255, in which the hashes of a pair may differ.
    n_jobs : int or None, default=None
        Number of threads that decode images. None and -1 use one per processor.

    Returns
    -------
    list of Duplicate
        Named tuples (path_a, path_b, reason, distance) in the order of `paths_a`. The reason is
        "id", "exact" or "near", the distance the number of bits in which the hashes differ.
        ``pandas.DataFrame(pairs)`` makes a table of them.

    Raises
    ------
    ValueError
        If a parameter is invalid or images cannot be read; the message lists all of them. If
        there are more than two million pairs, as among thousands of blank images.

    Notes
    -----
    The default threshold was measured by ``examples/benchmarks/duplicates.py``. Look at "near"
    pairs before you remove them: two photographs of one lesion may be as close. Decoding takes
    most of the time; 25 million pairs of hashes are compared in about a second.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.datasets import find_duplicates, make_lesions
    >>> X, y = make_lesions(2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     a, b, c = (os.path.join(folder, name) for name in ("a.png", "b.png", "c.jpg"))
    ...     Image.fromarray(X[0]).save(a)
    ...     Image.fromarray(X[1]).save(b)
    ...     Image.fromarray(X[1]).resize((50, 50)).save(c)
    ...     found = find_duplicates([a, b], [c])
    >>> [(os.path.basename(pair.path_a), pair.reason) for pair in found]
    [('b.png', 'near')]
    """
    paths_a = check_paths(paths_a, "paths_a")
    if not is_integer(threshold, 0) or threshold > _BITS:
        raise ValueError(
            f"threshold must be an integer from 0 to {_BITS}. Received: threshold={threshold!r}"
        )
    hashes_a, sums_a = _read(paths_a, n_jobs)
    within = paths_b is None
    if paths_b is None:
        paths_b, hashes_b, sums_b = paths_a, hashes_a, sums_a
    else:
        paths_b = check_paths(paths_b, "paths_b")
        hashes_b, sums_b = _read(paths_b, n_jobs)
    criteria = {
        "id": _equal_pairs([*map(_isic_id, paths_a)], [*map(_isic_id, paths_b)]),
        "exact": _equal_pairs(sums_a, sums_b),
        "near": _near_pairs(hashes_a, hashes_b[:, 0], threshold),
    }
    reasons: dict[tuple[int, int], str] = {}  # (i, j) -> first criterion that matches
    for reason, pairs in criteria.items():
        for i, j in pairs:
            if not within or i < j:
                reasons.setdefault((i, j), reason)
                _check_number(reasons, paths_a)
    return [
        Duplicate(paths_a[i], paths_b[j], reason, _least_distance(hashes_a[i], hashes_b[j, 0]))
        for (i, j), reason in sorted(reasons.items())
    ]


def _check_number(reasons, paths):
    """Raise ValueError before the pairs of very many equal images fill up the memory."""
    if len(reasons) > _MOST_PAIRS:
        rows, counts = np.unique([i for i, _ in reasons], return_counts=True)
        raise ValueError(
            f"More than {_MOST_PAIRS} pairs of images are equal or alike; {paths[rows[0]]} alone "
            f"is in {counts[0]}. Leave equal images, such as blank ones, out, or lower threshold"
        )


def check_overlap(
    train_paths: Iterable[PathLike],
    test_paths: Iterable[PathLike],
    *,
    threshold: int = 40,
    n_jobs: int | None = None,
) -> list[Duplicate]:
    """Warn if the training set and the test set share images.

    Parameters
    ----------
    train_paths, test_paths : sequence of str or path-like
        Image files.
    threshold : int, default=40
        Largest number of bits in which hashes may differ; see `find_duplicates`.
    n_jobs : int or None, default=None
        Number of threads; see `find_duplicates`.

    Returns
    -------
    list of Duplicate
        Pairs, as `find_duplicates` returns them; path_a is the training image.

    Warns
    -----
    OverlapWarning
        If the sets share images; the warning states their number and lists the first pairs.

    Examples
    --------
    >>> from melanet.datasets import check_overlap
    >>> check_overlap([], [])
    []
    """
    train_paths = check_paths(train_paths, "train_paths")
    test_paths = check_paths(test_paths, "test_paths")
    found = find_duplicates(train_paths, test_paths, threshold=threshold, n_jobs=n_jobs)
    if found:
        pairs = (
            f"{Path(pair.path_a).name} = {Path(pair.path_b).name} ({pair.reason})" for pair in found
        )
        train, test = ({pair[k] for pair in found} for k in (0, 1))
        warnings.warn(
            f"{len(test)} of {len(test_paths)} test images are also training images "
            f"({len(train)} of {len(train_paths)}): {join_names(pairs, _MOST_NAMED)}. Remove them "
            "from one of the sets, since scores on them are meaningless",
            OverlapWarning,
            stacklevel=2,
        )
    return found


def _isic_id(path):
    match = _ID.search(Path(path).stem)
    return match and match[0].upper()


def _read(paths, n_jobs):
    """Return the perceptual hashes, in eight orientations, and the SHA-256 of each image."""
    hashes = np.zeros((len(paths), 8, _KEPT * _KEPT // 64), dtype=np.uint64)
    sums = [b""] * len(paths)

    def read(i):
        with open_file(paths[i]) as file:
            data = file.read()
        sums[i] = hashlib.sha256(data).digest()
        hashes[i] = _hash_orientations(read_picture(io.BytesIO(data), (_SIDE, _SIDE)))

    for_each(read, paths, n_jobs)
    return hashes, sums


def _hash_orientations(image):
    """Return the hashes of an image in its eight orientations, the original one first."""
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    cosines = dctn(grey)[:_KEPT, :_KEPT]
    # Mirroring negates odd cosine coefficients, transposing the image transposes them.
    odd = np.where(np.arange(_KEPT) % 2, -1, 1)
    both = (cosines, cosines.T)
    turned = [c * v[:, None] * h for c in both for v in (odd**2, odd) for h in (odd**2, odd)]
    bits = np.stack(turned).reshape(8, -1) > 0
    bits[:, 0] = False  # the mean is always positive
    return np.packbits(bits, axis=1).view(np.uint64)


def _distances(a, b):
    """Return Hamming distances; the first axis holds the words of a hash."""
    return sum(np.bitwise_count(x ^ y) for x, y in zip(a, b))  # at most 255, as uint8


def _least_distance(orientations, other):
    return int(_distances(orientations.T, other).min())


def _equal_pairs(keys_a, keys_b):
    """Yield (i, j) where two keys are equal and not None."""
    places = defaultdict(list)
    for j, key in enumerate(keys_b):
        places[key].append(j)
    for i, key in enumerate(keys_a):
        if key is not None:
            yield from ((i, j) for j in places.get(key, ()))


def _near_pairs(hashes_a, hashes_b, threshold):
    """Yield (i, j) where the hash of an image, in any orientation, is close to another."""
    if not len(hashes_b):
        return
    rows = max(1, _BLOCK // len(hashes_b))
    words_b = np.ascontiguousarray(hashes_b.T)[:, None]
    for start in range(0, len(hashes_a), rows):
        block = hashes_a[start : start + rows]
        closest = np.full((len(block), len(hashes_b)), 255, dtype=np.uint8)
        for k in range(8):
            np.minimum(closest, _distances(block[:, k].T[:, :, None], words_b), out=closest)
        for i, j in np.argwhere(closest <= threshold).tolist():
            yield start + i, j
