import keras
import numpy as np
import pytest

from melanet.gan.losses import (
    LinearDecayAdam,
    PrecomputedLoss,
    absolute_error,
    adam,
    discriminator_losses,
    squared_error,
)


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


def test_linear_decay_reaches_zero_at_the_end():
    def rates(optimizer):
        for step in (0, 50, 100, 101):
            optimizer.iterations.assign(step)
            yield float(optimizer.learning_rate)

    assert list(rates(adam(1e-3, decay_steps=100))) == pytest.approx([1e-3, 5e-4, 0, 0])
    assert list(rates(adam(1e-3))) == pytest.approx([1e-3] * 4)
    config = adam(1e-3, decay_steps=100).get_config()
    again = LinearDecayAdam.from_config(config)
    assert list(rates(again)) == pytest.approx([1e-3, 5e-4, 0, 0])
    assert (config["decay_steps"], config["beta_1"]) == (100, 0.5)


def test_a_decaying_step_is_that_of_keras_schedule():
    x = keras.Variable(np.ones(3, "float32"))
    y = keras.Variable(np.ones(3, "float32"))
    schedule = keras.optimizers.schedules.PolynomialDecay(1e-2, 5, end_learning_rate=0.0)
    ours, theirs = adam(1e-2, decay_steps=5), keras.optimizers.Adam(schedule, beta_1=0.5)
    for i in range(6):
        gradient = keras.ops.convert_to_tensor(np.arange(3, dtype="float32") - i / 4)
        ours.apply([gradient], [x])
        theirs.apply([gradient], [y])
        np.testing.assert_allclose(numpy_of(x), numpy_of(y), rtol=1e-6)


def test_errors_are_means_per_sample():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 4, 5, 2)).astype("float32")
    np.testing.assert_allclose(
        numpy_of(squared_error(x, 1.0)), [((s - 1) ** 2).mean() for s in x], rtol=1e-5
    )
    np.testing.assert_allclose(
        numpy_of(absolute_error(x, y)), [np.abs(a - b).mean() for a, b in zip(x, y)], rtol=1e-5
    )
    total = np.array([1.0, 2.0, 6.0], "float32")
    assert float(PrecomputedLoss()(total, total)) == pytest.approx(3.0)


def test_discriminator_losses_agree_with_numpy():
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    discriminator.set_weights([np.array([[1.0], [0.0]]), np.array([0.0])])
    real, fake = (
        np.array([[0.9, 5], [0.2, 5]], "float32"),
        np.array([[0.7, 5], [0.1, 5]], "float32"),
    )
    adversarial, loss, accuracy = (
        numpy_of(x)
        for x in discriminator_losses(discriminator, real, keras.ops.convert_to_tensor(fake), True)
    )
    np.testing.assert_allclose(adversarial, [0.3**2, 0.9**2], rtol=1e-5)
    np.testing.assert_allclose(loss, [0.1**2 + 0.7**2, 0.8**2 + 0.1**2], rtol=1e-5)
    np.testing.assert_allclose(accuracy, [0.5, 0.5])
