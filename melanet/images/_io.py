"""Image files: decoding by several threads, validation, and atomic writing."""

import base64
import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from melanet.images._depth import Depth
from melanet.images._dicom import is_dicom, read_dicom
from melanet.images._members import open_file
from melanet.images._pixels import (
    check_samples,
    decode_rgb,
    displayed_size,
    orientation,
    turn_upright,
)
from melanet.utils._download import DISK_FULL_ERRNOS
from melanet.utils._files import atomic_path
from melanet.utils._memory import check_memory
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_value_range, is_integer, join_names

_TAIL = 4096  # bytes at the end of a complete JPEG that contain its end marker
_JPEGS = ("JPEG", "MPO")  # MPO is a JPEG followed by previews, as phones write it
# First bytes of files that are images, or hold some, whether or not Pillow can read them.
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "BigTIFF",
    b"MM\0+": "BigTIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"8BPS": "Photoshop file",
}
_HEAD = 8  # bytes
_BLOCK = 1024  # calls that wait in a pool


def save_picture(pixels: NDArray[np.uint8], path: PathLike, scale: int = 1) -> None:
    """Write an image file atomically.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8
        RGB image.
    path : str or path-like
        File name, with the suffix of a format that Pillow writes. Missing folders are created.
    scale : int, default=1
        Factor by which the image is enlarged, by repeating pixels.
    """
    image = Image.fromarray(pixels)
    if scale > 1:
        size = (image.width * scale, image.height * scale)
        image = image.resize(size, Image.Resampling.NEAREST)
    with atomic_path(path) as partial:
        image.save(partial)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels of shape (height, width, 3) as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels of shape (height, width, 3) as a data URL of a PNG."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(pixels)).decode()}"


def load_images(
    paths: Iterable[PathLike],
    size: int | Sequence[int] = 256,
    *,
    value_range: Iterable[float] | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.uint8]:
    """Decode image files and resize them to one size.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Image files in any format that Pillow reads, DICOM files of one frame if pydicom is
        installed (``pip install melanet[dicom]``), or pictures in an HDF5 file as
        ``<file>.hdf5/<name>``.
    size : int or (int, int), default=256
        Side of a square, or (height, width), in pixels. The image is stretched to this size, not
        cropped, as the paper's 256x256 images are.
    value_range : (float, float) or None, default=None
        Smallest and largest value of a pixel in grey files of more than 8 bits, such as (0, 4095)
        for 12 bits in files of 16; they become 0 and 255. None takes the limits of the files'
        bits.
    n_jobs : int or None, default=None
        Number of threads. None and -1 use one per processor.

    Returns
    -------
    ndarray of uint8 of shape (n, height, width, 3)
        RGB in [0, 255]. Beyond this array, each thread holds one decoded image in memory.

    Raises
    ------
    ValueError
        If files are missing, corrupt, not images, animated, of more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``, of numbers without a fixed range (float, signed, 32 bits),
        or of a layout that Pillow cannot read; or if `value_range` is given and files are not
        grey of more than 8 bits, or have values outside of it. The message lists all of them.

    Warns
    -----
    melanet.exceptions.ScaleWarning
        If files of more than 8 bits use a part of their bits, with the range to give.

    Notes
    -----
    Images are reduced by area averaging (Pillow's BOX, which computes the same as OpenCV's
    INTER_AREA) and, where a side grows, enlarged by bilinear interpolation. Large JPEGs are first
    decoded at half, quarter or eighth size, never below twice the requested size. The EXIF
    orientation is applied. Grey, palette and CMYK images are converted to RGB, 16-bit channels
    are reduced to the upper 8 bits unless `value_range` is given, and transparent areas become
    white. Colour profiles are not applied. DICOM values are rescaled and seen through the file's
    first window, or the full range of its stored bits if it has none, and MONOCHROME1 is inverted.

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
    paths = check_paths(paths)
    return read_pictures(paths, check_size(size), value_range, Depth(len(paths)), n_jobs)


def read_pictures(
    paths: list[str],
    size: tuple[int, int],
    value_range: Iterable[float] | None,
    depth: Depth,
    n_jobs: int | None = None,
    channels: int = 3,
) -> NDArray[np.uint8]:
    """Decode files of a set, whose depth is checked over several calls; see `load_images`.

    With ``channels=1`` the images are grey, of shape (n, height, width, 1).
    """
    height, width = size
    limits = None if value_range is None else check_value_range(value_range)
    check_memory(
        channels * len(paths) * height * width,
        f"{len(paths)} images of size=({height}, {width})",
        "Choose a smaller size, or read the files in parts",
    )
    images = np.empty((len(paths), height, width, channels), dtype=np.uint8)

    def load(i: int) -> None:
        picture = read_picture(paths[i], size, limits, depth)
        pixels = np.asarray(picture if channels == 3 else picture.convert("L"))
        images[i] = pixels.reshape(images.shape[1:])

    for_each(load, paths, n_jobs)
    depth.check(len(paths))
    return images


def check_size(size: Any, name: str = "size", least: int = 1) -> tuple[int, int]:
    """Return a size, given as a side or as height and width, as (height, width).

    Parameters
    ----------
    size : int or (int, int)
        Side of a square, or height and width, in pixels.
    name : str, default="size"
        Name of the parameter, for the message.
    least : int, default=1
        Smallest side that is accepted.

    Raises
    ------
    ValueError
        If `size` is neither an integer nor two integers, or a side is too small.

    Examples
    --------
    >>> from melanet.images import check_size
    >>> check_size(64), check_size((48, 64))
    ((64, 64), (48, 64))
    """
    sides = [size, size] if np.ndim(size) == 0 else list(size)
    if len(sides) != 2 or not all(is_integer(side, least) for side in sides):
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(
            f"{name} must be {kind}, the side of a square, or (height, width). "
            f"Received: {name}={size!r}"
        )
    return int(sides[0]), int(sides[1])


def check_paths(paths: Iterable[PathLike], name: str = "paths") -> list[str]:
    """Return paths as a list of str."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{name} must be a sequence of paths; put a single path into a list. "
            f"Received: {paths!r}"
        )
    paths = list(paths)
    for path in paths:
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"{name} must contain str or path-like objects. Received: {path!r}")
    return [os.fspath(path) for path in paths]


def for_each(
    work: Callable[[int], object], paths: Sequence[PathLike], n_jobs: int | None = None
) -> None:
    """Call ``work(i)`` for the index of each path, in several threads.

    Raises
    ------
    ValueError
        If calls failed because files are unreadable or missing. The message lists all of them.
    """
    if not (n_jobs is None or n_jobs == -1 or is_integer(n_jobs)):
        raise ValueError(
            f"n_jobs must be None, -1 or a positive integer. Received: n_jobs={n_jobs!r}"
        )
    threads = n_jobs if n_jobs and n_jobs > 0 else os.cpu_count() or 1

    def try_one(i: int) -> str | None:
        try:
            work(i)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise many types for corrupt files
            if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
                raise
            return f"{paths[i]} ({describe_error(error)})"
        return None

    problems = []
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(paths), _BLOCK):  # the pool's queue takes 1 kB for each call
            block = range(first, min(first + _BLOCK, len(paths)))
            problems += [problem for problem in pool.map(try_one, block) if problem]
    if problems:
        raise ValueError(
            f"{len(problems)} of {len(paths)} images cannot be read: {join_names(problems)}. "
            "Download or export these files again, or leave them out"
        )


def describe_error(error: Exception) -> str:
    """Return a short reason why an image cannot be read."""
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return _too_large(error)
    if isinstance(error, OSError) and error.strerror is not None:
        return error.strerror
    return str(error) or type(error).__name__


def _too_large(detail: object) -> str:
    return f"{detail}; if you trust the file, raise PIL.Image.MAX_IMAGE_PIXELS"


def read_picture(
    source: PathLike | IO[bytes],
    size: tuple[int, int],
    value_range: tuple[float, float] | None = None,
    depth: Depth | None = None,
) -> Image.Image:
    """Decode one image and resize it.

    Parameters
    ----------
    source : str, path-like or file object
        Image file.
    size : (int, int)
        Height and width.
    value_range : (float, float) or None, default=None
        As in `load_images`.
    depth : Depth or None, default=None
        Notes the values of a file of more than 8 bits.

    Returns
    -------
    PIL.Image.Image
        RGB image of that size; see `load_images`.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            source = stack.enter_context(open_file(source))
        if is_dicom(source):
            image = read_dicom(source).convert("RGB")
        else:
            image = _decode(source, size, value_range, depth)
    height, width = size
    shrinks = image.width >= width and image.height >= height
    kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return image.resize((width, height), kind)


def _decode(
    source: IO[bytes],
    size: tuple[int, int],
    value_range: tuple[float, float] | None,
    depth: Depth | None,
) -> Image.Image:
    """Return an image that Pillow reads, upright, at its own size or a smaller one above `size`."""
    with open_picture(source) as file:
        _check_header(file)
        if file.format in _JPEGS:
            displayed, stored = displayed_size(file), file.size[::-1]
            height, width = size if displayed == stored else size[::-1]
            file.draft(None, (2 * width, 2 * height))
        image = decode_rgb(file, value_range, depth)
        return turn_upright(image, orientation(file))  # 1 for a TIFF, which Pillow has turned


@contextlib.contextmanager
def open_picture(
    source: PathLike | IO[bytes], formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """Open an image file without decoding it.

    Parameters
    ----------
    source : str, path-like or file object
        Image file.
    formats : tuple of str or None, default=None
        Pillow's names of the formats to accept; None accepts all.

    Yields
    ------
    PIL.Image.Image
        Opened file.

    Raises
    ------
    PIL.UnidentifiedImageError
        If the file is no image that Pillow reads. The message names its format if it has one.
    """
    if isinstance(source, (str, os.PathLike)):
        with open_file(source) as file, open_picture(file, formats) as image:
            yield image
        return
    try:
        image = Image.open(source, formats=formats)
    except Image.UnidentifiedImageError as error:
        raise Image.UnidentifiedImageError(_describe_unidentified(source)) from error
    with image:
        yield image


def _describe_unidentified(source: IO[bytes]) -> str:
    source.seek(0)
    head = source.read(_HEAD)
    kind = next((kind for start, kind in _SIGNATURES.items() if head.startswith(start)), None)
    if is_dicom(source):
        kind = "DICOM file"
    if kind is None:
        return "not an image"
    return (
        f"a {kind} that is damaged, or of a kind that Pillow does not read; convert it to PNG with "
        "8 or 16 bits"
    )


def _check_header(image: Image.Image) -> None:
    pixels, limit = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise ValueError(_too_large(f"{pixels} pixels, more than {limit}"))
    n_frames = getattr(image, "n_frames", 1)
    if image.format not in _JPEGS and n_frames > 1:
        raise ValueError(f"{n_frames} frames; save one of them as an image")
    check_samples(image)


def verify_picture(
    file: IO[bytes], value_range: tuple[float, float] | None = None, depth: Depth | None = None
) -> None:
    """Raise Pillow's error, or ValueError, unless a file object holds a complete image.

    Only the header and the end marker of a JPEG are read. Files of other formats, and JPEGs
    without an end marker, are decoded. `value_range` and `depth` are as in `read_picture`.
    """
    if is_dicom(file):
        read_dicom(file)
        return
    with open_picture(file) as image:
        _check_header(image)
        if image.format in _JPEGS and value_range is None:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            if b"\xff\xd9" in file.read():
                return
        decode_rgb(image, value_range, depth)
