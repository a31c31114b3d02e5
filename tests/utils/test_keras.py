import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from melanet import CycleGAN, UnpairedImages
from melanet.classifier._dataset import LabelledImages
from melanet.gan import networks
from melanet.utils import reproducible, untuned
from melanet.utils._keras import short_traces

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has tf.data and stacks"
)


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (n, 8, 8, 1)).astype("float32") for n in (7, 5)]


class LoggedImages(UnpairedImages):
    """Logs the calls of its epoch methods."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.log = []

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        super().on_epoch_end()
        self.log.append("end")


@tensorflow_only
def test_batches_equal_those_of_the_data_set(sets):
    batches = UnpairedImages(*sets, batch_size=2, seed=3, flip="horizontal")
    served, _ = untuned(batches)
    assert served.options().autotune.enabled is False
    for _ in range(2):
        found = list(served.as_numpy_iterator())
        assert len(found) == len(batches) == len(served)
        for i, ((a, b),) in enumerate(found):
            np.testing.assert_array_equal(a, batches[i][0][0])
            np.testing.assert_array_equal(b, batches[i][0][1])
        batches.on_epoch_end()


@tensorflow_only
def test_the_last_batch_may_be_smaller():
    images = np.arange(5 * 4, dtype="float32").reshape(5, 2, 2, 1)
    batches = LabelledImages(lambda rows: images[rows], np.array([0, 1, 0, 1, 1]), np.ones(2), 2)
    found = list(untuned(batches)[0].as_numpy_iterator())
    assert [len(x) for x, _, _ in found] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([x for x, _, _ in found]), images)


def test_epoch_methods_are_called_before_other_callbacks(sets):
    batches = LoggedImages(*sets)

    class Listener(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            batches.log.append(f"callback begin {epoch}")

        def on_epoch_end(self, epoch, logs=None):
            batches.log.append(f"callback end {epoch}")

    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    model.compile(run_eagerly=True)
    model.fit(batches, epochs=2, callbacks=Listener(), verbose=0)
    ends = [line for line in batches.log if "end" in line]
    # Keras resets a data set before the first epoch by calling on_epoch_end.
    assert ends == ["end", "end", "callback end 0", "end", "callback end 1"]
    assert batches.log.count("begin") == 2


def test_weights_equal_those_of_plain_keras(sets):
    rows = [images.reshape(len(images), -1) for images in sets]  # their networks trace quickly
    weights = []
    for fit in (CycleGAN.fit, keras.Model.fit):
        model = CycleGAN.from_shape((64,), filters=2, discriminator_filters=2)
        with reproducible():
            history = fit(model, UnpairedImages(*rows), epochs=3, shuffle=False, verbose=0)
        weights.append([*model.get_weights(), *history.history["loss"]])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_data_sets_that_keras_reads_itself_are_unchanged(sets):
    for kwargs in ({"workers": 2}, {"workers": 1, "use_multiprocessing": True}):
        batches = UnpairedImages(*sets, **kwargs)
        assert untuned(batches) == (batches, [])
    assert untuned(sets) == (sets, [])


@tensorflow_only
def test_lists_are_not_stacked(sets):
    class Listed(UnpairedImages):
        def __getitem__(self, index):
            ((a, b),) = super().__getitem__(index)
            return ([a, b],)

    ((a, b),) = next(iter(untuned(Listed(*sets, batch_size=2))[0]))
    assert a.shape == b.shape == (2, 8, 8, 1)


def test_errors_of_a_data_set_are_reported(sets):
    class Broken(UnpairedImages):
        def _read(self, samples, rows):
            if self.epoch:
                raise OSError("image 7 is missing")
            return super()._read(samples, rows)

    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    model.compile(run_eagerly=True)
    with pytest.raises(Exception, match="image 7 is missing"):
        model.fit(Broken(*sets), epochs=2, verbose=0)


def test_overlapping_scopes_restore_the_setting_once():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has the setting")
    import tensorflow as tf

    first, second = reproducible(), reproducible()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    options = tf.config.optimizer.get_experimental_options
    assert options()["disable_meta_optimizer"]
    second.__exit__(None, None, None)
    assert not options()["disable_meta_optimizer"]


@pytest.mark.parametrize("before", [True, False])
def test_the_setting_is_restored_after_an_error(before):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow has the setting")
    import tensorflow as tf

    def off():
        return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        with contextlib.suppress(KeyError), reproducible():
            assert off()
            raise KeyError
        assert off() is before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def traced_files(network):
    """Return the files in the stored stacks of a traced network's operations."""
    import tensorflow as tf

    traced = tf.function(network).get_concrete_function(tf.TensorSpec((2, 8, 8, 1)))
    return {frame.filename for op in traced.graph.get_operations() for frame in op.traceback}


@tensorflow_only
def test_stored_stacks_leave_out_other_packages():
    network = networks.patch_discriminator((8, 8, 1))

    def plain():
        return traced_files(network)

    def short():
        with short_traces():
            return traced_files(network)

    # In another thread, which the tests' own scope does not reach.
    with ThreadPoolExecutor(1) as thread:
        calls = [thread.submit(f) for f in (plain, short, plain)]
    for call, whole in zip(calls, (True, False, True)):
        found = [Path(file) for file in call.result()]
        assert any({"keras", "tensorflow"} & set(file.parts) for file in found) is whole


@tensorflow_only
def test_errors_of_a_graph_are_reported_with_short_stacks():
    import tensorflow as tf

    @tf.function
    def divide(x):
        return 1 // x

    with short_traces(), pytest.raises(tf.errors.InvalidArgumentError, match="division by zero"):
        divide(tf.constant(0))
