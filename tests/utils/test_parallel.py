import threading

import numpy as np
import pytest

from melanet.utils import _parallel


def test_results_are_ordered_and_equal_those_of_one_thread():
    arrays = list(np.random.default_rng(0).normal(size=(6, 300, 300)))
    for result, array in zip(_parallel.thread_map(np.sort, arrays, 6 * 300 * 300), arrays):
        np.testing.assert_array_equal(result, np.sort(array))


def test_only_large_work_uses_other_threads(monkeypatch):
    monkeypatch.setattr(_parallel, "cpu_count", lambda: 2)

    def thread_of(item):
        return threading.get_ident()

    here = threading.get_ident()
    assert here not in _parallel.thread_map(thread_of, [1, 2, 3], 10**7)
    assert set(_parallel.thread_map(thread_of, [1, 2, 3], 10)) == {here}
    assert _parallel.thread_map(thread_of, [], 10**7) == []


def test_an_error_reaches_the_caller():
    def fail(item):
        raise OSError("in a thread")

    with pytest.raises(OSError, match="in a thread"):
        _parallel.thread_map(fail, [1, 2], 10**7)


def test_stages_overlap_and_results_stay_in_order():
    threads = {"read": set(), "compute": set(), "write": set()}

    def stage(name, result):
        threads[name].add(threading.get_ident())
        return result

    written = _parallel.read_compute_write(
        range(7),
        lambda task: stage("read", task * 10),
        lambda task, data: stage("compute", data + task),
        lambda task, output: stage("write", (task, output)),
    )
    assert list(written) == [(i, 11 * i) for i in range(7)]
    assert threads["compute"] == {threading.get_ident()}
    assert not threads["read"] & threads["write"]
    assert not threads["compute"] & (threads["read"] | threads["write"])


@pytest.mark.parametrize("failing", ["read", "compute", "write"])
def test_an_error_of_any_stage_reaches_the_caller(failing):
    def stage(name):
        def work(task, *data):
            if name == failing and task == 1:
                raise OSError(name)
            return task

        return work

    stages = map(stage, ("read", "compute", "write"))
    with pytest.raises(OSError, match=failing):
        list(_parallel.read_compute_write(range(4), *stages))
