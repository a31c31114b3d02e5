"""A scope in which the same seeds give the same bits."""

import contextlib
import logging
import threading

import keras

_LOCK = threading.Lock()
_inside = {"count": 0, "before": False}


def _no_advice_on_retracing(record):
    return "retracing" not in record.getMessage()


@contextlib.contextmanager
def reproducible():
    """Make training in this scope repeat bit for bit, on one machine and thread count.

    TensorFlow's graph optimizer (Grappler's meta-optimizer) does not always rewrite the same
    graph in the same way, which changes the order of floating-point operations. It is switched
    off while any thread is in this scope, and then restored. The other backends need nothing.
    TensorFlow's advice against retracing, which every new model earns, is not logged meanwhile.

    Yields
    ------
    None

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

    options, name = tf.config.optimizer, "disable_meta_optimizer"
    with _LOCK:
        if not _inside["count"]:
            _inside["before"] = options.get_experimental_options().get(name, False)
            logging.getLogger("tensorflow").addFilter(_no_advice_on_retracing)
        # The setting is the whole process's, but read by each thread when it is set.
        options.set_experimental_options({name: True})
        _inside["count"] += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside["count"] -= 1
            if not _inside["count"]:
                options.set_experimental_options({name: _inside["before"]})
                logging.getLogger("tensorflow").removeFilter(_no_advice_on_retracing)
