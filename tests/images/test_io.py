import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from melanet.datasets import load_images, make_lesions
from melanet.images import check_size


@pytest.fixture
def save(tmp_path):
    def save(picture, name="picture.png", **options):
        path = tmp_path / name
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        picture.save(path, **options)
        return str(path)

    return save


@pytest.fixture(scope="module")
def lesion():
    return make_lesions(1, image_size=(96, 128), random_state=0)[0][0]


def test_a_pixel_is_the_mean_of_its_area(save, lesion):
    found = load_images([save(lesion)], (24, 32))
    wanted = lesion.reshape(24, 4, 32, 4, 3).mean(axis=(1, 3))
    assert found.shape == (1, 24, 32, 3)
    assert found.dtype == np.uint8
    assert np.abs(found[0] - wanted).max() <= 1  # rounded twice, once for each axis


def test_size_is_kept_in_order_and_order_in_any_number_of_threads(save, tmp_path):
    X, _ = make_lesions(12, image_size=16, random_state=0)
    paths = [save(x, f"{i}.png") for i, x in enumerate(X)]
    for n_jobs in (None, -1, 1, 3):
        np.testing.assert_array_equal(load_images(paths, 16, n_jobs=n_jobs), X)
    np.testing.assert_array_equal(load_images(map(os.path.abspath, paths), 16), X)
    np.testing.assert_array_equal(load_images([tmp_path / "3.png"], 16), X[3:4])
    assert load_images([], (8, 9)).shape == (0, 8, 9, 3)


def test_growing_interpolates(save):
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[:, 1] = 200
    row = load_images([save(picture)], 8)[0, 0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert len(set(row.tolist())) > 2  # not the nearest neighbour's two values


def test_large_jpegs_decoded_at_less_differ_little(save):
    lesion = make_lesions(1, image_size=(768, 1024), random_state=0)[0][0]
    path = save(lesion, "large.jpg", quality=92)
    with Image.open(path) as whole:
        wanted = np.asarray(whole).reshape(64, 12, 64, 16, 3).mean(axis=(1, 3))
    difference = np.abs(load_images([path], 64)[0] - wanted)
    assert difference.mean() < 0.5
    assert difference.max() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_pictures_are_turned_as_their_exif_says(save, orientation, name):
    picture = np.full((64, 128, 3), 90, np.uint8)
    picture[:16, :32] = 250  # a bright corner, top left of what is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = load_images([save(picture, name, exif=exif)], (40, 40))[0, ..., 0] > 170
    corner = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }
    y, x = corner[orientation]
    assert found[-y, -x]
    assert not found[y - 1, x - 1]
    assert found[-y].sum() == 10
    assert found[:, -x].sum() == 10


def test_modes_become_rgb(save, lesion):
    rgb = Image.fromarray(lesion)
    grey = np.asarray(rgb.convert("L"))
    wanted = np.repeat(grey[..., None], 3, axis=-1)

    def load(path):
        return load_images([path], (96, 128))[0].astype(int)

    np.testing.assert_array_equal(load(save(rgb.convert("L"))), wanted)
    np.testing.assert_array_equal(load(save(grey.astype(np.uint16) * 257, "16.png")), wanted)
    np.testing.assert_array_equal(load(save(grey.astype(np.uint16) * 257, "16.tif")), wanted)
    np.testing.assert_array_equal(load(save(rgb.convert("LA"), "la.png")), wanted)
    np.testing.assert_array_equal(load(save(rgb, "rgb.webp", lossless=True)), lesion)
    np.testing.assert_array_equal(
        load(save(rgb.convert("1"))), 255 * np.stack([rgb.convert("1")] * 3, -1)
    )
    palette = rgb.convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(load(save(palette)), np.asarray(palette.convert("RGB")))
    assert np.abs(load(save(rgb.convert("CMYK"), "cmyk.tif")) - lesion).max() <= 2
    assert np.abs(load(save(rgb.convert("CMYK"), "cmyk.jpg", quality=95)) - lesion).mean() < 4
    # Compressed: Pillow before 13 cannot read a plain one, its own included.
    compressed = save(rgb.convert("YCbCr"), "y.tif", compression="tiff_lzw")
    assert np.abs(load(compressed) - lesion).max() <= 4


def test_transparent_parts_become_white(save):
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 0] = 100
    picture[:4, :, 3] = 255
    found = load_images([save(picture)], 8)[0]
    assert (found[:4] == (100, 0, 0)).all()
    assert (found[4:] == 255).all()
    index = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 2).convert("P")
    index.putpalette([10, 20, 30, 40, 50, 60])
    found = load_images([save(index, transparency=0)], 8)[0]
    assert found[0, 0].tolist() == [255] * 3
    assert found[0, 1].tolist() == [40, 50, 60]


def test_telephones_jpeg_with_a_preview_is_its_first_picture(save, lesion):
    first, preview = Image.fromarray(lesion), Image.new("RGB", (8, 8))
    path = save(first, "phone.jpg", format="MPO", save_all=True, append_images=[preview])
    assert np.abs(load_images([path], (96, 128))[0].astype(int) - lesion).mean() < 4


def bomb_png(path):
    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    head = (50_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def bad_pictures(folder, save, lesion):
    """Return file name -> words of what must be said of it."""
    whole = Path(save(lesion, "whole.jpg")).read_bytes()
    files = {
        "cut.jpg": whole[:-500],
        "cut_early.jpg": whole[:300],
        "head.jpg": whole[:12],
        "empty.jpg": b"",
        "text.jpg": b"benign",
        "page.png": b"<html>",
        "torn.png": Path(save(lesion, "whole.png")).read_bytes()[:-2000],
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    bomb_png(folder / "bomb.png")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    save(frames[0], "moving.gif", save_all=True, append_images=frames[1:])
    save(frames[0], "pages.tif", save_all=True, append_images=frames[1:])
    save(Image.fromarray(np.ones((8, 8), np.float32)), "float.tif")
    save(Image.fromarray(np.ones((8, 8), np.int32)), "int32.tif")
    return dict.fromkeys(files, "") | {
        "missing.jpg": "No such file",
        "text.jpg": "not an image",
        "cut.jpg": "truncated",
        "folder.jpg": "",
        "bomb.png": "MAX_IMAGE_PIXELS",
        "moving.gif": "2 frames",
        "pages.tif": "2 frames",
        "float.tif": "mode F",
        "int32.tif": "mode I",
    }


def test_all_bad_files_are_named_at_once(tmp_path, save, lesion):
    bad = bad_pictures(tmp_path, save, lesion)
    good = [tmp_path / "whole.jpg", tmp_path / "whole.png"]
    paths = [good[0], *(tmp_path / name for name in bad), good[1]]
    before = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    with pytest.raises(ValueError, match=f"{len(bad)} of {len(bad) + 2} images") as caught:
        load_images(paths, 16)
    for name, words in bad.items():
        assert f"{tmp_path / name} ({words}" in str(caught.value) or (
            f"{tmp_path / name} (" in str(caught.value) and words in str(caught.value)
        )
    assert "whole" not in str(caught.value)
    assert "leave them out" in str(caught.value)
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
    assert load_images(good, 16).shape == (2, 16, 16, 3)


MEMORY = """
import resource, sys
from melanet.datasets import load_images

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

load_images([sys.argv[1]] * 4, 32, n_jobs=2)
first = peak()
load_images([sys.argv[1]] * 30, 32, n_jobs=2)
print((peak() - first) / 1024)
"""


def test_memory_is_that_of_a_picture_a_thread(save):
    pytest.importorskip("resource")
    path = save(np.zeros((2000, 1500, 3), np.uint8))  # 9 MB decoded
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 40  # MiB (or KiB, on macOS); 30 pictures have 257


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"paths": "one.jpg"}, "put a single path into a list"),
        ({"paths": [3]}, "paths must contain str or path-like objects. Received: 3"),
        ({"paths": [], "size": 0}, "size must be a positive integer"),
        ({"paths": [], "size": 2.5}, "Received: size=2.5"),
        ({"paths": [], "size": (3, 4, 5)}, "size must be"),
        ({"paths": [], "size": True}, "size must be"),
        ({"paths": [], "n_jobs": 0}, "n_jobs must be"),
        ({"paths": [], "n_jobs": -2}, "n_jobs must be"),
    ],
)
def test_wrong_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_images(**arguments)


def test_sizes_become_height_and_width():
    for size in (7, np.int64(7), (7, 7), [7, np.uint8(7)], np.array([7, 7])):
        found = check_size(size)
        assert found == (7, 7)
        assert all(type(side) is int for side in found)


@pytest.mark.parametrize("size", [True, (True, 8), "64", None, 8.0, (8, 8.0), (8, 4), 4, (8,), -8])
def test_wrong_sizes_are_named(size):
    with pytest.raises(ValueError, match="image_size must be an integer of at least 8") as caught:
        check_size(size, "image_size", least=8)
    assert str(caught.value).endswith(f"Received: image_size={size!r}")
