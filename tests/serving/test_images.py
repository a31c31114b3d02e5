"""Drawn examples and overlays, pixel by pixel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from melanet.datasets import make_lesions
from melanet.serving._images import draw_examples, draw_overlay


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_examples_are_drawn_lesions_of_alternate_classes():
    examples = draw_examples()
    assert [label for label, _ in examples] == ["benign", "malignant"] * 3
    drawn = [pixels(data) for _, data in examples]
    assert {image.shape for image in drawn} == {(192, 192, 3)}
    assert len({image.tobytes() for image in drawn}) == 6
    X, y = make_lesions(3, weights=(0, 1), image_size=192, difficulty=0.2, random_state=0)
    assert (y == 1).all()
    np.testing.assert_array_equal(drawn[1::2], X)
    assert draw_examples() == examples


def overlaid(image, heatmap):
    head, _, data = draw_overlay(image, np.asarray(heatmap, "float32")).partition(",")
    assert head == "data:image/png;base64"
    return pixels(base64.b64decode(data))


def test_a_heat_map_is_enlarged_to_the_image():
    image = np.full((6, 9, 3), 100, "uint8")
    shown = overlaid(image, [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert shown.shape == image.shape
    np.testing.assert_array_equal(shown[:, :3], image[:, :3])  # shows through
    # Six tenths of red over four of the image.
    np.testing.assert_array_equal(shown[:, -1], np.tile([193, 40, 40], (6, 1)))


@pytest.mark.parametrize("level", [1.0, 1.0000001])
def test_values_that_rounding_took_out_of_range_are_clipped(level):
    image = Image.new("RGB", (4, 4), (0, 0, 0))
    shown = overlaid(image, np.full((2, 2), level))
    assert (shown == [153, 0, 0]).all()
