"""Networks: topology, seeds, scaling, weights files."""

import random

import keras
import numpy as np
import pytest

from melanet.classifier import _backbones
from melanet.classifier._grad_cam import last_convolution
from melanet.utils import _keras


def test_vgg16_is_the_papers():
    model = _backbones.build("vgg16", (32, 32), channels=1, n_classes=2)
    assert model.count_params() == 14_714_688 + 2 * 512 + 2
    names = [layer.name for layer in model.layers]
    convolutions = [
        f"block{b}_conv{c}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for c in range(1, n + 1)
    ]
    assert [name for name in names if "conv" in name] == convolutions
    assert last_convolution(model).name == "block5_conv3"
    assert model.input_shape == (None, 32, 32, 3)
    assert not any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    assert model.layers[-1].input.shape == (None, 512)
    assert all(layer.trainable for layer in model.layers)


@pytest.mark.parametrize("name", ["mobilenetv2", "small"])
def test_initial_weights_depend_on_the_seed_alone(name):
    state = random.getstate()
    kernels = []
    for seed in (0, 0, 1):
        with _keras.keras_scope(seed):
            kernels.append(_backbones.build(name, (32, 32), 3, 2).get_weights())
    assert random.getstate() == state
    for a, b in zip(kernels[0], kernels[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(kernels[0], kernels[2], strict=True))


@pytest.mark.parametrize(("name", "expected"), [("mobilenetv2", (-1, 1)), ("small", (-1, 1))])
def test_images_are_scaled_for_the_backbone(name, expected):
    model = _backbones.build(name, (32, 32), 3, 2)
    scaling = next(x for x in model.layers if isinstance(x, keras.layers.Rescaling))
    images = np.stack([np.zeros((1, 1, 3)), np.ones((1, 1, 3))])
    scaled = keras.ops.convert_to_numpy(scaling(images))
    assert (scaled.min(), scaled.max()) == expected


def test_densenet_normalises_by_imagenets_mean_and_deviation():
    scale, offset = _backbones._KERAS["densenet121"][1]
    images = np.random.default_rng(0).random((2, 4, 4, 3))
    expected = keras.applications.densenet.preprocess_input(
        images * 255, data_format="channels_last"
    )
    np.testing.assert_allclose(images * scale + offset, expected, atol=1e-5)


def test_the_small_network_ends_at_most_eight_pixels_wide():
    for size in (8, 16, 64, 100, 256):
        maps = last_convolution(_backbones.build("small", (size, size), 3, 2)).output
        assert 5 <= maps.shape[1] <= 8


def test_weights_are_loaded_from_a_file(tmp_path):
    model = _backbones.build("small", (16, 16), 3, 2)
    base = keras.Model(model.inputs[0], last_convolution(model).output)
    base.save_weights(tmp_path / "base.weights.h5")
    again = _backbones.build("small", (16, 16), 3, 4, weights=tmp_path / "base.weights.h5")
    for a, b in zip(base.get_weights(), again.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="must name a file with the weights of small"):
        _backbones.build("small", (16, 16), 1, 2, weights=tmp_path / "base.weights.h5")
    (tmp_path / "text.weights.h5").write_text("no weights")
    with pytest.raises(ValueError, match=r"must name a file .* neither HDF5 nor .keras"):
        _backbones.build("small", (16, 16), 3, 2, weights=tmp_path / "text.weights.h5")
    with pytest.raises(FileNotFoundError, match="backbone_weights"):
        _backbones.build("small", (16, 16), 3, 2, weights=tmp_path / "none.h5")


def test_a_failed_download_says_what_to_do(monkeypatch):
    def offline(**options):
        assert options["weights"] == "imagenet"
        raise Exception("URL fetch failure on https://example.org/vgg16_notop.h5: None")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(OSError, match=r"vgg16_notop.h5.*backbone_weights=path") as caught:
        _backbones.build("vgg16", (32, 32), 3, 2, weights="imagenet")
    assert "backbone_weights=None" in str(caught.value)


def test_starts_pretrained():
    assert _backbones.starts_pretrained("vgg16", "imagenet")
    assert _backbones.starts_pretrained("small", "file.weights.h5")
    assert not _backbones.starts_pretrained("small", "imagenet")
    assert not _backbones.starts_pretrained("vgg16", None)


@pytest.mark.parametrize("name", _backbones.NAMES)
def test_networks_take_channels_last_under_either_setting_of_keras(name):
    images = np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")
    answers = []
    before = keras.config.image_data_format()
    for data_format in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(data_format)
        try:
            with _keras.keras_scope(0):
                model = _backbones.build(name, (32, 32), 3, 2)
            assert keras.config.image_data_format() == data_format
            answers.append(keras.ops.convert_to_numpy(model(images)))
        finally:
            keras.config.set_image_data_format(before)
    assert answers[0].shape == (2, 2)
    np.testing.assert_array_equal(*answers)
