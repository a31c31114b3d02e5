"""Keras models in a comparison: images, all kinds of outputs, and the epochs that were given."""

import keras
import numpy as np
import pytest
from keras.wrappers import SKLearnClassifier

from melanet import compare

SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def images():
    """Dark images, and fewer bright ones."""
    rng = np.random.default_rng(0)
    y = np.repeat(["dark", "light"], [36, 18])
    means = np.where(y == "dark", 90, 165)[:, None, None, None]
    return np.clip(rng.normal(means, 40, (54, *SHAPE)), 0, 255).astype("uint8"), y


def network(units, loss, X=None, y=None):
    activation = "sigmoid" if units == 1 else "softmax"
    layers = [
        keras.Input(SHAPE),
        keras.layers.Rescaling(1 / 127.5, -1),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(units, activation),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss=loss)
    return model


def compared(images, model, n_epochs=12, **options):
    estimator = SKLearnClassifier(model, fit_kwargs={"epochs": n_epochs}, **options)
    parts = np.arange(54)[::2], np.arange(54)[1::2]
    remedies = ["nothing", "class weights"]
    return compare(*images, {"m": estimator}, remedies=remedies, cv=[parts], random_state=0)


@pytest.mark.parametrize(
    ("units", "loss"),
    [
        (1, "binary_crossentropy"),
        (2, "categorical_crossentropy"),
        (2, keras.losses.SparseCategoricalCrossentropy()),
    ],
)
def test_models_of_images_learn_with_one_output_or_two(images, units, loss):
    found = compared(images, network(units, loss))
    assert found.notes_ == []
    assert found.results_["n_folds"].tolist() == [1, 1]
    assert (found.results_["auc"] > 0.95).all()


def test_a_function_builds_the_model_with_its_arguments(images):
    options = {"units": 2, "loss": "categorical_crossentropy"}
    found = compared(images, network, model_kwargs=options)
    assert found.notes_ == []
    assert (found.results_["auc"] > 0.95).all()


def test_a_model_is_trained_for_the_epochs_that_are_given(images, monkeypatch):
    seen = []
    fit = keras.Model.fit

    def spied(self, *args, **options):
        seen.append((options["epochs"], options["sample_weight"] is not None))
        return fit(self, *args, **options)

    monkeypatch.setattr(keras.Model, "fit", spied)
    model = network(2, "categorical_crossentropy")
    before = model.get_weights()
    compared(images, model, n_epochs=3)
    assert sorted(seen) == [(3, False), (3, True)]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # copies were trained


def test_models_that_do_not_fit_are_recorded(images):
    found = compared(images, network(3, "categorical_crossentropy"), n_epochs=1)
    assert "for each of the 2 classes" in found.notes_[0]
    plain = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert "must be compiled with a loss" in compared(images, plain, n_epochs=1).notes_[0]
