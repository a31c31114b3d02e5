import contextlib

import keras
import pytest

from melanet.reproducibility import reproducible


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
