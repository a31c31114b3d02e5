"""Tests of the pretrained network: the same maps as Keras' own VGG16, and where it is found."""

import hashlib

import keras
import numpy as np
import pytest

from melanet.features import find_features
from melanet.features._networks import VGG16_FILE


@pytest.fixture(scope="module")
def vgg16():
    keras.utils.set_random_seed(0)
    return keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))


@pytest.fixture(scope="module")
def weights_file(vgg16, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "models" / VGG16_FILE
    path.parent.mkdir()
    vgg16.save(path)
    return path


def keras_maps(vgg16, images):
    """Maps of the three layers by Keras' own network and preprocessing."""
    names = ("block2_conv2", "block3_conv3", "block4_conv3")
    model = keras.Model(vgg16.input, [vgg16.get_layer(name).output for name in names])
    pixels = (images + 1) * 127.5
    return model.predict_on_batch(keras.applications.vgg16.preprocess_input(pixels.copy()))


def images_of(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def close(a, b):
    return np.abs(a - b).max() <= 1e-3 * np.abs(b).max()


def test_maps_are_those_of_keras_vgg16(vgg16, weights_file):
    network, images = find_features(weights_file, (64, 64, 3)), images_of((3, 64, 64, 3))
    maps = network.maps(images)
    assert all(close(a, b) for a, b in zip(maps, keras_maps(vgg16, images), strict=True))
    averages = np.concatenate([m.mean(axis=(1, 2)) for m in maps], axis=1)
    np.testing.assert_allclose(network.pooled(images), averages, rtol=1e-5)
    assert network.sha256 == hashlib.sha256(weights_file.read_bytes()).hexdigest()


def test_large_images_are_averaged_down(vgg16, weights_file):
    large = images_of((2, 128, 128, 3))
    small = large.reshape(2, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    maps = find_features(weights_file, (128, 128, 3)).maps(large)
    assert all(close(a, b) for a, b in zip(maps, keras_maps(vgg16, small), strict=True))
    whole = find_features(weights_file, (128, 128, 3), side=128).maps(large)
    assert [m.shape[1] for m in whole] == [2 * m.shape[1] for m in maps]


def test_grey_images_are_repeated_in_three_channels(vgg16, weights_file):
    grey = images_of((2, 64, 64, 1))
    maps = find_features(weights_file, (64, 64, 1)).maps(grey)
    expected = keras_maps(vgg16, grey.repeat(3, axis=-1))
    assert all(close(a, b) for a, b in zip(maps, expected, strict=True))


def test_auto_looks_into_keras_cache_and_downloads_nothing(weights_file, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    monkeypatch.setenv("KERAS_HOME", str(weights_file.parent.parent))
    assert find_features("auto", (32, 32, 3)).name == "vgg16"
    assert find_features("auto", (32, 32, 4)) is None
    monkeypatch.setenv("KERAS_HOME", str(weights_file.parent))
    assert find_features("auto", (32, 32, 3)) is None
    assert find_features(None, (32, 32, 3)) is None


def test_a_failing_download_names_the_remedies(monkeypatch):
    def fail(*args, **kwargs):
        raise Exception("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(OSError, match="no route to host.*features=path"):
        find_features("imagenet", (32, 32, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no weights at all", "features must name"), (None, "does not exist")],
)
def test_files_that_are_no_weights_are_refused(tmp_path, content, message):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_features(path, (32, 32, 3))


def test_images_of_four_channels_need_a_model(weights_file):
    with pytest.raises(ValueError, match="1 or 3 channels"):
        find_features(weights_file, (32, 32, 4))


def test_a_users_model_serves_as_features():
    inputs = keras.Input((32, 32, 2))
    model = keras.Model(inputs, keras.layers.Conv2D(5, 3, strides=2)(inputs))
    network, images = find_features(model, (32, 32, 2)), images_of((3, 32, 32, 2))
    np.testing.assert_allclose(network.maps(images)[0], model.predict_on_batch(images), rtol=1e-5)
    with pytest.raises(ValueError, match=r"\(16, 16, 2\)"):
        find_features(model, (16, 16, 2))
    vector = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match="maps of shape"):
        find_features(vector, (32, 32, 2))
