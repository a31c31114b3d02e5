"""How many samples are held or made at a time, so that memory stays bounded."""

import numpy as np

_BATCH_BYTES = 6 << 20  # of samples that a network is given at once
_PART_BYTES = 12 << 20  # of samples that are made together
_KEPT_BYTES = 64 << 20  # of samples that stand for all


def chunk_slices(n, sample_shape):
    """Return slices that divide n samples into parts that are made together.

    Memory that is used again and again is quicker than new memory, hence small parts.

    Parameters
    ----------
    n : int
        Number of samples.
    sample_shape : tuple of int
        Shape of one, in float32.

    Returns
    -------
    list of slice

    Examples
    --------
    >>> from melanet.utils._chunks import chunk_slices
    >>> chunk_slices(40, (256, 256, 3))
    [slice(0, 16, None), slice(16, 32, None), slice(32, 40, None)]
    """
    size, batch = samples_that_fit(sample_shape, _PART_BYTES), default_batch_size(sample_shape)
    size -= size % batch if size > batch else 0  # whole batches
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def default_batch_size(sample_shape):
    """Return how many samples a network translates at once: small ones by the hundred.

    Large images keep the processor busy by few, and their layers' results take memory; with
    small ones it is each operation's fixed cost that counts. Measured by
    ``examples/benchmarks/translation.py``.
    """
    return min(max(8, samples_that_fit(sample_shape, _BATCH_BYTES)), 128)


def samples_that_fit(sample_shape, n_bytes=_KEPT_BYTES):
    """Return how many samples, in float32, so many bytes hold; at least 1."""
    return max(1, n_bytes // (4 * int(np.prod(sample_shape))))


def evenly_spaced(rows, most):
    """Return at most so many of the rows, evenly spread."""
    return rows[:: max(1, -(-len(rows) // most))]
