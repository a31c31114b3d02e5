"""Files of every depth and layout against arithmetic on the samples that were written."""

import io
import struct

import numpy as np
import pytest
from picture_files import STORED, png, tiff, turned, with_exif
from PIL import Image, TiffImagePlugin

from melanet.datasets import load_images
from melanet.images import displayed_size, open_picture, read_picture, verify_picture

SIZE = (6, 9)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def read(data, size=SIZE):
    return np.asarray(read_picture(io.BytesIO(data), size)).astype(int)


def assert_reads(data, wanted, tolerance=1):
    """Check a file against RGB or grey values from 0 to 255."""
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, -1)
    np.testing.assert_allclose(read(data, wanted.shape[:2]), wanted, atol=tolerance)
    verify_picture(io.BytesIO(data))


def assert_refuses(data, words):
    """Check that reading and verifying refuse a file for one reason, which says what to do."""
    for use in (lambda file: read_picture(file, SIZE), verify_picture):
        with pytest.raises((ValueError, Image.UnidentifiedImageError), match=words) as caught:
            use(io.BytesIO(data))
        assert "with 8 or 16 bits" in str(caught.value) or "export" in str(caught.value)


def on_white(values, alpha):
    return values * alpha[..., None] + 255 * (1 - alpha[..., None])


def samples(rng, bits, channels=None):
    shape = SIZE if channels is None else (*SIZE, channels)
    return rng.integers(0, 2**bits, shape), 2**bits - 1


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("fill", [1, 2])
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_grey_tiffs_are_positives(rng, bits, order, fill, compress):
    grey, white = samples(rng, bits)
    for photometric, wanted in [(1, grey * 255 / white), (0, 255 - grey * 255 / white)]:
        data = tiff(grey, bits, photometric, order=order, fill=fill, compress=compress)
        pillow_lacks = (
            (bits == 12 and (photometric == 0 or order == "big" or fill == 2))
            or (bits == 16 and order == "big" and (photometric == 0 or fill == 2))
            or (bits == 16 and photometric == 0 and fill == 2)
            or (bits == 8 and photometric == 0 and fill == 2 and not compress)
        )
        if pillow_lacks:
            assert_refuses(data, "Pillow (does not read|cannot decode)")
        else:
            assert_reads(data, wanted)


def test_a_tiff_that_does_not_say_what_0_is_is_refused(rng):
    for bits in (1, 8, 16):
        assert_refuses(tiff(samples(rng, bits)[0], bits, None), "whether 0 is black or white")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_16_bits_and_of_8(rng, bits):
    index, largest = samples(rng, bits)
    palette = rng.integers(0, 256, (largest + 1, 3))
    palette[0, 0] = 255  # a palette of dark colours alone could be either
    for scale in (257, 1):
        colours = (320, 3, (palette.T * scale).ravel().tolist())
        assert_reads(tiff(index, bits, 3, tags=[colours]), palette[index])
    alpha = rng.integers(0, 256, largest + 1)
    data = png(
        index,
        bits,
        3,
        palette=palette.astype(np.uint8).tobytes(),
        transparency=alpha.astype(np.uint8).tobytes(),
    )
    assert_reads(data, on_white(palette[index], alpha[index] / 255))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_a_png_is_white(rng, bits):
    grey, white = samples(rng, bits)
    grey[0, 0] = transparent = white // 3
    data = png(grey, bits, 0, transparency=struct.pack(">H", transparent))
    assert_reads(data, np.where(grey == transparent, 255, grey * 255 / white))


def test_a_transparent_colour_of_a_png_is_white_or_refused(rng):
    colour, white = samples(rng, 8, 3)
    data = png(colour, 8, 2, transparency=struct.pack(">HHH", *colour[0, 0]))
    equal = (colour == colour[0, 0]).all(axis=-1, keepdims=True)
    assert_reads(data, np.where(equal, 255, colour))
    colour, white = samples(rng, 16, 3)
    assert_reads(png(colour, 16, 2), colour * 255 / white)
    data = png(colour, 16, 2, transparency=struct.pack(">HHH", *colour[0, 0]))
    assert_refuses(data, "a transparent colour of 16 bits")


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [8, 16])
def test_colour_and_alpha_of_pngs_and_tiffs(rng, bits, order):
    values, white = samples(rng, bits, 4)
    rgb, alpha = values[..., :3] * 255 / white, values[..., 3] / white
    assert_reads(png(values, bits, 6), on_white(rgb, alpha), 2)
    assert_reads(png(values[..., 2:], bits, 4), on_white(rgb[..., 2:], alpha).repeat(3, -1), 2)

    def extra(kind):
        return {"order": order, "tags": [(338, 3, [kind])]}

    assert_reads(tiff(values[..., :3], bits, 2, order=order), rgb)
    assert_reads(tiff(values, bits, 2, **extra(2)), on_white(rgb, alpha), 2)
    assert_reads(tiff(values, bits, 2, **extra(0)), rgb)
    premultiplied = np.minimum(values, values[..., 3:])
    data = tiff(premultiplied, bits, 2, **extra(1))
    clear = 255 * (1 - alpha)[..., None]
    assert_reads(data, premultiplied[..., :3] * 255 / white + clear, 3)


def test_premultiplied_grey_is_not_multiplied_again():
    grey, alpha = np.full(SIZE, 60), np.full(SIZE, 120)
    data = tiff(np.stack([grey, alpha], -1), 8, 1, tags=[(338, 3, [1])])
    if (b"II", 1, (1,), 1, (8, 8), (1,)) in TiffImagePlugin.OPEN_INFO:  # Pillow 11 and later
        assert_reads(data, grey + 255 - alpha)
    else:
        assert_refuses(data, "Pillow does not read")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_planes_are_read_or_refused(rng, bits, compress):
    values, white = samples(rng, bits, 4)
    options = {"planar": 2, "compress": compress}
    data = tiff(values[..., :3], bits, 2, **options)
    if bits == 16 and not compress:
        assert_refuses(data, "channels one after another")
    else:
        assert_reads(data, values[..., :3] * 255 / white)
    for kind in (0, 1, 2):
        data = tiff(values, bits, 2, tags=[(338, 3, [kind])], **options)
        assert_refuses(data, "channels one after another|Pillow does not read")
    data = tiff(values[..., :2], bits, 1, tags=[(338, 3, [2])], **options)
    assert_refuses(data, "channels one after another|Pillow does not read")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_single_plane_is_read_or_refused(rng, bits):
    grey, white = samples(rng, bits)
    for photometric, wanted in [(1, grey * 255 / white), (0, 255 - grey * 255 / white)]:
        assert_reads(tiff(grey, bits, photometric, planar=2, compress=True), wanted)
        data = tiff(grey, bits, photometric, planar=2)
        if bits == 8 and photometric == 1:
            assert_reads(data, wanted)
        else:
            assert_refuses(data, "channels one after another")
        reversed_bits = tiff(grey, bits, photometric, planar=2, fill=2)
        assert_refuses(reversed_bits, "channels one after another|Pillow does not read")


@pytest.mark.parametrize(
    ("bits", "kind", "words"),
    [
        (8, 2, "signed integers of 8 bits"),
        (16, 2, "signed integers of 16 bits"),
        (32, 2, "signed integers of 32 bits"),
        (32, 1, "mode I, integers of 32 bits"),
        (32, 3, "floating-point numbers"),
        (16, 3, "a TIFF that is damaged, or of a kind that Pillow does not read"),
        (64, 3, "a TIFF that is damaged, or of a kind that Pillow does not read"),
    ],
)
@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_without_a_range_are_refused(bits, kind, words, order):
    values = np.ones(SIZE, float if kind == 3 else int)
    if (bits, kind, order) == (32, 1, "big"):
        words = "Pillow does not read"
    assert_refuses(tiff(values, bits, 1, order=order, tags=[(339, 3, [kind])]), words)


def test_a_reduced_copy_is_not_taken_for_the_photograph(rng):
    data = tiff(samples(rng, 8, 3)[0], 8, 2, tags=[(254, 4, [1])])
    assert_refuses(data, "reduced copy; export the full image")


@pytest.mark.parametrize("maximum", [1, 15, 100, 255, 1000, 4095, 65535])
def test_netpbm_files_are_scaled_by_their_maximum(rng, maximum):
    width_height = f"{SIZE[1]} {SIZE[0]}\n{maximum}\n"
    for channels, binary, text in [(None, "P5", "P2"), (3, "P6", "P3")]:
        values = rng.integers(0, maximum + 1, SIZE if channels is None else (*SIZE, channels))
        raw = values.astype(">u2" if maximum > 255 else "u1").tobytes()
        wanted = values * 255 / maximum
        assert_reads(f"{binary}\n{width_height}".encode() + raw, wanted)
        words = " ".join(map(str, values.ravel()))
        assert_reads(f"{text}\n{width_height}{words}\n".encode(), wanted)
    bits = rng.integers(0, 2, SIZE)
    packed = np.packbits(bits, axis=1).tobytes()
    assert_reads(f"P4\n{SIZE[1]} {SIZE[0]}\n".encode() + packed, 255 * (1 - bits))
    assert_refuses(saved(Image.fromarray(np.ones(SIZE, "float32")), "PPM"), "mode F")


def test_16_bits_of_other_formats(rng):
    grey, white = samples(rng, 16)
    image = Image.fromarray(grey.astype(np.uint16))
    assert_reads(saved(image, "JPEG2000"), grey * 255 / white)
    assert_reads(saved(image.convert("I"), "PPM"), grey * 255 / white)
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                   16",
        "NAXIS   =                    2",
        f"NAXIS1  = {SIZE[1]:20}",
        f"NAXIS2  = {SIZE[0]:20}",
        "END",
    ]
    fits = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    fits += grey.astype(">u2").tobytes().ljust(2880, b"\0")
    assert_refuses(fits, "FITS's values in mode I;16 is not known")


def test_inks_are_inverted_only_as_adobe_writes_them():
    inks = np.zeros((16, 16, 4))
    inks[..., 0], inks[..., 3] = 200, 30
    wanted = 255 * (1 - inks[..., :3] / 255) * (1 - inks[..., 3:] / 255)
    jpeg = saved(Image.fromarray(inks.astype(np.uint8), "CMYK"), "JPEG", quality=100)
    assert_reads(jpeg, wanted, 3)
    assert jpeg[2:4] == b"\xff\xee"  # Adobe's marker is the first segment
    assert jpeg[6:11] == b"Adobe"
    plain = jpeg[:2] + jpeg[4 + int.from_bytes(jpeg[4:6], "big") :]
    stored = 255 - inks  # Pillow wrote inverted inks, which nothing in this file says
    wanted = 255 * (1 - stored[..., :3] / 255) * (1 - stored[..., 3:] / 255)
    assert_reads(plain, wanted, 3)
    assert_reads(tiff(inks.astype(int), 8, 5), 255 * (1 - inks[..., :3] / 255) * (225 / 255))


def lab_to_srgb(lightness, a, b):
    """Convert CIE L*a*b* under D50 to sRGB in [0, 255], by the formulas of CIE and IEC."""
    y = (lightness + 16) / 116
    ratios = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    knee = 6 / 29
    linear = np.where(ratios > knee, ratios**3, 3 * knee**2 * (ratios - 4 / 29))
    to_rgb = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    light = np.clip(linear * (0.9642, 1, 0.8249) @ np.transpose(to_rgb), 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_cielab(rng):
    lightness = rng.integers(80, 200, SIZE)
    a, b = rng.integers(-30, 30, (2, *SIZE))
    data = tiff(np.stack([lightness, a % 256, b % 256], -1), 8, 8)
    assert_reads(data, lab_to_srgb(lightness / 2.55, a, b), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_beside_damaged_metadata(orientation):
    shown = np.zeros((16, 24, 3), np.uint8)
    shown[:3, :5] = (250, 120, 40)
    stored = np.ascontiguousarray(STORED[orientation](shown))
    image = Image.fromarray(stored)
    jpeg = saved(image, "JPEG", quality=100, subsampling=0)
    files = {
        "JPEG": with_exif(jpeg, turned(orientation)),
        "PNG": png(stored, 8, 2, exif=turned(orientation, "big")),
        "WEBP": saved(image, "WEBP", lossless=True, exif=b"Exif\0\0" + turned(orientation)),
    }
    for data in files.values():
        assert_reads(data, shown, 3)
        with open_picture(io.BytesIO(data)) as opened:
            assert displayed_size(opened) == (16, 24)
    unit = (296, 2, [*b"ab\0"])
    for compress in (False, True):
        tags = [(274, 3, [orientation]), unit]
        assert_reads(tiff(stored, 8, 2, tags=tags, compress=compress), shown)
        grey = stored[..., 0].astype(int) * 257
        assert_reads(tiff(grey, 16, 0, tags=tags, compress=compress), 255 - shown[..., 0])


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\0",
        b"garbage, no TIFF",
        turned(6)[:-20],
        turned(0),
        turned(9),
        turned(6).replace(b"\x12\x01\x03\0", b"\x12\x01\x02\0"),  # the orientation is text
    ],
)
def test_an_orientation_that_says_nothing_leaves_the_pixels(block):
    image = Image.new("RGB", (24, 16))
    image.paste((250, 120, 40), (0, 0, 8, 8))
    jpeg = saved(image, "JPEG", quality=100, subsampling=0)
    np.testing.assert_array_equal(read(with_exif(jpeg, block), (16, 24)), read(jpeg, (16, 24)))


def test_files_that_pillow_cannot_identify_are_named(tmp_path):
    heads = {
        "a TIFF that is damaged": b"II*\0" + bytes(30),
        "a BigTIFF that is damaged": b"II+\0" + bytes(30),
        "a JPEG that is damaged": b"\xff\xd8\xff\xe0" + bytes(30),
        "a DICOM file that is damaged": bytes(128) + b"DICM" + bytes(30),
        "not an image": b"benign",
    }
    for words, data in heads.items():
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(ValueError, match=words):
            load_images([tmp_path / "file"], 8)
