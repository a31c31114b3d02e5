import json
import zipfile

import numpy as np
import pytest

from melanet import GANOversampler


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (14, 8, 8)).astype("uint8")
    y = np.array(["naevus"] * 9 + ["melanoma"] * 5)
    sampler = GANOversampler(
        steps=2, generator="unet", reject=False, random_state=3, value_range=(0, 255)
    )
    sampler.fit_resample(X, y)
    return sampler, X


def test_a_saved_sampler_answers_the_same(tmp_path, fitted):
    sampler, X = fitted
    path = tmp_path / "sampler.melanet"
    sampler.save(path)
    again = GANOversampler.load(path)
    np.testing.assert_array_equal(sampler.translate(X, "melanoma"), again.translate(X, "melanoma"))
    assert again.sampling_strategy_ == sampler.sampling_strategy_
    assert again.history_ == sampler.history_
    assert again.recipe_ == sampler.recipe_
    assert again.get_params()["random_state"] == 3
    np.testing.assert_array_equal(again.source_indices_, sampler.source_indices_)
    np.testing.assert_array_equal(again.source_kind_, sampler.source_kind_)
    assert [p.name for p in tmp_path.iterdir()] == ["sampler.melanet"]


def test_the_file_holds_no_pickle_and_no_images(tmp_path, fitted):
    sampler, X = fitted
    sampler.save(tmp_path / "sampler.melanet")
    with zipfile.ZipFile(tmp_path / "sampler.melanet") as archive:
        assert sorted(archive.namelist()) == ["cyclegan-0.keras", "sampler.json"]
        json.loads(archive.read("sampler.json"))
    content = (tmp_path / "sampler.melanet").read_bytes()
    assert X[0].tobytes() not in content


@pytest.mark.parametrize("damage", ["torn", "text", "other zip"])
def test_what_is_no_saved_sampler_is_refused(tmp_path, fitted, damage):
    path = tmp_path / "sampler.melanet"
    fitted[0].save(path)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-400])
    elif damage == "text":
        path.write_text("hello")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("sampler.json", "{}")
    with pytest.raises(ValueError, match="path must name a file that GANOversampler.save wrote"):
        GANOversampler.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        GANOversampler.load(tmp_path / "nowhere")
