"""A scope in which the same seeds give the same bits."""

import contextlib
import logging
import random
import threading

import keras
import numpy as np


@contextlib.contextmanager
def keras_scope(seed, dtype_policy=None):
    """Make Keras layers from a seed, without a trace in the caller's global state.

    Keras draws the seeds of initializers and dropouts that have none, as those of
    ``keras.applications``, from Python's `random`. In this scope `random` starts from `seed`,
    and new layers have `dtype_policy`; afterwards both are as before.

    Parameters
    ----------
    seed : int
        Seed of what is made here.
    dtype_policy : str or None, default=None
        A Keras dtype policy; None keeps the global one.
    """
    state, policy = random.getstate(), keras.config.dtype_policy()
    random.seed(seed)
    try:
        if dtype_policy is not None:
            keras.config.set_dtype_policy(dtype_policy)
        yield
    finally:
        random.setstate(state)
        keras.config.set_dtype_policy(policy)


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
    >>> from melanet.utils import reproducible
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


class _Epochs(keras.callbacks.Callback):
    """Tell a data set of its epochs, as Keras tells one that it reads itself."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_begin(self, logs=None):
        # Keras resets what it reads before the first epoch, and announces an end by that.
        self.batches.on_epoch_end()

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.on_epoch_begin()

    def on_epoch_end(self, epoch, logs=None):
        self.batches.on_epoch_end()


def untuned(batches):
    """Return batches in the form in which TensorFlow serves them without its tuner.

    Keras makes a ``tf.data`` pipeline of a ``PyDataset``, and TensorFlow tunes it in a thread that
    sleeps twice as long after each look. When the pipeline ends, at the end of an epoch, that
    thread at times misses the call to stop (TensorFlow 2.21), and the program waits until it
    wakes by itself: up to as long as the epoch took, one minute at most. Besides, a pipeline from
    a Python generator, such as Keras', makes TensorFlow give freed memory back at once, and the
    next step fetches it page by page. docs/speed.md has what both come to. The batches are the
    same, in the same order, one of them made in advance.

    Parameters
    ----------
    batches : keras.utils.PyDataset
        Of known length, with arrays in tuples, lists or dicts.

    Returns
    -------
    batches : tf.data.Dataset or keras.utils.PyDataset
        What to give to ``fit``. Unchanged on other backends, and where Keras reads a data set in
        threads or processes of its own, without the tuner.
    callbacks : list of keras.callbacks.Callback
        To be given, too, before others; they call the data set's ``on_epoch_begin`` and
        ``on_epoch_end``.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet import UnpairedImages
    >>> from melanet.utils import untuned
    >>> batches = UnpairedImages(np.zeros((4, 8, 8, 1)), np.ones((4, 8, 8, 1)))
    >>> len(untuned(batches)[0])
    4
    """
    if keras.backend.backend() != "tensorflow" or not _is_read_by_tensorflow(batches):
        return batches, []
    import tensorflow as tf

    def flat(index):
        return [np.asarray(array) for array in tf.nest.flatten(batches[int(index)])]

    form, arrays = _in_tuples(batches[0]), flat(0)

    def batch(index):
        tensors = tf.numpy_function(flat, [index], [array.dtype for array in arrays])
        for tensor, array in zip(tensors, arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return tf.nest.pack_sequence_as(form, tensors)

    served = tf.data.Dataset.range(len(batches)).map(batch).prefetch(1)
    options = tf.data.Options()
    options.autotune.enabled = False
    return served.with_options(options), [_Epochs(batches)]


def _in_tuples(batch):
    # A list is one tensor to tf.data.
    return tuple(map(_in_tuples, batch)) if isinstance(batch, (list, tuple)) else batch


def _is_read_by_tensorflow(batches):
    if not isinstance(batches, keras.utils.PyDataset) or batches.num_batches is None:
        return False
    return batches.workers < 2 and not batches.use_multiprocessing
