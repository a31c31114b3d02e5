import copy
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


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("sampling_strategy", {"melanoma": 12}, {"melanoma": 12}),
        ("sampling_strategy", {np.int64(1): np.int64(12)}, {1: 12}),
        ("random_state", np.int64(4), 4),
        ("learning_rate", np.float32(0.5), 0.5),
        ("image_shape", np.array([8, 8]), [8, 8]),
    ],
)
def test_parameters_survive(tmp_path, fitted, name, value, expected):
    sampler = copy.copy(fitted[0]).set_params(**{name: value})
    sampler.save(tmp_path / "new" / "sampler.melanet")
    again = GANOversampler.load(tmp_path / "new" / "sampler.melanet")
    assert again.get_params()[name] == expected


def test_what_cannot_be_written_is_said(tmp_path, fitted):
    sampler = copy.copy(fitted[0]).set_params(sampling_strategy=lambda y: {})
    with pytest.warns(UserWarning, match="sampling_strategy=.* is left out"):
        sampler.save(tmp_path / "sampler.melanet")


def test_the_file_holds_no_pickle_and_no_images(tmp_path, fitted):
    sampler, X = fitted
    sampler.save(tmp_path / "sampler.melanet")
    with zipfile.ZipFile(tmp_path / "sampler.melanet") as archive:
        assert sorted(archive.namelist()) == ["card.json", "model-0.keras"]
        json.loads(archive.read("card.json"))
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
            archive.writestr("card.json", "{}")
    with pytest.raises(ValueError, match="path must name a file that GANOversampler.save wrote"):
        GANOversampler.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        GANOversampler.load(tmp_path / "nowhere")
