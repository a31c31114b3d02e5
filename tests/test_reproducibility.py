import contextlib

import keras
import pytest

from melanet.reproducibility import reproducible


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
