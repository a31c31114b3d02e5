"""A picture of any layout is read as its samples say, or refused by name."""

import io
import struct

import numpy as np
from hypothesis import strategies as st
from picture_files import STORED, png, tiff, turned, with_exif
from PIL import Image
from properties import for_all, in_process

from melanet.images import read_picture, verify_picture
from melanet.serving._uploads import Limits, RequestError, decode_image

_CHANNELS = {"grey": 1, "grey+alpha": 2, "palette": 1, "rgb": 3, "rgba": 4, "rgbx": 4, "cmyk": 4}
_REMEDIES = ("with 8 or 16 bits", "export the full image", "save one of them")


def displayed(samples, layout, white, palette, white_is_zero=False):
    """Return the RGB in [0, 255] that samples stand for, by plain arithmetic."""
    if layout == "palette":
        return palette[samples[..., 0]].astype(float)
    values = samples / white
    if layout == "cmyk":
        return 255 * (1 - values[..., :3]) * (1 - values[..., 3:])
    grey = layout.startswith("grey")
    colour = np.repeat(values[..., :1], 3, axis=-1) if grey else values[..., :3]
    colour = 1 - colour if white_is_zero else colour
    alpha = values[..., -1:] if layout in ("grey+alpha", "rgba") else 1
    return 255 * (colour * alpha + 1 - alpha)


def as_png(samples, layout, bits, palette, transparent, block):
    kind = {"grey": 0, "rgb": 2, "palette": 3, "grey+alpha": 4, "rgba": 6}[layout]
    key = struct.pack(f">{samples.shape[-1]}H", *samples[0, 0]) if transparent else None
    colours = palette.astype(np.uint8).tobytes() if layout == "palette" else None
    return png(samples, bits, kind, palette=colours, transparency=key, exif=block)


def as_tiff(samples, layout, bits, palette, white_is_zero, turn, options):
    kind = {"grey": 1, "grey+alpha": 1, "palette": 3, "cmyk": 5}.get(layout, 2)
    extra = {"grey+alpha": 2, "rgba": 2, "rgbx": 0}.get(layout)
    tags = [(274, 3, [turn])]
    if extra is not None:
        tags.append((338, 3, [extra]))
    if layout == "palette":
        tags.append((320, 3, (palette.T * 257).ravel().tolist()))
    return tiff(samples, bits, 0 if white_is_zero else kind, tags=tags, **options)


def read_or_refused(read, data):
    """Return an image as an array, or the message that refuses the file."""
    try:
        return np.asarray(read(io.BytesIO(data))).astype(float)
    except (ValueError, Image.UnidentifiedImageError, RequestError) as error:
        message = str(error)
    assert any(words in message for words in _REMEDIES), message
    return message


def decoded_or_error(data):
    """Return an upload as an image, or the error that answers it."""
    try:
        return decode_image(io.BytesIO(data), [(16, 24)], Limits())[0]
    except RequestError as error:
        return error


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**31)


@in_process
def test_pngs(n_examples):
    @for_all(
        n_examples,
        size=sizes,
        layout=st.sampled_from(["grey", "grey+alpha", "palette", "rgb", "rgba"]),
        bits=st.sampled_from([1, 2, 4, 8, 16]),
        transparent=st.booleans(),
        orientation=st.integers(1, 8),
        seed=seeds,
    )
    def check(size, layout, bits, transparent, orientation, seed):
        bits = max(bits, 8) if layout not in ("grey", "palette") else bits
        bits = min(bits, 8) if layout == "palette" else bits
        transparent = transparent and layout in ("grey", "rgb")
        rng, white = np.random.default_rng(seed), 2**bits - 1
        samples = rng.integers(0, white + 1, (*size, _CHANNELS[layout]))
        palette = rng.integers(0, 256, (2 ** min(bits, 8), 3))
        stored = STORED[orientation](samples)
        wanted = displayed(samples, layout, white, palette)
        if transparent:
            wanted[(samples == stored[0, 0]).all(axis=-1)] = 255
        data = as_png(stored, layout, bits, palette, transparent, turned(orientation, "big"))
        found = read_or_refused(lambda file: read_picture(file, size), data)
        uploaded = read_or_refused(lambda file: decode_image(file, [size], Limits())[0], data)
        if layout == "rgb" and bits == 16 and transparent:
            assert "a transparent colour of 16 bits" in found
            assert "a transparent colour of 16 bits" in uploaded
        else:
            np.testing.assert_allclose(found, wanted, atol=2)
            np.testing.assert_array_equal(uploaded, found)
            verify_picture(io.BytesIO(data))


@in_process
def test_tiffs(n_examples):
    @for_all(
        n_examples,
        size=sizes,
        layout=st.sampled_from(sorted(_CHANNELS)),
        bits=st.sampled_from([1, 2, 4, 8, 12, 16]),
        white_is_zero=st.booleans(),
        orientation=st.integers(1, 8),
        order=st.sampled_from(["little", "big"]),
        compress=st.booleans(),
        planar=st.sampled_from([1, 1, 2]),
        fill=st.sampled_from([1, 1, 2]),
        seed=seeds,
    )
    def check(size, layout, bits, white_is_zero, orientation, order, compress, planar, fill, seed):
        white_is_zero = white_is_zero and layout.startswith("grey")
        rng, white = np.random.default_rng(seed), 2**bits - 1
        samples = rng.integers(0, white + 1, (*size, _CHANNELS[layout]))
        palette = rng.integers(0, 256, (2**bits, 3))
        options = {"order": order, "compress": compress, "planar": planar, "fill": fill}
        stored = STORED[orientation](samples)
        data = as_tiff(stored, layout, bits, palette, white_is_zero, orientation, options)
        found = read_or_refused(lambda file: read_picture(file, size), data)
        usual = fill == planar == 1 and (
            (layout in ("grey", "palette") and bits <= 8)
            or (layout == "grey" and bits == 16 and (order == "little" or not white_is_zero))
            or (layout in ("rgb", "rgba") and bits in (8, 16))
        )
        if usual or not isinstance(found, str):
            wanted = displayed(samples, layout, white, palette, white_is_zero)
            np.testing.assert_allclose(found, wanted, atol=2)


@in_process
def test_damaged_uploads_are_read_or_refused(n_examples):
    image = Image.fromarray(
        np.arange(16 * 24 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 24, 3)
    )
    files = []
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"):
        file = io.BytesIO()
        image.save(file, kind)
        files.append(file.getvalue())
    files.append(with_exif(files[0], turned(6)))

    @for_all(
        n_examples,
        data=st.sampled_from(files),
        position=st.floats(0, 1, exclude_max=True),
        value=st.integers(0, 255),
        cut=st.booleans(),
    )
    def check(data, position, value, cut):
        at = int(position * len(data))
        damaged = data[:at] if cut else data[:at] + bytes([value]) + data[at + 1 :]
        found = decoded_or_error(damaged)
        if isinstance(found, RequestError):
            assert found.message.endswith(".")
            assert found.status in (413, 415, 422)
        else:
            assert (found.mode, found.size) == ("RGB", (24, 16))
