"""How many samples are held or made at a time, so that memory stays bounded."""

import numpy as np

_PART_BYTES = 12 << 20  # of samples that are made together
_KEPT_BYTES = 64 << 20  # of samples that stand for all


def parts(n, sample_shape):
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
    >>> from melanet.portions import parts
    >>> parts(40, (256, 256, 3))
    [slice(0, 16, None), slice(16, 32, None), slice(32, 40, None)]
    """
    size = most_of(sample_shape, _PART_BYTES)
    size -= size % 32 if size > 32 else 0  # whole batches
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def most_of(sample_shape, n_bytes=_KEPT_BYTES):
    """Return how many samples, in float32, so many bytes hold; at least 1."""
    return max(1, n_bytes // (4 * int(np.prod(sample_shape))))


def spread(rows, most):
    """Return at most so many of the rows, evenly spread."""
    return rows[:: max(1, -(-len(rows) // most))]
