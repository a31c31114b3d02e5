"""Grad-CAM against its closed form and against finite differences."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from melanet import MelaNet
from melanet.classifier import _backbones, _grad_cam, grad_cam, overlay
from melanet.classifier._grad_cam import last_convolution
from melanet.images import resize
from melanet.utils import _keras


def _closed_form(model, images, columns):
    """Grad-CAM of global average pooling and one dense layer: alpha_k is w_kc / (h w)."""
    maps = keras.Model(model.inputs[0], last_convolution(model).output)
    maps = keras.ops.convert_to_numpy(maps(images, training=False))
    kernel = model.layers[-1].get_weights()[0]
    alpha = kernel[:, columns].T / maps[0, ..., 0].size
    return np.maximum(np.einsum("nhwk,nk->nhw", maps, alpha), 0)


def test_equals_the_closed_form_if_global_pooling_follows():
    with _keras.keras_scope(0):
        model = _backbones.build("small", (16, 16), 3, 3)
    images = np.random.default_rng(0).random((5, 16, 16, 3), "float32")
    columns = np.array([0, 1, 2, 1, 0])
    heat = grad_cam(model, images, columns)
    assert heat.shape == (5, 8, 8)
    assert heat.max() > 0
    np.testing.assert_allclose(heat, _closed_form(model, images, columns), rtol=1e-4, atol=1e-7)


def test_equals_finite_differences_behind_a_pooling():
    """As in VGG16: the last convolution, max pooling, global average pooling, softmax."""
    with _keras.keras_scope(0):
        inputs = keras.Input((8, 8, 1))
        x = layers.Conv2D(2, 3, activation="softplus", padding="same", name="last")(inputs)
        pooled = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
        model = keras.Model(inputs, layers.Dense(2, activation="softmax")(pooled))
    assert last_convolution(model).name == "last"
    image = np.random.default_rng(1).random((1, 8, 8, 1), "float32")
    maps = keras.ops.convert_to_numpy(keras.Model(inputs, x)(image))[0].astype("float64")
    kernel = model.layers[-1].get_weights()[0].astype("float64")

    def score(maps, column):
        blocks = maps.reshape(4, 2, 4, 2, 2).max(axis=(1, 3))
        return blocks.mean(axis=(0, 1)) @ kernel[:, column]

    step = 1e-6
    for column in (0, 1):
        gradient = np.zeros_like(maps)
        for place in np.ndindex(maps.shape):
            moved = maps.copy()
            moved[place] += step
            gradient[place] = (score(moved, column) - score(maps, column)) / step
        expected = np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
        heat = grad_cam(model, image, np.array([column]))[0]
        np.testing.assert_allclose(heat, expected, rtol=1e-3, atol=1e-6)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 100, (24, 20, 24, 3), dtype="uint8")
    y = np.arange(24) % 2
    X[y == 1, 12:18, 12:18] = 250
    model = MelaNet(backbone="small", input_size=16, epochs=10, batch_size=8, random_state=0)
    return model.fit(X, y), X, y


def test_explain_returns_maps_and_overlays_at_the_images_size(fitted):
    model, X, _ = fitted
    maps, overlays = model.explain(X, label=1, return_overlay=True)
    assert maps.shape == (24, 20, 24)
    assert overlays.shape == (24, 20, 24, 3)
    assert overlays.dtype == np.uint8
    assert maps.min() >= 0
    peaks = maps.max(axis=(1, 2))
    assert set(peaks.tolist()) <= {0.0, 1.0}
    expected = overlay(X, maps).astype(int)
    assert abs(overlays - expected).max() <= 1
    # Each map belongs to its image: the network's resolution, enlarged.
    inputs = resize(X[:3].astype("float32") / 255, (16, 16))
    heat = _closed_form(model.model_, inputs, np.ones(3, int))
    heat = resize(heat[..., None].astype("float32"), (20, 24))[..., 0]
    peak = heat.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps[:3], heat / np.where(peak > 0, peak, 1), atol=1e-4)


def test_the_predicted_class_is_explained_by_default(fitted):
    model, X, _ = fitted
    maps = model.explain(X)
    predicted = model.predict(X)
    assert len(set(predicted.tolist())) == 2
    for label in (0, 1):
        of_label = model.explain(X, label=label)
        np.testing.assert_allclose(
            maps[predicted == label], of_label[predicted == label], atol=1e-5
        )
    assert abs(model.explain(X, label=0) - model.explain(X, label=1)).max() > 0.1


def test_overlay_leaves_pixels_of_zero_heat_unchanged():
    images = np.full((1, 2, 2, 3), 200, "uint8")
    blended = overlay(images, np.array([[[0.0, 0.0], [1.0, 0.5]]]))
    assert (blended[0, 0] == 200).all()
    assert blended[0, 1, 0].tolist() == [233, 80, 80]  # 40 % of 200, and 60 % of red


@pytest.mark.parametrize(
    ("images", "heatmaps", "message"),
    [
        (np.ones((1, 1, 2, 3)), np.zeros((1, 1, 2)), "images must be RGB pixels.*float64"),
        (np.ones((1, 1, 2, 3), "uint8"), np.full((1, 1, 2), 1.5), "heatmaps must.*from 1.5"),
        (np.ones((1, 1, 2, 3), "uint8"), np.full((1, 1, 2), np.nan), "heatmaps must"),
    ],
)
def test_overlay_refuses_other_scales(images, heatmaps, message):
    with pytest.raises(ValueError, match=message):
        overlay(images, heatmaps)


def test_model_halves_are_cached_and_released_with_the_model():
    model = _backbones.build("small", (16, 16), channels=1, n_classes=2)
    images = np.zeros((1, 16, 16, 1), "float32")
    grad_cam(model, images, np.array([0]))
    first = [id(half) for half in _grad_cam._HALVES[model]]
    grad_cam(model, images, np.array([1]))
    assert [id(half) for half in _grad_cam._HALVES[model]] == first
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None
