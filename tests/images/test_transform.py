import numpy as np
import pytest
from PIL import Image

from melanet.images import picture_grid, resize, to_rgb


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_rgb_takes_three_channels_or_repeats_the_first(channels):
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, channels)).astype("float32")
    pixels = np.rint((samples + 1) * 127.5)
    chosen = [0, 1, 2] if channels >= 3 else [0, 0, 0]
    found = to_rgb(samples)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels[..., chosen])


def test_rgb_clips_to_the_range():
    samples = np.array([-7.0, -1, 0, 1, 7]).reshape(5, 1, 1, 1)
    assert to_rgb(samples)[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_grid_shows_the_pixels_of_rgb():
    samples = np.random.default_rng(0).uniform(-1.1, 1.1, (2, 4, 5, 2))
    grid = picture_grid([samples], pad=0)
    np.testing.assert_array_equal(grid, np.concatenate(list(to_rgb(samples)), axis=1))


def test_resize_interpolates_and_leaves_equal_sizes_alone():
    images = np.zeros((2, 4, 4, 3), "float32")
    images[:, 2:] = 1
    assert resize(images, (4, 4)) is images
    small = resize(images, (2, 8))
    assert small.shape == (2, 2, 8, 3)
    assert small.dtype == np.float32
    assert (small[:, 0] < 0.2).all()
    assert (small[:, 1] > 0.8).all()


def test_resize_is_anti_aliased_and_keeps_channels_apart():
    images = np.zeros((1, 8, 6, 2), "float32")
    images[:, ::2, :, 0] = 1  # stripes of one pixel, and nothing
    small = resize(images, (4, 3))
    assert small.shape == (1, 4, 3, 2)
    np.testing.assert_allclose(small[0, 1:-1, :, 0], 0.5, atol=0.1)
    assert (small[..., 1] == 0).all()
    assert resize(images, (8, 6)) is images
    picture = np.random.default_rng(0).random((1, 9, 7, 1), "float32")
    expected = Image.fromarray(picture[0, ..., 0]).resize((5, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resize(picture, (4, 5))[0, ..., 0], np.asarray(expected))
