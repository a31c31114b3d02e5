import numpy as np
import pytest

from melanet.utils import _chunks


@pytest.mark.parametrize(
    ("n", "most", "taken"), [(5, 5, 5), (6, 5, 3), (1000, 200, 200), (1, 9, 1)]
)
def test_evenly_spaced_rows(n, most, taken):
    rows = np.arange(n) * 10
    few = _chunks.evenly_spaced(rows, most)
    assert len(few) == taken <= most
    assert len(set(np.diff(few))) <= 1


@pytest.mark.parametrize("shape", [(256, 256, 3), (8, 8, 1), (5000, 5000, 3), (7,)])
@pytest.mark.parametrize("n", [0, 1, 33, 70])
def test_chunks_cover_all_samples_once_and_are_small(n, shape):
    chunks = [np.arange(n)[chunk] for chunk in _chunks.chunk_slices(n, shape)]
    assert [i for chunk in chunks for i in chunk] == list(range(n))
    assert all(len(c) * np.prod(shape) * 4 <= 12 * 2**20 or len(c) == 1 for c in chunks)


def test_samples_that_fit_in_bytes():
    assert _chunks.samples_that_fit((256, 256, 3)) == 85
    assert _chunks.samples_that_fit((8, 8, 1), 1000) == 3
    assert _chunks.samples_that_fit((9000, 9000, 3)) == 1


@pytest.mark.parametrize(
    ("shape", "samples"),
    [((256, 256, 3), 8), ((128, 128, 3), 32), ((64, 64, 3), 128), ((7,), 128)],
)
def test_batches_hold_few_large_or_many_small_samples(shape, samples):
    assert _chunks.default_batch_size(shape) == samples
    first = _chunks.chunk_slices(10**6, shape)[0]
    assert (first.stop - first.start) % samples == 0
