import subprocess
import sys

import keras
import numpy as np
import pytest

from melanet.inference import checked, predict_in_parts


@pytest.fixture(scope="module")
def halving():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))


@pytest.mark.parametrize("n", [0, 1, 4, 5, 9])
def test_every_sample_is_answered_in_its_place(halving, n):
    x = np.arange(3.0 * n, dtype="float32").reshape(n, 3)
    made = predict_in_parts(halving, x, 4)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, x / 2)


def test_a_network_on_two_devices_answers_each_sample_once():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute takes the TensorFlow backend")
    script = """
import numpy as np, keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))
from melanet.inference import checked, predict_in_parts
x = np.arange(15, dtype="float32").reshape(5, 3)
np.testing.assert_array_equal(predict_in_parts(model, x, 2), x / 2)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_samples_are_checked_before_a_network_gets_them():
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_array_equal(checked(x, (3,)), x.astype("float32"))
    assert checked(np.zeros((0, 3)), (3,)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"x must have the shape \(n, 3\).*Received: \(2, 2\)"):
        checked(x[:, :2], (3,))
    for wrong in (x * 255, x * np.nan):
        with pytest.raises(ValueError, match=r"x must lie in \[-1, 1\]"):
            checked(wrong, (3,))
