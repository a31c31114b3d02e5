"""The same picture in two sets, or twice in one: by its ISIC id, its bytes, or its looks."""

import hashlib
import io
import re
import warnings
from collections import defaultdict
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.fft import dctn

from melanet.exceptions import OverlapWarning
from melanet.images import check_paths, for_each, read_picture

_ID = re.compile(r"ISIC_\d{7}", re.IGNORECASE)
_SIDE, _KEPT = 64, 16  # pixels that are looked at, and cosines of them along each side
_BITS = _KEPT * _KEPT - 1
_BLOCK = 1 << 16  # comparisons at a time, so that they stay in the processor's cache
_NAMED = 5


class Duplicate(NamedTuple):
    """One pair that `find_duplicates` found.

    Parameters
    ----------
    path_a, path_b : str
        The two pictures.
    reason : {"id", "exact", "near"}
        What gave them away: the ISIC id, the bytes, or the looks.
    distance : int
        Bits, of 255, in which their hashes differ.
    """

    path_a: str
    path_b: str
    reason: str
    distance: int


def find_duplicates(paths_a, paths_b=None, *, threshold=40, n_jobs=None):
    """Find pictures that are in both of two sets, or twice in one.

    Pairs are matched by the ISIC id in their file names, then by their bytes, then by a perceptual
    hash: 255 signs of a picture's lowest cosine frequencies. Copies that were encoded anew,
    resized, or flipped or turned by a quarter are found; crops are not.

    Parameters
    ----------
    paths_a : sequence of str or path-like
        Picture files.
    paths_b : sequence of str or path-like or None, default=None
        Those to compare with; None compares `paths_a` with itself.
    threshold : int, default=40
        Largest number of bits, of 255, in which the hashes of two copies differ.
    n_jobs : int or None, default=None
        Threads that decode. None and -1 take one for each processor.

    Returns
    -------
    list of Duplicate
        Named tuples (path_a, path_b, reason, distance) in the order of `paths_a`: reason is
        "id", "exact" or "near", distance the number of bits in which the hashes differ.
        ``pandas.DataFrame`` takes the list as it is.

    Raises
    ------
    ValueError
        If a parameter is wrong; or naming all pictures that cannot be read.

    Notes
    -----
    The default threshold was measured by ``examples/benchmarks/duplicates.py``. "near" asks for a
    look: two photographs of one lesion may be as close. Decoding takes most of the time; 25 million
    pairs of hashes are compared in about a second.

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
    if not isinstance(threshold, Integral) or not 0 <= threshold <= _BITS:
        raise ValueError(
            f"threshold must be an integer from 0 to {_BITS}. Received: threshold={threshold!r}"
        )
    codes_a, sums_a = _read(paths_a, n_jobs)
    if paths_b is None:
        paths_b, codes_b, sums_b = paths_a, codes_a, sums_a
        within = True
    else:
        paths_b, within = check_paths(paths_b, "paths_b"), False
        codes_b, sums_b = _read(paths_b, n_jobs)
    found = {}  # (i, j) -> reason, the first that holds
    for reason, keys_a, keys_b in (
        ("id", map(_isic_id, paths_a), map(_isic_id, paths_b)),
        ("exact", sums_a, sums_b),
    ):
        for pair in _same_keys(keys_a, keys_b):
            found.setdefault(pair, reason)
    for pair in _near(codes_a, codes_b[:, 0], threshold):
        found.setdefault(pair, "near")
    return [
        Duplicate(paths_a[i], paths_b[j], reason, _least(codes_a[i], codes_b[j, 0]))
        for (i, j), reason in sorted(found.items())
        if not within or i < j
    ]


def check_overlap(train_paths, test_paths, *, threshold=40, n_jobs=None):
    """Warn if pictures of a training set are in the test set.

    Parameters
    ----------
    train_paths, test_paths : sequence of str or path-like
        Picture files.
    threshold : int, default=40
        As for `find_duplicates`.
    n_jobs : int or None, default=None
        As for `find_duplicates`.

    Returns
    -------
    list of Duplicate
        The pairs, as from `find_duplicates`; path_a is the training picture.

    Warns
    -----
    OverlapWarning
        If there are any, with their number and the first few.

    Examples
    --------
    >>> from melanet.datasets import check_overlap
    >>> check_overlap([], [])
    []
    """
    found = find_duplicates(
        check_paths(train_paths, "train_paths"),
        check_paths(test_paths, "test_paths"),
        threshold=threshold,
        n_jobs=n_jobs,
    )
    if found:
        pairs = ", ".join(
            f"{Path(pair.path_a).name} = {Path(pair.path_b).name} ({pair.reason})"
            for pair in found[:_NAMED]
        )
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        train, test = ({pair[k] for pair in found} for k in (0, 1))
        warnings.warn(
            f"{len(test)} of {len(test_paths)} test pictures are among the training pictures "
            f"({len(train)} of {len(train_paths)}): {pairs}{more}. Remove them from one of the "
            "sets: what is measured on them says nothing",
            OverlapWarning,
            stacklevel=2,
        )
    return found


def _isic_id(path):
    match = _ID.search(Path(path).stem)
    return match and match[0].upper()


def _read(paths, n_jobs):
    """Return the hashes of all pictures in eight orientations, and the sums of their bytes."""
    codes = np.zeros((len(paths), 8, _KEPT * _KEPT // 64), dtype=np.uint64)
    sums = [None] * len(paths)

    def read(i):
        data = Path(paths[i]).read_bytes()
        sums[i] = hashlib.sha256(data).digest()
        codes[i] = _hashes(read_picture(io.BytesIO(data), (_SIDE, _SIDE)))

    for_each(read, paths, n_jobs)
    return codes, sums


def _hashes(picture):
    """Return the hash of a picture as it is (the first) and in its other seven orientations."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    cosines = dctn(grey)[:_KEPT, :_KEPT]
    # A mirror image's odd cosines change their signs, and a transposed one's their places.
    odd = np.where(np.arange(_KEPT) % 2, -1, 1)
    both = (cosines, cosines.T)
    turned = [c * v[:, None] * h for c in both for v in (odd**2, odd) for h in (odd**2, odd)]
    bits = np.stack(turned).reshape(8, -1) > 0
    bits[:, 0] = False  # the mean, which is always positive
    return np.packbits(bits, axis=1).view(np.uint64)


def _distances(a, b):
    """Return the number of bits that differ; the words of a hash are the first axis."""
    return sum(np.bitwise_count(x ^ y) for x, y in zip(a, b))  # at most 255, as uint8


def _least(codes, code):
    return int(_distances(codes.T, code).min())


def _same_keys(keys_a, keys_b):
    places = defaultdict(list)
    for j, key in enumerate(keys_b):
        places[key].append(j)
    for i, key in enumerate(keys_a):
        if key is not None:
            yield from ((i, j) for j in places.get(key, ()))


def _near(codes_a, codes_b, threshold):
    """Yield (i, j) where a picture, in some orientation, looks like another."""
    if not len(codes_b):
        return
    rows = max(1, _BLOCK // len(codes_b))
    words_b = np.ascontiguousarray(codes_b.T)[:, None]
    for start in range(0, len(codes_a), rows):
        block = codes_a[start : start + rows]
        closest = np.full((len(block), len(codes_b)), 255, dtype=np.uint8)
        for k in range(8):
            np.minimum(closest, _distances(block[:, k].T[:, :, None], words_b), out=closest)
        for i, j in np.argwhere(closest <= threshold).tolist():
            yield start + i, j
