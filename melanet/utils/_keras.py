"""Scopes and data pipelines that make Keras repeatable and quick.

`keras_scope` seeds the initial weights of layers, `reproducible` makes training repeat bit for
bit, `short_traces` saves TensorFlow memory, and `untuned` feeds it a data set without its tuner.
"""

import contextlib
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_LOCK = threading.Lock()
_reproducible_state = {"depth": 0, "before": False}  # of all threads, guarded by _LOCK


@contextlib.contextmanager
def keras_scope(seed: int, dtype_policy: str | None = None) -> Iterator[None]:
    """Create Keras layers from a seed without changing global state.

    Keras draws the seeds of initializers and dropouts that have none, such as those of
    ``keras.applications``, from Python's `random`. In this scope `random` starts from `seed`, and
    new layers use `dtype_policy` and, as all of this package does, images with channels last. All
    is restored at the end.

    Parameters
    ----------
    seed : int
        Seed of the layers created in the scope.
    dtype_policy : str or None, default=None
        Keras dtype policy; None keeps the global one.
    """
    state, policy = random.getstate(), keras.config.dtype_policy()
    data_format = keras.config.image_data_format()
    random.seed(seed)
    try:
        keras.config.set_image_data_format("channels_last")
        if dtype_policy is not None:
            keras.config.set_dtype_policy(dtype_policy)
        yield
    finally:
        random.setstate(state)
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(data_format)


@contextlib.contextmanager
def reproducible() -> Iterator[None]:
    """Make training repeat bit for bit, on one machine and number of threads.

    TensorFlow's graph optimizer (Grappler's meta-optimizer) does not always rewrite the same
    graph in the same way, which changes the order of floating-point operations. It is switched
    off while any thread is in this scope. TensorFlow's warning about retracing, which every new
    model triggers, is not logged meanwhile. The other backends need no change.

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
        if not _reproducible_state["depth"]:
            _reproducible_state["before"] = options.get_experimental_options().get(name, False)
            logging.getLogger("tensorflow").addFilter(_is_not_about_retracing)
        # The setting is global, but each thread copies it when it is set.
        options.set_experimental_options({name: True})
        _reproducible_state["depth"] += 1
    try:
        yield
    finally:
        with _LOCK:
            _reproducible_state["depth"] -= 1
            if not _reproducible_state["depth"]:
                options.set_experimental_options({name: _reproducible_state["before"]})
                logging.getLogger("tensorflow").removeFilter(_is_not_about_retracing)


@contextlib.contextmanager
def short_traces() -> Iterator[None]:
    """Keep TensorFlow from storing the Python stack of every operation of a graph.

    For its error messages TensorFlow stores some sixty frames for each operation of a traced
    function until the process ends: about half of the memory that a compiled training leaves
    behind (docs/decisions/compiled-models.md). In this scope at most the frames of this
    package are stored. The other backends need no change.

    Yields
    ------
    None

    Examples
    --------
    >>> from melanet.utils._keras import short_traces
    >>> with short_traces():
    ...     pass  # model.fit(...)
    """
    trace_filter = _make_trace_filter() if keras.backend.backend() == "tensorflow" else None
    with trace_filter or contextlib.nullcontext():
        yield


def _make_trace_filter():
    try:  # not a public interface
        from tensorflow.python.util.tf_stack import StackTraceFilter
    except ImportError:
        return None

    class OtherPackages(StackTraceFilter):
        def get_filtered_filenames(self):
            files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
            return {file for file in files if file and not file.startswith(_PACKAGE)}

    return OtherPackages()


def is_reproducible() -> bool:
    """Return whether a thread is in the scope of `reproducible`."""
    return _reproducible_state["depth"] > 0


def _is_not_about_retracing(record: logging.LogRecord) -> bool:
    return "retracing" not in record.getMessage()


def untuned(batches: Any, static: bool = False) -> tuple[Any, list[keras.callbacks.Callback]]:
    """Wrap batches so that TensorFlow serves them without its tuner.

    Keras turns a ``PyDataset`` into a ``tf.data`` pipeline, which TensorFlow tunes in a thread
    that sleeps twice as long after each look. When the pipeline ends, after each epoch, that
    thread sometimes misses the call to stop (TensorFlow 2.21), and the program waits until it
    wakes up: for up to the duration of the epoch, at most one minute. Besides, a pipeline that
    reads a Python generator, such as Keras', makes TensorFlow return freed memory to the system
    at once, so that the next step requests it again page by page. docs/speed.md has the cost of
    both. The batches and their order stay the same; one is prefetched.

    Parameters
    ----------
    batches : keras.utils.PyDataset
        Data set of known length, with arrays in tuples, lists or dicts.
    static : bool, default=False
        Whether all batches have the shapes of the first. The graph of a training step then needs
        no operations that compute shapes, a tenth of all.

    Returns
    -------
    batches : tf.data.Dataset or keras.utils.PyDataset
        Data set to pass to ``fit``. Unchanged on other backends, and if Keras reads it in
        several threads or processes.
    callbacks : list of keras.callbacks.Callback
        Callbacks to pass to ``fit`` before all others; they call the data set's
        ``on_epoch_begin`` and ``on_epoch_end``.

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

    def read(index: Any) -> list[np.ndarray]:
        return [np.asarray(array) for array in tf.nest.flatten(batches[int(index)])]

    structure, arrays = _to_tuples(batches[0]), read(0)

    def read_tensors(index: Any) -> Any:
        tensors = tf.numpy_function(read, [index], [array.dtype for array in arrays])
        for tensor, array in zip(tensors, arrays, strict=True):
            tensor.set_shape(array.shape if static else (None, *array.shape[1:]))
        return tf.nest.pack_sequence_as(structure, tensors)

    served = tf.data.Dataset.range(len(batches)).map(read_tensors).prefetch(1)
    options = tf.data.Options()
    options.autotune.enabled = False
    return served.with_options(options), [_EpochCalls(batches)]


class _EpochCalls(keras.callbacks.Callback):
    """Call a data set's epoch methods, as Keras does for one that it reads itself."""

    def __init__(self, batches: keras.utils.PyDataset):
        super().__init__()
        self.batches = batches

    def on_train_begin(self, logs: Any = None) -> None:
        # Keras resets a data set before the first epoch by calling its on_epoch_end.
        self.batches.on_epoch_end()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batches.on_epoch_begin()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.batches.on_epoch_end()


def _to_tuples(batch: Any) -> Any:
    # tf.data would stack a list into one tensor.
    return tuple(map(_to_tuples, batch)) if isinstance(batch, (list, tuple)) else batch


def _is_read_by_tensorflow(batches: Any) -> bool:
    if not isinstance(batches, keras.utils.PyDataset) or batches.num_batches is None:
        return False
    return batches.workers < 2 and not batches.use_multiprocessing
