"""A scope in which the same seeds give the same bits."""

import contextlib

import keras


@contextlib.contextmanager
def reproducible():
    """Make training in this scope repeat bit for bit, on one machine and thread count.

    TensorFlow's graph optimizer (Grappler's meta-optimizer) does not always rewrite the same
    graph in the same way, which changes the order of floating-point operations. It is switched
    off in this scope and then restored. The other backends need nothing.

    Examples
    --------
    >>> from melanet.reproducibility import reproducible
    >>> with reproducible():
    ...     pass  # model.fit(...)
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
