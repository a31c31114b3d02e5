"""NumPy's and SciPy's loops on all cores: they let other threads run meanwhile."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from joblib import cpu_count

_LEAST = 1 << 18  # values: below, starting threads costs what they save


def thread_map(function, items, n_values):
    """Return what a function makes of each item, in order, found by threads where it pays.

    Each result hangs on its item alone, so it is the same on any number of threads.

    Parameters
    ----------
    function : callable
        Of one item; spends its time in compiled code that lets other threads run.
    items : sequence
    n_values : int
        Numbers, such as pixels, that all items hold together.

    Returns
    -------
    list

    Examples
    --------
    >>> from melanet.utils._parallel import thread_map
    >>> thread_map(abs, [-1, 2], n_values=2)
    [1, 2]
    """
    n_threads = min(cpu_count(), len(items))
    if n_threads < 2 or n_values < _LEAST:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))


_WRITTEN_BEHIND = 2  # chunks that may wait for their writing


def read_compute_write(tasks, read, make, write):
    """Do tasks in order: read the next while one is made, and write the last.

    Parameters
    ----------
    tasks : iterable
        What to do.
    read : callable
        ``read(task) -> what is needed``, called in a thread of its own.
    make : callable
        ``make(task, what is needed) -> result``, called in the caller's thread.
    write : callable
        ``write(task, result)``, called in a thread of its own.

    Yields
    ------
    result of `write`
        In the order of the tasks, when it is done. What waits in memory is what is needed for one
        task, and the results of three.

    Examples
    --------
    >>> from melanet.utils._parallel import read_compute_write
    >>> steps = (lambda i: i * 10, lambda i, x: x + i, lambda i, x: (i, x))
    >>> list(read_compute_write(range(3), *steps))
    [(0, 0), (1, 11), (2, 22)]
    """
    tasks, writing = iter(tasks), deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        task = next(tasks, None)
        reading = None if task is None else reader.submit(read, task)
        while reading is not None:
            needed, now = reading.result(), task
            task = next(tasks, None)
            reading = None if task is None else reader.submit(read, task)
            writing.append(writer.submit(write, now, make(now, needed)))
            del needed
            while len(writing) > _WRITTEN_BEHIND or (writing and writing[0].done()):
                yield writing.popleft().result()
        while writing:
            yield writing.popleft().result()
