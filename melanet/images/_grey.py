"""Grey pictures, of which one channel says all: the rule, in one place."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from melanet.images._dicom import is_dicom
from melanet.images._io import check_paths, check_size, open_picture, read_picture
from melanet.images._members import open_file
from melanet.utils._typing import PathLike

_GREY_MODES = ("1", "L", "LA", "La")  # and I, I;16 and others of integers
_BLOCK = 32  # files that are looked at before the next ones


def count_channels(paths: Iterable[PathLike], size: int | Sequence[int]) -> int:
    """Return the channels that image files need: 1 if all are grey, else 3.

    Files of one channel are grey, and those of which all channels are equal when they are read at
    this size. Of colour images the first ones are read; of grey images in colour files, all.

    Parameters
    ----------
    paths : sequence of str or path-like
        Image files. Those that cannot be read are left to the reader, which says why.
    size : int or (int, int)
        Side of a square, or height and width, that they are resized to.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.images import count_channels
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grey, red = (os.path.join(folder, name) for name in ("grey.png", "red.png"))
    ...     Image.new("RGB", (9, 9), (50, 50, 50)).save(grey)
    ...     Image.new("RGB", (9, 9), (50, 0, 0)).save(red)
    ...     count_channels([grey], 8), count_channels([grey, red], 8)
    (1, 3)
    """
    paths, size = check_paths(paths), check_size(size)

    def is_grey(path: str) -> bool:
        try:
            with open_file(path) as file:
                if not is_dicom(file):
                    with open_picture(file) as image:
                        if image.mode in _GREY_MODES or image.mode.startswith("I"):
                            return True
                pixels = np.asarray(read_picture(file, size))
        except Exception:  # of many types, as decoders raise them
            return True
        return bool((pixels == pixels[..., :1]).all())

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _BLOCK):
            if not all(pool.map(is_grey, paths[start : start + _BLOCK])):
                return 3
    return 1
