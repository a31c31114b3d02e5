"""The meaning of an image file's samples: depth, sign, polarity, transparency, orientation.

Pillow decodes more layouts than it interprets. Each layout here is read as its specification says,
or is rejected by name.
"""

from typing import Any, NoReturn

import numpy as np
from PIL import Image, ImageChops

from melanet.images._depth import Depth

_OPAQUE = 255
_ORIENTATION = 0x0112
_JPEGS = ("JPEG", "MPO")  # MPO is a JPEG followed by previews, as phones write it
# EXIF orientation -> how stored pixels are turned for display.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats whose grey values of more than 8 bits reach Pillow's mode I or I;16 in [0, 65535].
_SIXTEEN_BITS = ("PNG", "PPM", "JPEG2000", "ICO", "IM")
# Pillow gives a PNG's transparent grey in the file's own 2 or 4 bits, but its pixels in 8.
_PNG_GREY_STEPS = {"L;2": 85, "L;4": 17}
# Tags of TIFF.
_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR = 254, 258, 259, 262, 284
_FILL_ORDER, _COLOUR_MAP, _EXTRA, _SAMPLE_FORMAT = 266, 320, 338, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
_SAMPLE_KINDS = {2: "signed integers", 3: "floating-point numbers"}


def check_samples(image: Image.Image) -> None:
    """Raise ValueError, before decoding, for samples that have no certain meaning."""
    if image.format == "TIFF":
        _check_tiff(image)
    if image.mode == "F":
        _reject(f"mode F, {_SAMPLE_KINDS[3]}, has no fixed range of values")
    if image.mode.startswith("I") and image.format not in (*_SIXTEEN_BITS, "TIFF"):
        _reject(f"the range of {image.format}'s values in mode {image.mode} is not known")
    if image.mode == "I" and image.format == "TIFF":
        _reject("mode I, integers of 32 bits, has no fixed range of values")
    if _raw_mode(image) == "RGB;16B" and "transparency" in image.info:
        _reject("a transparent colour of 16 bits cannot be told from its neighbours")


def _reject(reason: str) -> NoReturn:
    raise ValueError(f"{reason}; save the image as PNG or TIFF with 8 or 16 bits, unsigned")


def _check_tiff(image: Any) -> None:
    tags = image.tag_v2
    kind = max(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    bits = max(tags.get(_BITS, (1,)))
    if kind in _SAMPLE_KINDS:
        _reject(f"mode {image.mode}, {_SAMPLE_KINDS[kind]} of {bits} bits, has no fixed range")
    if _PHOTOMETRIC not in tags:
        _reject("the file does not say whether 0 is black or white (PhotometricInterpretation)")
    if tags.get(_SUBFILE, 0) & 1:
        raise ValueError("the first image of the file is a reduced copy; export the full image")
    if tags.get(_PLANAR, 1) == 2:
        # Pillow decodes uncompressed planes as bytes; libtiff decodes the others.
        as_bytes = (
            bits == 8 and tags[_PHOTOMETRIC] != _WHITE_IS_ZERO and tags.get(_FILL_ORDER, 1) == 1
        )
        plain = image.mode in ("1", "L", "P", "I;16", "RGB", "CMYK") and not tags.get(_EXTRA)
        if not plain or (tags.get(_COMPRESSION, 1) == 1 and not as_bytes):
            _reject("the file stores its channels one after another (PlanarConfiguration 2)")


def _raw_mode(image: Any) -> Any:
    """Return Pillow's name of the layout of a PNG's samples, None for other formats."""
    if image.format != "PNG" or not image.tile:
        return None
    arguments = image.tile[0][3]
    return arguments[0] if isinstance(arguments, tuple) else arguments


def load_samples(image: Image.Image) -> None:
    """Decode an opened file; raise Pillow's error, or ValueError with a remedy."""
    try:
        image.load()
    except ValueError as error:  # Pillow opens some layouts that it cannot decode
        _reject(f"Pillow cannot decode this {image.format} ({error})")


def decode_rgb(
    image: Any, value_range: tuple[float, float] | None = None, depth: Depth | None = None
) -> Image.Image:
    """Decode an opened file into RGB of 8 bits a channel, not yet turned.

    Parameters
    ----------
    image : PIL.ImageFile.ImageFile
        Opened file that `check_samples` accepts.
    value_range : (float, float) or None, default=None
        Smallest and largest value of a grey file of more than 8 bits; None takes the limits of
        its bits.
    depth : Depth or None, default=None
        Notes the values of a file of more than 8 bits.

    Returns
    -------
    PIL.Image.Image
        RGB image. Transparent areas are white. A TIFF is already upright: Pillow turns it.

    Raises
    ------
    ValueError
        If `value_range` is given for another file, or does not hold its values.
    """
    deep = _has_16_bits(image)  # asked first: decoding forgets it
    step = _PNG_GREY_STEPS.get(_raw_mode(image), 1)
    tags = dict(image.tag_v2) if image.format == "TIFF" else {}
    load_samples(image)
    if image.mode.startswith("I"):
        return _reduce_grey(image, tags, value_range, depth)
    if value_range is not None:
        raise ValueError(
            "value_range is for grey images of more than 8 bits. Received: an image of mode "
            f"{image.mode}{', of which Pillow reads the upper 8 bits' if deep else ''}"
        )
    if step > 1 and "transparency" in image.info:
        image.info["transparency"] *= step
    if image.mode == "CMYK" and image.format in _JPEGS and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow takes every JPEG's inks for Adobe's, inverted
    colours = tags.get(_COLOUR_MAP)
    if colours and max(colours) < 256:  # old programs wrote 8 bits where 16 are due
        image.putpalette(np.reshape(colours, (3, -1)).T.astype(np.uint8).tobytes())
    if deep and depth is not None:
        peak = max(high for _, high in image.convert("RGB").getextrema())
        depth.see(16, peak << 8 | 255 if peak else 0, grey=False)
    return _on_white(image)


def _has_16_bits(image):
    """Return whether a file has channels of 16 bits."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(_BITS, (1,))) == 16
    return ";16" in str(_raw_mode(image))


def _reduce_grey(image, tags, value_range, depth):
    """Return grey values in 8 bits, as RGB: the upper bits, or scaled from a range."""
    values = np.asarray(image).astype(np.int64)
    transparent = values == image.info.get("transparency", -1)
    bits = max(tags.get(_BITS, (16,)))
    if value_range is None:
        if depth is not None:
            depth.see(bits, int(values.max(initial=0, where=~transparent)), grey=True)
        grey = (values >> (bits - 8)).astype(np.uint8)
    else:
        grey = _rescale(values, value_range, ~transparent)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = _OPAQUE - grey
    grey[transparent] = _OPAQUE
    return Image.fromarray(grey).convert("RGB")


def _rescale(values, value_range, where):
    """Return values scaled from a range to [0, 255]; those elsewhere may leave it."""
    low, high = value_range
    found = values[where]
    if found.size and (found.min() < low or found.max() > high):
        raise ValueError(
            f"value_range=({low:g}, {high:g}) must hold its values. "
            f"Received: values from {found.min()} to {found.max()}"
        )
    scaled = (np.clip(values, low, high) - low) * (_OPAQUE / (high - low))
    return np.rint(scaled).astype(np.uint8)


def _on_white(image):
    """Return an image of 8 bits a channel as RGB, on white where it is transparent."""
    if image.has_transparency_data:
        if image.mode == "La":  # premultiplied; Pillow converts it to LA only
            image = image.convert("LA")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (_OPAQUE,) * 4)
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing, invalid or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata raise many types, and the pixels may be sound
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Return height and width, as displayed, of an opened file other than a TIFF."""
    width, height = image.size
    return (width, height) if orientation(image) > 4 else (height, width)


def turn_upright(image: Image.Image, exif_orientation: int) -> Image.Image:
    """Turn pixels for display. The metadata, which may be damaged, are not written."""
    turn = _TURNS.get(exif_orientation)
    return image if turn is None else image.transpose(turn)
