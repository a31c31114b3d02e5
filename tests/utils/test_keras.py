import contextlib

import keras
import numpy as np
import pytest

from melanet import CycleGAN, UnpairedImages
from melanet.classifier._dataset import LabelledImages
from melanet.utils import reproducible, untuned

by_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.data serves on TensorFlow only"
)


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (n, 8, 8, 1)).astype("float32") for n in (7, 5)]


class Diary(UnpairedImages):
    """Writes down what is asked of it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lines = []

    def on_epoch_begin(self):
        self.lines.append("begin")

    def on_epoch_end(self):
        super().on_epoch_end()
        self.lines.append("end")


@by_tensorflow
def test_batches_are_the_data_sets_own(sets):
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


@by_tensorflow
def test_the_last_batch_may_be_smaller():
    images = np.arange(5 * 4, dtype="float32").reshape(5, 2, 2, 1)
    batches = LabelledImages(lambda rows: images[rows], np.array([0, 1, 0, 1, 1]), np.ones(2), 2)
    found = list(untuned(batches)[0].as_numpy_iterator())
    assert [len(x) for x, _, _ in found] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([x for x, _, _ in found]), images)


def test_epochs_are_announced_before_other_callbacks_hear_of_them(sets):
    batches = Diary(*sets)

    class Listener(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            batches.lines.append(f"begins {epoch}")

        def on_epoch_end(self, epoch, logs=None):
            batches.lines.append(f"ended {epoch}")

    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    model.fit(batches, epochs=2, callbacks=Listener(), verbose=0)
    ends = [line for line in batches.lines if "end" in line]
    # The first end is of Keras' reset before the first epoch.
    assert ends == ["end", "end", "ended 0", "end", "ended 1"]
    assert batches.lines.count("begin") == 2


def test_weights_are_those_of_keras_own_reading(sets):
    weights = []
    for fit in (CycleGAN.fit, keras.Model.fit):
        model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
        with reproducible():
            history = fit(model, UnpairedImages(*sets), epochs=3, shuffle=False, verbose=0)
        weights.append([*model.get_weights(), *history.history["loss"]])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_keras_reads_without_the_tuner_stays_its_own(sets):
    for kwargs in ({"workers": 2}, {"workers": 1, "use_multiprocessing": True}):
        batches = UnpairedImages(*sets, **kwargs)
        assert untuned(batches) == (batches, [])
    assert untuned(sets) == (sets, [])


@by_tensorflow
def test_lists_stay_apart_as_in_keras(sets):
    class Listed(UnpairedImages):
        def __getitem__(self, index):
            ((a, b),) = super().__getitem__(index)
            return ([a, b],)

    ((a, b),) = next(iter(untuned(Listed(*sets, batch_size=2))[0]))
    assert a.shape == b.shape == (2, 8, 8, 1)


def test_what_goes_wrong_in_a_batch_is_told(sets):
    class Broken(UnpairedImages):
        def _read(self, samples, rows):
            if self.epoch:
                raise OSError("picture 7 is not there any more")
            return super()._read(samples, rows)

    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    with pytest.raises(Exception, match="picture 7 is not there any more"):
        model.fit(Broken(*sets), epochs=2, verbose=0)


def test_threads_that_overlap_restore_the_setting_once():
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
def test_the_setting_is_scoped_and_restored_even_after_an_error(before):
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
