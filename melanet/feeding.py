"""Batches for Keras on TensorFlow without its tuner, which the end of an epoch waits for."""

import keras
import numpy as np


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
    >>> from melanet.feeding import untuned
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
