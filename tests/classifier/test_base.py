"""A trained MelaNet: predictions for every layout of images, saving and loading."""

import json
import os
import random
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from striped_pictures import pictures, small

from melanet import CycleGAN, MelaNet
from melanet.classifier import _backbones
from melanet.exceptions import ScaleWarning
from melanet.utils import _keras


@pytest.fixture(scope="module")
def fitted():
    X, y = pictures()
    return small(epochs=8).fit(X, y)


def test_it_learns_and_predicts_probabilities(fitted):
    X, y = pictures(seed=1)
    assert fitted.score(X, y) > 0.9
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (48, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert fitted.classes_.tolist() == [0, 1]
    assert set(fitted.history_) == {"loss", "val_loss", "learning_rate"}
    assert fitted.value_range_ == (0, 255)


def test_embedding_is_the_input_of_the_softmax(fitted):
    X, _ = pictures(seed=1)
    features = fitted.embed(X)
    kernel, bias = fitted.model_.layers[-1].get_weights()
    assert features.shape == (len(X), kernel.shape[0])
    scores = np.exp(features @ kernel + bias)
    expected = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize(
    "labels", [["no", "perhaps", "yes"], [False, True], [-3, 7], np.array(["a", "b"], object)]
)
def test_labels_of_any_type_are_returned(labels):
    X, codes = pictures(30, n_classes=len(labels), channels=1)
    y = np.asarray(labels)[codes]
    model = small(epochs=1).fit(X[..., 0], y)
    assert model.classes_.tolist() == sorted(labels)
    prediction = model.predict(X[..., 0])
    assert prediction.dtype == y.dtype
    assert set(prediction.tolist()) <= set(labels)


def test_every_layout_of_the_same_images_gives_the_same_predictions(fitted):
    X, _ = pictures(seed=1)
    expected = fitted.predict_proba(X)
    for same in (X.astype("float64"), X.tolist()):
        np.testing.assert_allclose(fitted.predict_proba(same), expected, atol=1e-6)
    larger = X.repeat(2, axis=1).repeat(2, axis=2)
    assert (fitted.predict(larger) == fitted.predict(X)).all()
    grey = X.mean(axis=-1).astype("uint8")
    repeated = grey[..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(fitted.predict_proba(grey), fitted.predict_proba(repeated))


def test_rows_and_images_are_equivalent(fitted):
    X, y = pictures()
    rows = X.reshape(len(X), -1)
    for shape in ((16, 16, 3), (16, -1, 3)):
        model = small(epochs=1, image_shape=shape).fit(rows, y)
        by_images = small(epochs=1).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(rows), by_images.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="image_shape"):
        small().fit(rows, y)


def test_the_value_range_of_fit_is_kept(fitted):
    X, y = pictures()
    with pytest.raises(ValueError, match=r"received uint8.*Received: float64.*astype\('uint8'\)"):
        fitted.predict(X / 255)
    model = small(epochs=1).fit(X / 255, y)
    assert model.value_range_ == (0, 1)
    with pytest.raises(ValueError, match="outside value_range"):
        model.predict(X)


BEFORE_MOVE = Path(__file__).parents[1] / "data" / "before_move"


def test_one_overshooting_pixel_changes_nothing():
    X, y = pictures()
    unit = (X / 255).astype("float32")
    overshot = unit.copy()
    overshot[0, 0, 0, 0] = 1.06
    plain, model = (small(epochs=1).fit(images, y) for images in (unit.clip(0, 1), overshot))
    assert model.value_range_ == (0, 1)
    assert (model.form_.scale.seen[1], plain.form_.scale.seen[1]) == (np.float32(1.06), unit.max())
    np.testing.assert_allclose(model.predict_proba(unit), plain.predict_proba(unit), atol=0.05)
    np.testing.assert_array_equal(
        model.predict_proba(overshot), model.predict_proba(overshot.clip(0, 1))
    )


@pytest.mark.parametrize("method", ["predict", "predict_proba", "embed", "explain"])
def test_floats_of_another_scale_are_refused_after_loading_too(method, tmp_path):
    X, y = pictures(24)
    model = small(epochs=1).fit(X.astype("float32"), y)
    model.save(tmp_path / "model.melanet")
    for each in (model, MelaNet.load(tmp_path / "model.melanet")):
        with pytest.raises(ValueError, match=r"float32 from \S+ to \d\d.*float64 from \S+ to [01]"):
            getattr(each, method)(X / 255)
        each.set_params(value_range=(0, 255))
        with pytest.warns(ScaleWarning, match=r"float32 from \S+ to \d\d.*float64 from \S+ to"):
            getattr(each, method)(X / 255)


def test_validation_data_must_have_the_scale_and_channels_of_fit():
    X, y = pictures(24)
    with pytest.raises(ValueError, match=r"^validation_data: .*uint8 from .*float64 from 0"):
        small(epochs=1).fit(X, y, validation_data=(X / 255, y))
    with pytest.raises(ValueError, match="validation_data: .*3 channels, as in fit. Received: 2"):
        small(epochs=1).fit(X, y, validation_data=(X[..., :2], y))
    model = small(epochs=1).fit(X, y)
    with pytest.warns(ScaleWarning, match="3 channels, as in fit. Received: 1"):
        model.predict(X[..., :1])


def test_a_file_without_a_form_keeps_its_range():
    model = MelaNet.load(BEFORE_MOVE / "classifier.melanet")
    assert model.form_.value_range == model.value_range_
    height, width, channels = model.model_.input_shape[1:]
    X = np.linspace(0, 1, 2 * height * width * channels).reshape(2, height, width, channels)
    with pytest.warns(ScaleWarning, match=r"\(0, 16\). Received: float64 from 0 to 1"):
        model.predict(X)
    with pytest.raises(ValueError, match="from 0 to 17"):
        model.predict(17 * X)


def test_errors_of_predict_and_explain_name_the_cause(fitted):
    X, _ = pictures(4)
    with pytest.raises(ValueError, match="3 channels"):
        fitted.predict(X[..., :2])
    with pytest.raises(ValueError, match=r"classes_, \[0, 1\]. Received: \[2\]"):
        fitted.explain(X, label=2)


@pytest.fixture(scope="module")
def fitted_digits():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (20, 16, 16), dtype="uint8")
    y = np.array(["benign", "malignant"])[np.arange(20) % 2]
    model = MelaNet(
        backbone="small", input_size=np.int64(16), epochs=1, random_state=0,
        class_weight={"benign": 1.0, "malignant": 2.0}, callbacks=[keras.callbacks.Callback()],
    )  # fmt: skip
    return model.fit(X, y), X


def test_a_loaded_classifier_predicts_the_same(fitted_digits, tmp_path):
    model, X = fitted_digits
    state = random.getstate()
    with pytest.warns(UserWarning, match="callbacks=.* cannot be written") as caught:
        model.save(tmp_path / "new" / "model.melanet")
    assert __file__ in [warning.filename for warning in caught]
    twin = MelaNet.load(tmp_path / "new" / "model.melanet")
    assert random.getstate() == state
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert (twin.predict(X) == model.predict(X)).all()
    assert twin.classes_.dtype == model.classes_.dtype
    assert twin.history_ == model.history_
    params = {**model.get_params(), "callbacks": None}  # the only one that JSON cannot hold
    assert twin.get_params() == params
    with pytest.raises(ValueError, match="as in fit, which received uint8"):
        twin.predict(X / 255)
    assert os.listdir(tmp_path / "new") == ["model.melanet"]


def test_the_file_is_written_atomically(fitted_digits, tmp_path, monkeypatch):
    model, _ = fitted_digits
    path = tmp_path / "model.melanet"
    path.write_text("old content")

    def fail(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(zipfile.ZipFile, "write", fail)
    with pytest.warns(UserWarning, match="callbacks"), pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_text() == "old content"
    assert os.listdir(tmp_path) == ["model.melanet"]


def test_load_rejects_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        MelaNet.load(tmp_path / "none")
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x04no zip")
    with pytest.raises(ValueError, match=r"written by MelaNet\.save"):
        MelaNet.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("card.json", json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match=r"written by MelaNet\.save"):
        MelaNet.load(path)


def test_from_pretrained_reads_a_keras_file(tmp_path):
    with _keras.keras_scope(0):
        network = _backbones.build("small", (16, 24), 3, 2)
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


def test_from_pretrained_takes_a_value_range_and_can_be_saved(tmp_path):
    _backbones.build("small", (16, 16), 3, 2).save(tmp_path / "network.keras")
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


def test_from_pretrained_rejects_other_networks(tmp_path):
    inputs = keras.Input((8, 8, 1))
    keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs)).save(tmp_path / "filter.keras")
    with pytest.raises(ValueError, match="dense softmax"):
        MelaNet.from_pretrained(tmp_path / "filter.keras")
    CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2).save(tmp_path / "gan.keras")
    with pytest.raises(ValueError, match="which holds a CycleGAN"):
        MelaNet.from_pretrained(tmp_path / "gan.keras")
    with pytest.raises(FileNotFoundError):
        MelaNet.from_pretrained(tmp_path / "none.keras")
