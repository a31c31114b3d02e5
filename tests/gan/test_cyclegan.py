import copy
import pickle
import random
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

from melanet import CycleGAN, UnpairedImages
from melanet.gan._cyclegan import predict_in_batches
from melanet.gan.losses import adam
from melanet.images import Augmentation
from melanet.utils import reproducible


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sets(rng):
    return (
        rng.uniform(-1, 0, (7, 8, 8, 1)).astype("float32"),
        rng.uniform(0, 1, (5, 8, 8, 1)).astype("float32"),
    )


def tiny(shape=(8, 8, 1), eager=True, **options):
    model = CycleGAN.from_shape(shape, filters=4, discriminator_filters=4, **options)
    model.compile(run_eagerly=eager)  # a few steps take a third of the time of tracing one
    return model


def as_numpy(tensors):
    return [keras.ops.convert_to_numpy(t) for t in tensors]


@pytest.mark.parametrize("identity_weight", [0.5, 0.0])
def test_gradients_are_those_of_two_separate_losses_with_frozen_discriminators(
    sets, identity_weight
):
    """Compare an SGD step of `fit` with textbook gradients from tapes on parts of the model."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the reference gradients are taken by TensorFlow's tape")
    import tensorflow as tf

    a, b = sets[0][:2], sets[1][:2]
    model = tiny(adversarial_weight=1.5, cycle_weight=7.0, identity_weight=identity_weight)
    g_ab, g_ba = model.generator_ab, model.generator_ba
    d_a, d_b = model.discriminator_a, model.discriminator_b

    def mse(x, y):
        return tf.reduce_mean((x - y) ** 2)

    def mae(x, y):
        return tf.reduce_mean(tf.abs(x - y))

    with tf.GradientTape() as tape:
        generators = (
            1.5 * (mse(d_b(g_ab(a)), 1.0) + mse(d_a(g_ba(b)), 1.0))
            + 7.0 * (mae(g_ba(g_ab(a)), a) + mae(g_ab(g_ba(b)), b))
            + identity_weight * (mae(g_ab(b), b) + mae(g_ba(a), a))
        )
    generator_weights = g_ab.trainable_variables + g_ba.trainable_variables
    expected = tape.gradient(generators, [w.value for w in generator_weights])
    fake_a, fake_b = as_numpy([g_ba(b), g_ab(a)])
    with tf.GradientTape() as tape:
        discriminators = (
            mse(d_a(a), 1.0) + mse(d_a(fake_a), 0.0) + mse(d_b(b), 1.0) + mse(d_b(fake_b), 0.0)
        )
    discriminator_weights = d_a.trainable_variables + d_b.trainable_variables
    expected += tape.gradient(discriminators, [w.value for w in discriminator_weights])

    weights = generator_weights + discriminator_weights
    assert len(weights) == len(model.trainable_variables)
    before = as_numpy(weights)
    rate = 1.0
    # One of the two is traced.
    eager = identity_weight == 0
    model.compile(optimizer=keras.optimizers.SGD(rate), run_eagerly=eager)
    history = model.fit(UnpairedImages(a, b, batch_size=2, seed=0), epochs=1, verbose=0).history
    for old, new, gradient in zip(before, as_numpy(weights), as_numpy(expected), strict=True):
        scale = max(np.abs(gradient).max(), 1e-2)  # float32 rounds the weights
        np.testing.assert_allclose((old - new) / rate / scale, gradient / scale, atol=2e-4)
    assert history["loss"][0] == pytest.approx(float(generators + discriminators), rel=1e-5)
    assert history["discriminator_loss"][0] == pytest.approx(float(discriminators), rel=1e-5)


def test_history_agrees_with_numpy(sets):
    a, b = sets[0][:3], sets[1][:3]
    model = tiny()
    g_ab, g_ba, d_a, d_b = (
        lambda x, net=net: np.asarray(net.predict(x, verbose=0), "float64")
        for net in (
            model.generator_ab,
            model.generator_ba,
            model.discriminator_a,
            model.discriminator_b,
        )
    )
    fake_a, fake_b = g_ba(b), g_ab(a)
    real, fake = [d_a(a), d_b(b)], [d_a(fake_a), d_b(fake_b)]
    expected = {
        "discriminator_loss": sum(((s - 1) ** 2).mean() for s in real)
        + sum((s**2).mean() for s in fake),
        "discriminator_accuracy": np.mean(
            [(s > 0.5).mean() for s in real] + [(s <= 0.5).mean() for s in fake]
        ),
        "adversarial_loss": sum(((s - 1) ** 2).mean() for s in fake),
        "cycle_loss": np.abs(g_ba(fake_b) - a).mean() + np.abs(g_ab(fake_a) - b).mean(),
        "identity_loss": np.abs(g_ba(a) - a).mean() + np.abs(g_ab(b) - b).mean(),
    }
    expected["loss"] = (
        expected["discriminator_loss"]
        + expected["adversarial_loss"]
        + 10 * expected["cycle_loss"]
        + expected["identity_loss"]
    )
    history = model.fit(UnpairedImages(a, b, batch_size=3), verbose=0).history
    assert set(history) == set(expected)
    for name, value in expected.items():
        assert history[name][0] == pytest.approx(value, rel=1e-4), name


def test_defaults_are_the_papers():
    model = tiny()
    assert float(model.optimizer.learning_rate) == pytest.approx(2e-4)
    assert model.optimizer.beta_1 == 0.5
    assert (model.adversarial_weight, model.cycle_weight, model.identity_weight) == (1, 10, 1)


def test_training_learns_to_brighten(rng):
    dark = rng.uniform(-0.9, -0.5, (12, 8, 8, 1))
    bright = rng.uniform(0.5, 0.9, (9, 8, 8, 1))
    model = tiny()
    model.compile(optimizer=adam(2e-3))
    model.fit(UnpairedImages(dark, bright, batch_size=3, steps=150), verbose=0)
    assert model.translate(dark, to="B").mean() > 0.3
    assert model.translate(bright, to="A").mean() < -0.3


@pytest.mark.parametrize(
    ("shape", "options", "eager"),
    [((8, 8, 1), {}, True), ((9, 13, 3), {"generator": "resnet"}, True), ((5,), {}, False)],
)
def test_file_round_trip_keeps_outputs_optimizer_and_training(tmp_path, rng, shape, options, eager):
    A, B = (rng.uniform(-1, 1, (4, *shape)).astype("float32") for _ in range(2))
    model = tiny(shape, eager, cycle_weight=5.0, **options)
    model.fit(UnpairedImages(A, B, batch_size=2), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.translate(A), again.translate(A))
    np.testing.assert_array_equal(model.translate(B, to="A"), again.translate(B, to="A"))
    assert again.cycle_weight == 5.0
    with reproducible():
        histories = [
            m.fit(UnpairedImages(A, B, batch_size=2, seed=1), verbose=0).history["loss"]
            for m in (model, again)
        ]
    assert histories[0] == pytest.approx(histories[1], rel=1e-5)
    assert again.optimizer.iterations == model.optimizer.iterations == 4


def test_a_model_without_an_optimizer_state_is_read_in_silence(tmp_path, sets):
    model = tiny()
    assert not model.optimizer.built
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = [keras.models.load_model(tmp_path / "model.keras"), copy.deepcopy(model)]
        again.append(pickle.loads(pickle.dumps(model)))
    for other in again:
        np.testing.assert_array_equal(model.translate(sets[0]), other.translate(sets[0]))


def test_translate_is_the_generator_in_batches(sets):
    model = tiny()
    expected = as_numpy([model.generator_ab(sets[0])])[0]
    np.testing.assert_allclose(model.translate(sets[0], batch_size=3), expected, atol=1e-6)
    assert model.translate(sets[0][:0]).shape == (0, 8, 8, 1)


def test_translate_checks_its_arguments(sets):
    model = tiny()
    with pytest.raises(ValueError, match="to must be"):
        model.translate(sets[0], to="C")
    with pytest.raises(ValueError, match=r"shape \(n, 8, 8, 1\)"):
        model.translate(sets[0][:, :7])
    for wrong in (sets[0] * 255, sets[0] * np.nan):
        with pytest.raises(ValueError, match=r"must lie in \[-1, 1\]"):
            model.translate(wrong)
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        model.translate(sets[0], batch_size=0)


def test_bfloat16_trains_like_float32_and_returns_float32(sets):
    histories = []
    for policy in ("float32", "mixed_bfloat16"):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            model = tiny()
        finally:
            keras.config.set_dtype_policy(before)
        batches = UnpairedImages(*sets, batch_size=2, steps=4)
        histories.append(model.fit(batches, epochs=2, verbose=0).history["loss"])
        assert all(w.dtype == "float32" for w in model.trainable_variables)
    assert model.translate(sets[0]).dtype == "float32"
    assert histories[1] == pytest.approx(histories[0], rel=0.05)
    assert histories[1] != histories[0]


def test_unknown_generator_is_named():
    with pytest.raises(ValueError, match="Received: generator='transformer'"):
        CycleGAN.from_shape((8, 8, 1), generator="transformer")


def test_training_is_reproducible_and_keeps_global_random_states(sets):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the test is of the global generator
    keras.utils.clear_session()  # Keras 3.9 keeps its global generator when the seed is set
    keras.utils.set_random_seed(1)
    expected = keras.ops.convert_to_numpy(keras.random.normal((3,)))
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    outputs = []
    with reproducible():
        for _ in range(2):
            model = tiny(seed=4)
            batches = UnpairedImages(
                *sets, batch_size=2, seed=4, flip="horizontal", augment=Augmentation()
            )
            model.fit(batches, epochs=2, verbose=0)
            outputs.append(model.translate(sets[0]))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    drawn = keras.ops.convert_to_numpy(keras.random.normal((3,)))
    np.testing.assert_array_equal(drawn, expected)


def test_from_pretrained_reads_files_and_reports_bad_ones(tmp_path, sets):
    model = tiny()
    assert CycleGAN.from_pretrained(model) is model
    path = tmp_path / "model.keras"
    model.save(path)
    again = CycleGAN.from_pretrained(str(path))
    np.testing.assert_array_equal(model.translate(sets[0]), again.translate(sets[0]))
    with pytest.raises(FileNotFoundError, match="missing.keras"):
        CycleGAN.from_pretrained(tmp_path / "missing.keras")
    (tmp_path / "cut.keras").write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="cut.keras"):
        CycleGAN.from_pretrained(tmp_path / "cut.keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="other.keras"):
        CycleGAN.from_pretrained(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="Received: 3"):
        CycleGAN.from_pretrained(3)


@pytest.fixture(scope="module")
def halving():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))


@pytest.mark.parametrize("n", [0, 1, 4, 5, 9])
def test_prediction_in_batches_keeps_the_order(halving, n):
    x = np.arange(3.0 * n, dtype="float32").reshape(n, 3)
    y = predict_in_batches(halving, x, 4)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x / 2)


def test_networks_on_two_devices_predict_each_sample_once_and_train_by_adam():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute takes the TensorFlow backend")
    script = """
import numpy as np, keras, tensorflow as tf
from melanet import CycleGAN, UnpairedImages
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    gan = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))
from melanet.gan._cyclegan import predict_in_batches
x = np.arange(15, dtype="float32").reshape(5, 3)
np.testing.assert_array_equal(predict_in_batches(model, x, 2), x / 2)
before = gan.get_weights()
images = np.linspace(-1, 1, 256).reshape(4, 8, 8, 1)
gan.fit(UnpairedImages(images, -images, batch_size=2, steps=1), verbose=0)
assert gan.optimizer.variables[0] == 1 and len(gan.optimizer.variables) > 2
assert all(np.isfinite(w).all() for w in gan.get_weights())
assert any((a != b).any() for a, b in zip(before, gan.get_weights()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_translate_validates_samples():
    inputs = keras.Input((3,))
    model = CycleGAN(keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs)), None, None, None)
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_array_equal(model.translate(x), x.astype("float32") / 2)
    assert model.translate(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"x must have the shape \(n, 3\).*Received: \(2, 2\)"):
        model.translate(x[:, :2])
    for wrong in (x * 255, x * np.nan):
        with pytest.raises(ValueError, match=r"x must lie in \[-1, 1\]"):
            model.translate(wrong)
