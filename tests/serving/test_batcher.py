import threading

import numpy as np
import pytest

from melanet.serving._batcher import Batcher, QueueFull, batch_sizes


class Gated:
    """A batch function that waits for `go` and records the batch sizes."""

    def __init__(self):
        self.sizes, self.entered, self.go = [], threading.Event(), threading.Event()

    def __call__(self, x):
        self.entered.set()
        assert self.go.wait(10)
        self.sizes.append(len(x))
        return x * 10


def test_jobs_that_arrive_meanwhile_run_together_in_powers_of_two():
    work = Gated()
    batcher = Batcher({"work": (work, 8)}, max_pending=100)
    first = batcher.submit("work", 0)
    assert work.entered.wait(10)
    rest = [batcher.submit("work", i) for i in range(1, 12)]
    work.go.set()
    assert [int(f.result(10)) for f in [first, *rest]] == [10 * i for i in range(12)]
    assert work.sizes == [1, 8, 4]  # 1, then 8, then 3 filled up to 4
    assert set(work.sizes) <= set(batch_sizes(8))
    batcher.close()


def test_functions_are_not_mixed_and_jobs_keep_their_order():
    work = Gated()
    batcher = Batcher({"work": (work, 4), "negative": (lambda x: -x, 4)}, max_pending=100)
    first = batcher.submit("work", 1)
    assert work.entered.wait(10)
    others = [batcher.submit(name, 2) for name in ("negative", "work", "negative")]
    work.go.set()
    assert [int(f.result(10)) for f in [first, *others]] == [10, -2, 20, -2]
    batcher.close()


def test_an_error_reaches_its_callers_and_the_thread_continues():
    def fail_on_zero(x):
        if not x.all():
            raise ValueError("a zero")
        return x

    batcher = Batcher({"work": (fail_on_zero, 4)}, max_pending=100)
    with pytest.raises(ValueError, match="a zero"):
        batcher.submit("work", 0).result(10)
    assert batcher.submit("work", 3).result(10) == 3
    batcher.close()


def test_reservations_are_limited_and_released():
    batcher = Batcher({"work": (lambda x: x, 4)}, max_pending=3)
    with batcher.reserve(2):
        with pytest.raises(QueueFull, match="2 of 3"), batcher.reserve(2):
            pass
        with batcher.reserve(1):
            assert batcher.pending == 3
    assert batcher.pending == 0
    batcher.close()


def test_close_finishes_queued_jobs_and_rejects_more():
    batcher = Batcher({"work": (lambda x: x + 1, 4)}, max_pending=100)
    jobs = [batcher.submit("work", i) for i in range(20)]
    batcher.close()
    assert [int(job.result(0)) for job in jobs] == list(range(1, 21))
    with pytest.raises(RuntimeError, match="shutting down"):
        batcher.submit("work", 0)


@pytest.mark.parametrize(("largest", "sizes"), [(1, [1]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_batch_sizes_are_powers_of_two_up_to_the_largest(largest, sizes):
    assert batch_sizes(largest) == sizes


def test_a_batch_never_exceeds_its_limit():
    work = Gated()
    batcher = Batcher({"work": (work, 6)}, max_pending=100)
    batcher.submit("work", 0)
    assert work.entered.wait(10)
    jobs = [batcher.submit("work", np.full((2, 2), i)) for i in range(12)]
    work.go.set()
    np.testing.assert_array_equal(jobs[11].result(10), np.full((2, 2), 110))
    assert work.sizes == [1, 6, 6]
    batcher.close()
