"""Numbers of samples to process at a time, so that memory stays bounded."""

import numpy as np

_BATCH_BYTES = 6 << 20  # of a network's input
_CHUNK_BYTES = 12 << 20  # of a chunk of samples
_SUBSET_BYTES = 64 << 20  # of a subset that represents all samples


def chunk_slices(n: int, sample_shape: tuple[int, ...]) -> list[slice]:
    """Return slices that divide n samples into chunks of whole batches.

    Chunks are small because reusing memory is quicker than allocating it.

    Parameters
    ----------
    n : int
        Number of samples.
    sample_shape : tuple of int
        Shape of one sample, in float32.

    Returns
    -------
    list of slice

    Examples
    --------
    >>> from melanet.utils._chunks import chunk_slices
    >>> chunk_slices(40, (256, 256, 3))
    [slice(0, 16, None), slice(16, 32, None), slice(32, 40, None)]
    """
    size, batch = samples_that_fit(sample_shape, _CHUNK_BYTES), default_batch_size(sample_shape)
    size -= size % batch if size > batch else 0
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def default_batch_size(sample_shape: tuple[int, ...]) -> int:
    """Return the number of samples in a batch for translation, between 8 and 128.

    A few large images keep the processor busy, and their layers' outputs take much memory. With
    small images, the fixed cost of each operation dominates. Measured by
    ``examples/benchmarks/translation.py``.
    """
    return min(max(8, samples_that_fit(sample_shape, _BATCH_BYTES)), 128)


def samples_that_fit(sample_shape: tuple[int, ...], n_bytes: int = _SUBSET_BYTES) -> int:
    """Return the number of float32 samples that fit in `n_bytes`, at least 1."""
    return max(1, n_bytes // (4 * int(np.prod(sample_shape))))


def evenly_spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` of the rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]
