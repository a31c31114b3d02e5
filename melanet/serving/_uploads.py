"""What comes in: multipart bodies and pictures from anybody, bounded in size, time and number."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

from PIL import Image
from starlette.formparsers import MultiPartException, MultiPartParser

from melanet.images._io import describe_error, read_picture

KINDS = ("JPEG", "PNG", "WEBP", "BMP")
_SPOKEN = "JPEG, PNG, WebP or BMP"
_TURNED = (5, 6, 7, 8)  # EXIF orientations in which the sides change places
_MAX_FIELDS, _MAX_FIELD_BYTES = 16, 1 << 14


@dataclass(frozen=True)
class Limits:
    """What one client may ask for.

    Parameters
    ----------
    max_bytes : int, default=32 MiB
        Size of a request.
    max_pixels : int, default=50 million
        Width times height of a picture.
    max_files : int, default=32
        Pictures in a batch.
    max_pending : int, default=128
        Pictures that may be under way at a time, of all clients.
    max_uploads : int, default=256
        Requests whose bodies may be arriving at a time.
    body_seconds : float, default=60
        Time in which a request's body has to arrive.
    """

    max_bytes: int = 32 << 20
    max_pixels: int = 50_000_000
    max_files: int = 32
    max_pending: int = 128
    max_uploads: int = 256
    body_seconds: float = 60.0


class Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status, sentence, retry_after=None):
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after = status, sentence, retry_after


@asynccontextmanager
async def uploaded(request, field, most, limits):
    """Read a multipart request, and give the files of a field.

    Parameters
    ----------
    request : starlette.requests.Request
        Its body is not read yet.
    field : str
        Name of the field.
    most : int
        Files that it may hold.
    limits : Limits
        Bounds of size and time.

    Yields
    ------
    list of starlette.datastructures.UploadFile
        One to `most`, none empty. Those above 1 MB are on the disk, under no name of theirs.

    Raises
    ------
    Refused
        If the body is too large, too slow or no such form.
    """
    _check_head(request, limits)
    try:
        async with asyncio.timeout(limits.body_seconds):
            form = await MultiPartParser(
                request.headers,
                _bounded(request.stream(), limits.max_bytes),
                max_files=most + 1,  # one more is refused below, in the words used here
                max_fields=_MAX_FIELDS,
                max_part_size=_MAX_FIELD_BYTES,
            ).parse()
    except TimeoutError as error:
        raise Refused(
            408, f"The request did not arrive within {limits.body_seconds:g} seconds."
        ) from error
    except MultiPartException as error:
        text = error.message
        if text.startswith("Too many files"):
            raise Refused(413, _too_many(most)) from error
        raise Refused(400, f"The form cannot be read: {text}") from error
    try:
        yield _files(form, field, most)
    finally:
        await form.close()


def _check_head(request, limits):
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise Refused(415, "Send the picture as a form (multipart/form-data).")
    length = request.headers.get("content-length", "")
    # What is a little too large is read to its end: a client hears nothing while it sends.
    if length.isdecimal() and int(length) > 4 * limits.max_bytes:
        raise Refused(413, _too_large(limits.max_bytes))


async def _bounded(stream, most):
    """Pass chunks on; read what is too large to its end, or nearly so, and refuse it."""
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size <= most:
            yield chunk
        elif size > 4 * most:
            break
    if size > most:
        raise Refused(413, _too_large(most))


def _too_large(most):
    return f"The request is larger than {most / 1e6:.3g} MB. Send a smaller picture, or fewer."


def _too_many(most):
    return f"At most {most} picture{'s' if most > 1 else ''} can be sent at a time."


def _files(form, field, most):
    values = form.getlist(field)
    if not values:
        raise Refused(400, f"The form has no field {field!r}: send the picture in it.")
    if any(isinstance(value, str) for value in values):
        raise Refused(400, f"The field {field!r} must be a file; it is text.")
    if len(values) > most:
        raise Refused(413, _too_many(most))
    for i, file in enumerate(values):
        if not file.size:
            raise Refused(400, f"{_which(i, values)} is empty.")
    return values


def _which(i, files):
    return "The picture" if len(files) == 1 else f"Picture {i + 1} of {len(files)}"


def decode(file, sizes, limits):
    """Decode a picture at one or more sizes.

    Parameters
    ----------
    file : file object
        With what was uploaded.
    sizes : sequence of (int, int) or int
        (height, width) to stretch it to; or the longer side, the form being kept.
    limits : Limits
        With the most pixels.

    Returns
    -------
    list of PIL.Image.Image
        In RGB, turned as EXIF says.

    Raises
    ------
    Refused
        If it is none of the kinds that are taken, damaged, animated or too large.
    """
    try:
        file.seek(0)
        with Image.open(file, formats=KINDS) as image:
            width, height = _sides(image, limits)
        pictures = []
        for size in sizes:
            file.seek(0)
            fitted = _fitted(size, height, width) if isinstance(size, int) else size
            pictures.append(read_picture(file, fitted))
        return pictures
    except (Refused, MemoryError):
        raise
    except Image.UnidentifiedImageError as error:
        raise Refused(415, f"The file is no picture that can be read; send {_SPOKEN}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(413, _too_many_pixels(limits)) from error
    except Exception as error:  # decoders of damaged files raise all kinds
        raise Refused(422, f"The picture cannot be used: {describe_error(error)}.") from error


def _sides(image, limits):
    """Return width and height as seen, if the picture may be decoded."""
    width, height = image.size
    if width * height > limits.max_pixels:
        raise Refused(413, _too_many_pixels(limits))
    # Not by counting frames: a small file can hold millions of them. A telephone's JPEG is an
    # MPO with a preview behind the picture.
    if image.format not in ("JPEG", "MPO") and getattr(image, "is_animated", False):
        raise Refused(422, "The picture cannot be used: it moves. Send one frame of it.")
    turned = image.getexif().get(0x0112, 1) in _TURNED
    return (height, width) if turned else (width, height)


def _too_many_pixels(limits):
    return f"The picture has more than {limits.max_pixels / 1e6:g} million pixels."


def _fitted(side, height, width):
    """Return (height, width) of the same form whose longer side is at most `side`."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
