import numpy as np
import pytest
from PIL import Image

from melanet.preprocessing import EncodedImages, PictureFiles, read_form


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), "uint8")


@pytest.fixture(scope="module")
def files(tmp_path_factory, pixels):
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{i}.png" for i in range(len(pixels))]
    for path, image in zip(paths, pixels):
        Image.fromarray(image).save(path)
    return PictureFiles(paths, (4, 6))


@pytest.fixture(params=["encoded", "files", "array"])
def source(request, pixels, files):
    form = read_form(pixels)
    return {
        "encoded": EncodedImages(form, pixels),
        "files": files,
        "array": form.encode(pixels),
    }[request.param]


@pytest.mark.parametrize(
    "rows", [[3, 1, 1], np.array([4, 0]), slice(1, 4), slice(None), [], np.zeros(0, int)]
)
def test_every_source_returns_the_rows_in_range(source, pixels, rows):
    assert len(source) == len(pixels)
    assert source.shape == pixels.shape
    samples = source[rows]
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, pixels[rows] / 127.5 - 1, atol=1e-6)


def test_files_may_be_read_with_any_number_of_threads(files):
    for n_jobs in (None, 1, 3):
        np.testing.assert_array_equal(files.read((2, 0), n_jobs=n_jobs), files[[2, 0]])


def test_unreadable_files_are_listed(tmp_path):
    files = PictureFiles([tmp_path / "a.png", tmp_path / "b.png"], 8)
    with pytest.raises(ValueError, match=r"2 of 2 images cannot be read: .*a\.png.*b\.png"):
        files[:]


def test_a_subset_is_a_source_of_its_own(files):
    subset = files.subset(np.array([3, 1]))
    assert subset.shape == (2, 4, 6, 3)
    np.testing.assert_array_equal(subset[:], files[[3, 1]])
