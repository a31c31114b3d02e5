import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from melanet.exceptions import ScaleWarning
from melanet.gan import UnpairedFiles
from melanet.images import Depth, load_images
from melanet.over_sampling import BalancedBatches
from melanet.preprocessing import PictureFiles


def radiographs(folder, n, bits=12, kind="png"):
    """Write files of 16 bits whose values use some; return their paths and values."""
    folder.mkdir(exist_ok=True)
    values = np.random.default_rng(0).integers(0, 2**bits, (n, 8, 8), dtype="uint16")
    values[:, 0, 0] = 2**bits - 1
    paths = [str(folder / f"{i}.{kind}") for i in range(n)]
    for path, pixels in zip(paths, values):
        Image.fromarray(pixels).save(path)
    return paths, values


@pytest.mark.parametrize("bits", [10, 12, 14, 15, 16])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_the_warning_names_a_range_that_reads_the_files_rightly(tmp_path, bits, kind):
    paths, values = radiographs(tmp_path, 3, bits, kind)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        X = load_images(paths, 8)
    np.testing.assert_array_equal(X[..., 0], values >> 8)
    high = 2**bits - 1
    if bits == 16:
        assert not caught
    else:
        (warning,) = caught
        assert warning.category is ScaleWarning
        assert f"Files of 16 bits use {bits} of them" in str(warning.message)
        assert f"value_range=(0, {high})" in str(warning.message)
        assert f"--value-range 0,{high} " in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X = load_images(paths, 8, value_range=(0, high))
    np.testing.assert_allclose(X[..., 1], values / high * 255, atol=0.51)


def test_files_that_a_range_does_not_fit_are_refused_by_name(tmp_path):
    paths, _ = radiographs(tmp_path, 2)
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    with pytest.raises(
        ValueError, match=r"value_range=\(0, 100\) must hold its values. Received: .*4095"
    ):
        load_images(paths, 8, value_range=(0, 100))
    with pytest.raises(ValueError, match=r"photo.png \(value_range is for grey images .*mode RGB"):
        load_images([*paths, tmp_path / "photo.png"], 8, value_range=(0, 4095))
    for wrong in ((5, 5), (0,), "ab", (0, np.nan)):
        with pytest.raises(ValueError, match="value_range must be"):
            load_images(paths, 8, value_range=wrong)


def test_files_of_8_bits_and_single_dark_ones_are_no_matter(tmp_path):
    dark, _ = radiographs(tmp_path / "dark", 5, 9)
    bright, _ = radiographs(tmp_path / "bright", 1, 16)
    Image.new("L", (8, 8), 3).save(tmp_path / "dim.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_images([*dark, *bright], 8)
        load_images([tmp_path / "dim.png"], 8)


def test_sets_that_are_read_in_parts_warn_once(tmp_path):
    paths, _ = radiographs(tmp_path, 40)
    labels = ["a"] * 30 + ["b"] * 10
    for read in (
        PictureFiles(paths, 8),
        UnpairedFiles(paths[:30], paths[30:], 8, batch_size=4),
        BalancedBatches(paths, labels, {}, 8, size=8),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if isinstance(read, PictureFiles):
                for i in range(0, 40, 4):
                    read.subset(np.arange(i, i + 4))[:]
            else:
                for _ in range(2):
                    for i in range(len(read)):
                        read[i]
        assert [w.category for w in caught] == [ScaleWarning]
        assert "use 12 of them" in str(caught[0].message)
    given = UnpairedFiles(paths[:30], paths[30:], 8, batch_size=4, value_range=(0, 4095))
    ((a, _),) = given[0]
    assert a.max() == 1


def test_threads_warn_once(tmp_path):
    paths, _ = radiographs(tmp_path, 32)
    files = PictureFiles(paths, 8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=files.read, args=([i],)) for i in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(caught) == 1


def test_colours_of_16_bits_get_another_remedy():
    depth = Depth(1)
    depth.see(16, 4095, grey=False)
    with pytest.warns(ScaleWarning, match="save the files with values that use all bits"):
        depth.check(1)
