"""Untrusted uploads: multipart bodies and image files, bounded in size, time and number."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from melanet.images import Depth, describe_error, displayed_size, open_picture, read_picture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_FORMAT_NAMES = "JPEG, PNG, WebP or BMP"
_MAX_FIELDS, _MAX_FIELD_BYTES = 16, 1 << 14


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Parameters
    ----------
    max_bytes : int, default=32 MiB
        Size of a request.
    max_pixels : int, default=50 million
        Width times height of an image.
    max_files : int, default=32
        Images in a batch request.
    max_pending : int, default=128
        Images in progress at a time, over all clients.
    max_uploads : int, default=256
        Requests whose bodies are being received at a time.
    body_seconds : float, default=60
        Time in which the body of a request must arrive.
    """

    max_bytes: int = 32 << 20
    max_pixels: int = 50_000_000
    max_files: int = 32
    max_pending: int = 128
    max_uploads: int = 256
    body_seconds: float = 60.0


class RequestError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        Sentence for the client.
    retry_after : int or None, default=None
        Seconds after which the client may try again.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after


@asynccontextmanager
async def receive_files(
    request: Request, field: str, max_files: int, limits: Limits
) -> AsyncIterator[list[UploadFile]]:
    """Receive a multipart request and yield the files of one field.

    Parameters
    ----------
    request : starlette.requests.Request
        Request whose body has not been read.
    field : str
        Name of the field.
    max_files : int
        Maximum number of files.
    limits : Limits
        Limits of size and time.

    Yields
    ------
    list of starlette.datastructures.UploadFile
        One to `max_files` files, none empty. Files above 1 MB are in unnamed temporary files.

    Raises
    ------
    RequestError
        If the body is too large, too slow or not such a form.
    """
    _check_headers(request, limits)
    try:
        async with asyncio.timeout(limits.body_seconds):
            parser = MultiPartParser(
                request.headers,
                _bound_stream(request.stream(), limits.max_bytes),
                max_files=max_files + 1,  # one too many is rejected below, with our own message
                max_fields=_MAX_FIELDS,
            )
            parser.max_part_size = _MAX_FIELD_BYTES  # not an argument before Starlette 0.44
            form = await parser.parse()
    except TimeoutError as error:
        raise RequestError(
            408, f"The request did not arrive within {limits.body_seconds:g} seconds."
        ) from error
    except (MultiPartException, FormParserError) as error:  # older Starlettes raise the latter
        message = getattr(error, "message", str(error))
        if message.startswith("Too many files"):
            raise RequestError(413, _too_many_files(max_files)) from error
        raise RequestError(400, f"The form cannot be read: {message.rstrip('.')}.") from error
    try:
        yield _files_of(form, field, max_files)
    finally:
        await form.close()


def _check_headers(request: Request, limits: Limits) -> None:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise RequestError(415, "Send the image as a form (multipart/form-data).")
    length = request.headers.get("content-length", "")
    # Moderately oversized bodies are read to the end: clients do not listen while they send.
    if length.isdecimal() and int(length) > 4 * limits.max_bytes:
        raise RequestError(413, _too_large(limits.max_bytes))


async def _bound_stream(stream, max_bytes):
    """Yield chunks up to a size; read what exceeds it, up to four times the size, and raise."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size <= max_bytes:
            yield chunk
        elif size > 4 * max_bytes:
            break
    if size > max_bytes:
        raise RequestError(413, _too_large(max_bytes))


def _too_large(max_bytes):
    return f"The request is larger than {max_bytes / 1e6:.3g} MB. Send a smaller image, or fewer."


def _too_many_files(max_files):
    return f"At most {max_files} image{'s' if max_files > 1 else ''} can be sent at a time."


def _files_of(form: FormData, field: str, max_files: int) -> list[UploadFile]:
    values = form.getlist(field)
    if not values:
        raise RequestError(400, f"The form has no field {field!r}. Send the image in it.")
    files = [value for value in values if isinstance(value, UploadFile)]
    if len(files) < len(values):
        raise RequestError(400, f"The field {field!r} must be a file; it is text.")
    if len(files) > max_files:
        raise RequestError(413, _too_many_files(max_files))
    for i, file in enumerate(files):
        if not file.size:
            name = "The image" if len(files) == 1 else f"Image {i + 1} of {len(files)}"
            raise RequestError(400, f"{name} is empty.")
    return files


def decode_image(
    file: BinaryIO,
    sizes: Sequence[tuple[int, int] | int],
    limits: Limits,
    value_range: tuple[float, float] | None = None,
) -> list[Image.Image]:
    """Decode an image file at one or more sizes.

    Parameters
    ----------
    file : file object
        Uploaded file.
    sizes : sequence of (int, int) or int
        (height, width) to stretch the image to; or the maximum of its longer side, which keeps
        the aspect ratio.
    limits : Limits
        Limit of pixels.
    value_range : (float, float) or None, default=None
        Values of black and white in grey files of more than 8 bits; None takes the limits of their
        bits. Other files do not need it.

    Returns
    -------
    list of PIL.Image.Image
        RGB images, rotated by their EXIF orientation.

    Raises
    ------
    RequestError
        If the format is not accepted, or the image is damaged, animated or too large.
    """
    try:
        file.seek(0)
        with open_picture(file, FORMATS) as image:
            height, width = _check_image(image, limits)
            if not image.mode.startswith("I"):  # not grey, or not of more than 8 bits
                value_range = None
        images, depth = [], Depth(1)
        for size in sizes:
            file.seek(0)
            target = _fit_longer_side(size, height, width) if isinstance(size, int) else size
            images.append(read_picture(file, target, value_range, depth))
        depth.check(1)  # a warning in the server's log
        return images
    except (RequestError, MemoryError):
        raise
    except Image.UnidentifiedImageError as error:
        raise RequestError(
            415, f"The file is not a readable image. Send {_FORMAT_NAMES}."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RequestError(413, _too_many_pixels(limits)) from error
    except Exception as error:  # decoders of damaged files raise all kinds
        raise RequestError(422, f"The image cannot be used: {describe_error(error)}.") from error


def _check_image(image, limits):
    """Return height and width as displayed, after checks that need no decoding."""
    width, height = image.size
    if width * height > limits.max_pixels:
        raise RequestError(413, _too_many_pixels(limits))
    # Frames are not counted: a small file can hold millions of them. JPEGs of phones are MPOs,
    # with a preview as their second frame.
    if image.format not in ("JPEG", "MPO") and getattr(image, "is_animated", False):
        raise RequestError(422, "The image cannot be used: it is animated. Send a single frame.")
    return displayed_size(image)


def _too_many_pixels(limits):
    return f"The image has more than {limits.max_pixels / 1e6:g} million pixels."


def _fit_longer_side(longest, height, width):
    """Return (height, width) scaled down so that the longer side is at most `longest`."""
    scale = min(1.0, longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
