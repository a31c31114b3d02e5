import keras
import numpy as np
import pytest

from melanet.objectives import adam
from melanet.optimizers import Adam


def trained(optimizer, steps=4, **options):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(steps, 3)), rng.normal(size=(steps, 2))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    model.compile(optimizer=optimizer, loss="mse")
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0, **options)
    return model


@pytest.mark.parametrize(
    "options",
    [
        {"beta_1": 0.5},
        {"amsgrad": True},
        {"clipnorm": 0.1, "weight_decay": 0.1},
        {"gradient_accumulation_steps": 2},
        {"learning_rate": keras.optimizers.schedules.PolynomialDecay(0.1, 4, 0.0)},
    ],
)
def test_updates_are_those_of_keras(options):
    options = {"learning_rate": 0.1, **options}
    # The fused kernel takes 1 - beta_2 in float32, Keras in float64: 1.3e-5 in the velocities.
    ours, keras_own = (trained(kind(**options)) for kind in (Adam, keras.optimizers.Adam))
    for own, expected in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)
    for own, expected in zip(ours.optimizer.variables, keras_own.optimizer.variables, strict=True):
        own, expected = (keras.ops.convert_to_numpy(v) for v in (own, expected))
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)


def test_first_update_is_the_textbooks():
    model = trained(Adam(0.1, beta_1=0.5), steps=1)
    again = trained(keras.optimizers.SGD(0.0), steps=1)
    # The first step of Adam is the rate along the gradient's sign.
    for after, before in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(np.abs(after - before), 0.1, rtol=1e-3)


def test_a_file_keeps_the_optimizer_and_its_state(tmp_path):
    model = trained(adam())
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is Adam
    for own, expected in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(v) for v in (own, expected)))
