"""Compiled models that are kept for later trainings of the same structure.

Building, tracing and optimizing a training step takes seconds, and TensorFlow does not return all
of the memory that a step takes. Fits of equal structure (the classes of one data set, the folds of
a cross-validation, refits) therefore lease one compiled model, load fresh weights into it, and
give it back.
"""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import keras

from melanet.utils._keras import is_reproducible, short_traces

_MAX_IDLE = 8  # models that wait for another fit; the one that was used longest ago goes first


class ModelStore:
    """Models that are compiled once and leased again and again.

    A model is leased to one user at a time: threads that fit together, and fits inside a fit, get
    models of their own. A model whose lease ends with an error is dropped. Where Keras distributes
    a model over devices, nothing is kept.

    Parameters
    ----------
    max_idle : int, default=8
        Number of models to keep.

    Examples
    --------
    >>> import keras
    >>> from melanet.utils._model_store import ModelStore
    >>> store = ModelStore()
    >>> with store.lease("dense", lambda: keras.Sequential([keras.layers.Dense(1)])) as first:
    ...     pass
    >>> with store.lease("dense", lambda: keras.Sequential([keras.layers.Dense(1)])) as second:
    ...     second is first
    True
    """

    def __init__(self, max_idle: int = _MAX_IDLE):
        self.max_idle = max_idle
        self._idle: OrderedDict[tuple[Hashable, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of idle models."""
        return len(self._idle)

    @contextlib.contextmanager
    def lease(self, structure: Hashable | None, build: Callable[[], Any]) -> Iterator[Any]:
        """Lease a model.

        Parameters
        ----------
        structure : hashable or None
            Everything that the compiled functions depend on: shapes, layers, loss and optimizer.
            Keras' global settings are added. None builds a model that is not kept.
        build : callable
            Returns a new compiled model of this structure.

        Yields
        ------
        keras.Model
            With the weights, optimizer state and metrics of its previous use.
        """
        if structure is None or _is_distributed():
            with short_traces():
                yield build()
            return
        key = (structure, *_settings())
        with self._lock:
            found = next((k for k in reversed(self._idle) if k[0] == key), None)
            model = None if found is None else self._idle.pop(found)
        if model is None:
            model = build()
        with short_traces():
            yield model
        with self._lock:
            self._idle[key, id(model)] = model
            while len(self._idle) > self.max_idle:
                self._idle.popitem(last=False)

    def clear(self) -> None:
        """Drop all idle models."""
        with self._lock:
            self._idle.clear()


STORE = ModelStore()


def clear_compiled_models() -> None:
    """Drop the compiled models that melanet keeps for later fits of the same structure.

    The next fit compiles again. Call it to free memory when no more fits follow.

    Examples
    --------
    >>> from melanet.utils import clear_compiled_models
    >>> clear_compiled_models()
    """
    STORE.clear()


def copy_variables(source: Any, target: Any) -> None:
    """Copy all variables of a model, its random layers' included, to one of equal structure."""
    for a, b in zip(source.variables, target.variables, strict=True):
        # A copy: JAX would share the buffer, and give it away in the next step.
        b.assign(keras.ops.copy(keras.ops.convert_to_tensor(a)))


def reset_optimizer(optimizer: Any, **settings: float) -> None:
    """Set an optimizer's variables to zero, and those that are named to a value.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Built optimizer.
    **settings
        Name of an attribute that is a variable -> value, such as ``learning_rate``.
    """
    for variable in optimizer.variables:
        variable.assign(keras.ops.zeros(variable.shape, dtype=variable.dtype))
    for name, value in settings.items():
        getattr(optimizer, f"_{name}").assign(value)


def _settings():
    policy = keras.config.dtype_policy()
    return (
        keras.config.backend(),
        keras.config.floatx(),
        keras.config.image_data_format(),
        policy.name,
        is_reproducible(),
    )


def _is_distributed():
    if keras.distribution.distribution() is not None:
        return True
    if keras.config.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()
