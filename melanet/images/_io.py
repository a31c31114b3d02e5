"""Picture files -> arrays: decoded on demand, by several threads, all bad files named at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral

import numpy as np
from PIL import Image, ImageOps

from melanet.utils._download import FULL
from melanet.utils._files import atomic_path


def save_picture(pixels, path, scale=1):
    """Write a picture file that is whole or not there.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8
        The picture.
    path : str or path-like
        Its name, ending in a format that Pillow writes; folders are made.
    scale : int, default=1
        Enlargement by whole pixels.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.NEAREST)
    with atomic_path(path) as partial:
        picture.save(partial)


_NAMED = 200  # names that one error lists
_TAIL = 4096  # bytes in which a whole JPEG has its end marker
_OPAQUE = 255
_JPEGS = ("JPEG", "MPO")  # the latter is a telephone's, with a preview behind the picture


def list_names(names):
    """Return names as one string, the first 200 of them and the number of the others."""
    names = [str(name) for name in names]
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def load_images(paths, size=256, *, n_jobs=None):
    """Decode pictures and resize them to one size.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Picture files of any kind that Pillow reads.
    size : int or (int, int), default=256
        Side of a square, or (height, width), in pixels. The whole picture is kept and stretched
        to it, as the paper's 256x256 images are.
    n_jobs : int or None, default=None
        Threads. None and -1 take one for each processor.

    Returns
    -------
    ndarray of uint8 of shape (n, height, width, 3)
        RGB in [0, 255]. Beside it, the memory in use is that of one decoded picture a thread.

    Raises
    ------
    ValueError
        Naming all files that are missing, damaged, no pictures, animated, of more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``, or of numbers without a fixed range (float, 32 bits).

    Notes
    -----
    A pixel is the mean of the area that it covers (Pillow's BOX), which is what OpenCV's
    INTER_AREA computes; where a side grows, bilinear interpolation takes its place. Large JPEGs
    are decoded at half, quarter or eighth size first, never below twice the size asked for.
    Pictures are turned as their EXIF orientation says. Grey, palette and CMYK pictures become
    RGB, 16 bits a channel become the upper 8, and transparent parts white.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.datasets import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "grey.png")
    ...     Image.new("L", (40, 30), 7).save(path)
    ...     X = load_images([path], 16)
    >>> X.shape, X.dtype, int(X.min()), int(X.max())
    ((1, 16, 16, 3), dtype('uint8'), 7, 7)
    """
    height, width = check_size(size)
    paths = check_paths(paths)
    images = np.empty((len(paths), height, width, 3), dtype=np.uint8)

    def load(i):
        images[i] = np.asarray(read_picture(paths[i], (height, width)))

    for_each(load, paths, n_jobs)
    return images


def check_size(size):
    """Return size as (height, width)."""
    sides = (size, size) if isinstance(size, Integral) else size
    try:
        valid = len(sides) == 2 and all(isinstance(n, Integral) and n > 0 for n in sides)
    except TypeError:
        valid = False
    if not valid or isinstance(size, bool):
        raise ValueError(
            "size must be a positive integer, the side of a square, or (height, width). "
            f"Received: size={size!r}"
        )
    return tuple(int(n) for n in sides)


def check_paths(paths, name="paths"):
    """Return paths as a list of str."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{name} must be a sequence of paths; put one alone into a list. Received: {paths!r}"
        )
    paths = list(paths)
    for path in paths:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"{name} must hold paths. Received: {path!r}")
    return [os.fspath(path) for path in paths]


def for_each(work, paths, n_jobs=None):
    """Call ``work(i)`` for each path by several threads; raise one error that names all bad ones.

    Raises
    ------
    ValueError
        If a call failed for what is in the file, or for want of it.
    """
    if n_jobs is not None and not (isinstance(n_jobs, Integral) and (n_jobs > 0 or n_jobs == -1)):
        raise ValueError(
            f"n_jobs must be None, -1 or a positive integer. Received: n_jobs={n_jobs!r}"
        )
    threads = n_jobs if n_jobs and n_jobs > 0 else os.cpu_count() or 1

    def try_one(i):
        try:
            work(i)
        except MemoryError:
            raise
        except Exception as error:  # decoders of damaged files raise all kinds
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            return f"{paths[i]} ({explain(error)})"
        return None

    with ThreadPoolExecutor(threads) as pool:
        problems = [problem for problem in pool.map(try_one, range(len(paths))) if problem]
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(paths)} pictures cannot be used: {list_names(problems)}. "
            "Fetch or export these files anew, or leave them out"
        )


def explain(error):
    """Say in few words why a picture cannot be read."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "no picture"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return _too_large(error)
    if isinstance(error, OSError) and error.errno is not None:
        return error.strerror
    return str(error) or type(error).__name__


def _too_large(detail):
    return f"{detail}; if you trust it, raise PIL.Image.MAX_IMAGE_PIXELS"


def read_picture(source, size):
    """Return one picture as a PIL image in RGB of `size`, (height, width).

    Parameters
    ----------
    source : str or file object
        Where it is.
    size : (int, int)
        Height and width.
    """
    with Image.open(source) as image:
        _check_head(image)
        height, width = size
        if image.format in _JPEGS:
            least = (2 * height, 2 * width) if _is_turned(image) else (2 * width, 2 * height)
            image.draft(None, least)
        image = to_rgb(ImageOps.exif_transpose(image))
        shrinks = image.width >= width and image.height >= height
        kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        return image.resize((width, height), kind)


def _is_turned(image):
    return image.getexif().get(0x0112, 1) > 4  # sides change places


def _check_head(image):
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise ValueError(_too_large(f"{pixels} pixels, more than {limit}"))
    if image.format not in _JPEGS and getattr(image, "n_frames", 1) > 1:
        raise ValueError(f"{image.n_frames} frames; save one of them as a picture")


def to_rgb(image):
    """Return a PIL image of any mode in RGB."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(
            f"mode {image.mode}, numbers without a fixed range; save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (_OPAQUE,) * 4)
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def look_at(file):
    """Raise what Pillow does, or ValueError, if a file object is no whole picture.

    The head is read, and the end of a JPEG; only what lacks its end is decoded.
    """
    with Image.open(file) as image:
        _check_head(image)
        if image.format in _JPEGS:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            if b"\xff\xd9" in file.read():
                return
        image.load()
