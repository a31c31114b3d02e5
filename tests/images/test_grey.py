import numpy as np
import pytest
from PIL import Image

from melanet.images import Depth, count_channels, read_pictures


def write(folder, pictures):
    paths = [str(folder / f"{i:03d}.png") for i in range(len(pictures))]
    for picture, path in zip(pictures, paths):
        picture.save(path)
    return paths


@pytest.fixture
def grey():
    """Return a grey picture in each form in which files have it."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16), "uint8")
    plain = Image.fromarray(pixels)
    deep = Image.fromarray(pixels.astype("uint16") * 257)
    return [plain, plain.convert("RGB"), plain.convert("LA"), deep, plain.convert("1")]


def test_grey_files_need_one_channel_however_they_store_it(grey, tmp_path):
    paths = write(tmp_path, grey)
    assert [count_channels([path], 8) for path in paths] == [1] * len(paths)
    plain, colour, *_ = (read_pictures([path], (8, 8), None, Depth(1)) for path in paths)
    one = read_pictures(paths[:2], (8, 8), None, Depth(2), channels=1)
    assert one.shape == (2, 8, 8, 1)
    np.testing.assert_array_equal(one[0], plain[0][..., :1])
    np.testing.assert_array_equal(one[1], colour[0][..., 2:])


@pytest.mark.parametrize("place", [0, 70])
def test_one_picture_in_colour_is_enough_for_three(grey, tmp_path, place):
    pixels = np.array(grey[1])
    pixels[:4, :4, 0] ^= 8  # a faint mark
    pictures = [grey[i % 2] for i in range(70)]
    pictures.insert(place, Image.fromarray(pixels))
    assert count_channels(write(tmp_path, pictures), (10, 8)) == 3


def test_files_that_cannot_be_read_are_left_to_the_reader(grey, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert count_channels([str(broken), *write(tmp_path, grey), "nowhere.png"], 8) == 1
