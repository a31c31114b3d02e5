"""Answers of a network in bounded memory."""

import keras
import numpy as np

_PART_BYTES = 32 << 20  # of samples that one call of Keras is given


def predict_in_parts(model, x, batch_size):
    """Let a network that keeps the samples' shape answer, in little more memory than the answer's.

    Keras' ``predict`` makes a data set of what it is given, and holds a copy of it and its result
    twice. Batch by batch costs less of both. Where the network is spread over devices it is
    ``predict`` that deals a batch out to them; it is then called for parts of many batches.

    Parameters
    ----------
    model : keras.Model
        Maps samples to samples of their shape.
    x : ndarray of shape (n, ...), float32
        Samples.
    batch_size : int
        Samples in a batch.

    Returns
    -------
    ndarray of the same shape, float32
        Also under mixed precision.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from melanet.inference import predict_in_parts
    >>> inputs = keras.Input((2,))
    >>> model = keras.Model(inputs, keras.layers.Rescaling(-1.0)(inputs))
    >>> predict_in_parts(model, np.ones((3, 2), "float32"), 2).tolist()
    [[-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]]
    """
    made = np.empty_like(x)
    if not len(x):
        return made
    spread = _is_spread(model)
    step = batch_size * max(1, _PART_BYTES // (batch_size * x[0].nbytes)) if spread else batch_size
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        if spread:
            made[part] = model.predict(x[part], batch_size=batch_size, verbose=0)
        else:
            made[part] = model.predict_on_batch(x[part])
    return made


def _is_spread(model):
    strategy = getattr(model, "distribute_strategy", None)  # of TensorFlow
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        return True
    return keras.distribution.distribution() is not None
