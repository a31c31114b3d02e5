"""A fitted MelaNet written and read: files of ours, of Keras, and of neither."""

import json
import os
import random
import zipfile

import keras
import numpy as np
import pytest

from melanet import CycleGAN, backbones
from melanet.classifier import MelaNet


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (20, 16, 16), dtype="uint8")
    y = np.array(["benign", "malignant"])[np.arange(20) % 2]
    model = MelaNet(
        backbone="small", input_size=np.int64(16), epochs=1, random_state=0,
        class_weight={"benign": 1.0, "malignant": 2.0}, callbacks=[keras.callbacks.Callback()],
    )  # fmt: skip
    return model.fit(X, y), X


def test_what_is_loaded_answers_as_before(fitted, tmp_path):
    model, X = fitted
    state = random.getstate()
    with pytest.warns(UserWarning, match="callbacks=.* is left out"):
        model.save(tmp_path / "new" / "model.melanet")
    twin = MelaNet.load(tmp_path / "new" / "model.melanet")
    assert random.getstate() == state
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert (twin.predict(X) == model.predict(X)).all()
    assert twin.classes_.dtype == model.classes_.dtype
    assert twin.history_ == model.history_
    params = {**model.get_params(), "callbacks": None}  # the one that is no plain value
    assert twin.get_params() == params
    with pytest.raises(ValueError, match="fitted on uint8"):
        twin.predict(X / 255)
    assert os.listdir(tmp_path / "new") == ["model.melanet"]


def test_the_file_is_whole_or_not_there(fitted, tmp_path, monkeypatch):
    model, _ = fitted
    path = tmp_path / "model.melanet"
    path.write_text("what was there")

    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(zipfile.ZipFile, "write", fail)
    with pytest.warns(UserWarning, match="callbacks"), pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_text() == "what was there"
    assert os.listdir(tmp_path) == ["model.melanet"]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="names no file"):
        MelaNet.load(tmp_path / "none")
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x04no zip")
    with pytest.raises(ValueError, match=r"MelaNet\.save wrote"):
        MelaNet.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("card.json", json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match=r"MelaNet\.save wrote"):
        MelaNet.load(path)


def test_from_pretrained_takes_a_keras_file(tmp_path):
    with backbones.keras_scope(0):
        network = backbones.build("small", (16, 24), 3, 2)
    network.save(tmp_path / "network.keras")
    model = MelaNet.from_pretrained(tmp_path / "network.keras")
    X = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), dtype="uint8")
    expected = network.predict(X / np.float32(255), verbose=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X / 255), expected, atol=1e-5)
    assert model.input_size == (16, 24)
    assert model.classes_.tolist() == [0, 1]
    named = MelaNet.from_pretrained(tmp_path / "network.keras", classes=["benign", "malignant"])
    expected = np.array(["benign", "malignant"])[expected.argmax(axis=1)]
    assert (named.predict(X) == expected).all()
    assert named.explain(X).shape == (5, 16, 24)
    for classes in (["a"], ["a", "a"], 2):
        with pytest.raises(ValueError, match="2 columns"):
            MelaNet.from_pretrained(tmp_path / "network.keras", classes=classes)


def test_from_pretrained_can_be_saved_and_told_the_range(tmp_path):
    backbones.build("small", (16, 16), 3, 2).save(tmp_path / "network.keras")
    model = MelaNet.from_pretrained(tmp_path / "network.keras", value_range=(0, 510))
    X = np.full((2, 16, 16, 3), 510.0)
    model.save(tmp_path / "model.melanet")
    twin = MelaNet.load(tmp_path / "model.melanet")
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_allclose(
        model.predict_proba(X), model.model_.predict(np.ones_like(X), verbose=0), atol=1e-6
    )
    with pytest.raises(ValueError, match="outside value_range"):
        model.predict(X + 1)


def test_from_pretrained_refuses_what_is_no_classifier(tmp_path):
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs)).save(tmp_path / "filter.keras")
    with pytest.raises(ValueError, match="dense softmax"):
        MelaNet.from_pretrained(tmp_path / "filter.keras")
    CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2).save(tmp_path / "gan.keras")
    with pytest.raises(ValueError, match="which holds a CycleGAN"):
        MelaNet.from_pretrained(tmp_path / "gan.keras")
    with pytest.raises(FileNotFoundError):
        MelaNet.from_pretrained(tmp_path / "none.keras")
