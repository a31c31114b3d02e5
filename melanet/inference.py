"""Answers of a network, checked beforehand, in bounded memory."""

import keras
import numpy as np

_PART_BYTES = 32 << 20  # of samples that one call of Keras is given


def checked(x, sample_shape):
    """Return samples as a network takes them, float32.

    Parameters
    ----------
    x : array-like of shape (n, *sample_shape)
        Samples in [-1, 1].
    sample_shape : tuple of int
        That the network was built for.

    Returns
    -------
    ndarray of shape (n, *sample_shape), float32

    Raises
    ------
    ValueError
        If `x` has another shape or values outside [-1, 1], NaN among them.

    Examples
    --------
    >>> from melanet.inference import checked
    >>> checked([[0.5, -1.0]], (2,)).dtype
    dtype('float32')
    """
    x = np.asarray(x, "float32")
    if x.shape[1:] != sample_shape:
        raise ValueError(
            f"x must have the shape (n, {', '.join(map(str, sample_shape))}) that this "
            f"CycleGAN was built for. Received: {x.shape}"
        )
    # Written so that NaN fails, too.
    if x.size and not (x.min() >= -1.001 and x.max() <= 1.001):
        raise ValueError(
            "x must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - 1). "
            f"Received values from {x.min()} to {x.max()}"
        )
    return x


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
