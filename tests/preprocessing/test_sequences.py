"""Sequences of arrays and of PIL images."""

import numpy as np
import pytest
from PIL import Image

from melanet.preprocessing import append_samples, as_numbers, same_kind

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), "uint8")


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("1", (5, 6), "bool"),
        ("L", (5, 6), "uint8"),
        ("LA", (5, 6, 2), "uint8"),
        ("RGB", (5, 6, 3), "uint8"),
        ("RGBA", (5, 6, 4), "uint8"),
        ("CMYK", (5, 6, 4), "uint8"),
        ("I;16", (5, 6), "uint16"),
        ("I", (5, 6), "int32"),
        ("F", (5, 6), "float32"),
    ],
)
def test_images_come_back_in_their_mode(mode, shape, dtype):
    rng = np.random.default_rng(0)
    images = [Image.new(mode, (6, 5)) for _ in range(2)]
    assert as_numbers(images).shape == (2, *shape)
    assert as_numbers(images).dtype == dtype
    values = rng.integers(0, 2 if mode == "1" else 200, (3, *shape)).astype(dtype)
    result = append_samples(images, values, np.zeros(3, int))
    assert result[0] is images[0]
    assert result[1] is images[1]
    assert [image.mode for image in result] == [mode] * 5
    np.testing.assert_array_equal([np.asarray(image) for image in result[2:]], values)


def test_arrays_keep_their_dtype_and_byte_order():
    X = [picture.astype(">u2") for picture in PIXELS]
    result = same_kind(X, PIXELS)
    assert isinstance(result, list)
    assert {picture.dtype.str for picture in result} == {">u2"}
    np.testing.assert_array_equal(result, PIXELS)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([PIXELS[0], PIXELS[1] / 255], "array of float64, an array of uint8"),
        ([Image.new("L", (3, 3)), Image.new("RGB", (3, 3))], "mode L, a PIL image of mode RGB"),
        ([Image.new("L", (3, 3)), np.zeros((3, 3), "uint8")], "PIL image of mode L, an array"),
        ([Image.new("P", (3, 3))], "mode P, whose pixels are indices"),
        (Image.new("L", (3, 3)), "put a single one into a list"),
        (np.ma.masked_equal(PIXELS, PIXELS.max()), r"masked array.*Received: \d+ masked"),
        ([np.ma.masked_equal(PIXELS[0], PIXELS[0, 0, 0, 0])], "masked array"),
    ],
)
def test_samples_that_would_be_mixed_or_misread_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        as_numbers(X)
