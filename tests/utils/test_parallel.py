import threading

import numpy as np
import pytest

from melanet.utils import _parallel


def test_results_come_in_the_order_of_the_items_and_are_those_of_one_thread():
    arrays = list(np.random.default_rng(0).normal(size=(6, 300, 300)))
    for made, array in zip(_parallel.thread_map(np.sort, arrays, 6 * 300 * 300), arrays):
        np.testing.assert_array_equal(made, np.sort(array))


def test_much_work_is_done_by_other_threads_and_little_by_this_one(monkeypatch):
    monkeypatch.setattr(_parallel, "cpu_count", lambda: 2)

    def who(item):
        return threading.get_ident()

    here = threading.get_ident()
    assert here not in _parallel.thread_map(who, [1, 2, 3], 10**7)
    assert set(_parallel.thread_map(who, [1, 2, 3], 10)) == {here}
    assert _parallel.thread_map(who, [], 10**7) == []


def test_an_error_reaches_the_caller():
    def fail(item):
        raise OSError("of a thread")

    with pytest.raises(OSError, match="of a thread"):
        _parallel.thread_map(fail, [1, 2], 10**7)
