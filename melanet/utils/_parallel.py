"""Threads for loops in NumPy and SciPy, which release the interpreter lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from joblib import cpu_count

_LEAST_VALUES = 1 << 18  # with fewer, starting threads takes longer than it saves
_MOST_WAITING = 2  # results that may wait to be written

Item = TypeVar("Item")
Result = TypeVar("Result")
Input = TypeVar("Input")
Output = TypeVar("Output")


def thread_map(
    function: Callable[[Item], Result], items: Sequence[Item], n_values: int
) -> list[Result]:
    """Apply a function to each item, on all cores if there is enough work.

    The results are in the order of the items and do not depend on the number of threads.

    Parameters
    ----------
    function : callable
        Function of one item. It must spend its time in compiled code that releases the
        interpreter lock.
    items : sequence
        Items.
    n_values : int
        Number of values, such as pixels, in all items together.

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
    if n_threads < 2 or n_values < _LEAST_VALUES:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))


def read_compute_write(
    tasks: Iterable[Item],
    read: Callable[[Item], Input],
    compute: Callable[[Item, Input], Output],
    write: Callable[[Item, Output], Result],
) -> Iterator[Result]:
    """Process tasks in order; read the next and write the previous one in the background.

    Memory holds the input of one task and the results of up to three.

    Parameters
    ----------
    tasks : iterable
        Tasks.
    read : callable
        ``read(task) -> input``, called in a thread of its own.
    compute : callable
        ``compute(task, input) -> output``, called in the caller's thread.
    write : callable
        ``write(task, output) -> result``, called in a thread of its own.

    Yields
    ------
    result of `write`
        One per task, in order, when it is written.

    Examples
    --------
    >>> from melanet.utils._parallel import read_compute_write
    >>> steps = (lambda i: i * 10, lambda i, x: x + i, lambda i, x: (i, x))
    >>> list(read_compute_write(range(3), *steps))
    [(0, 0), (1, 11), (2, 22)]
    """
    remaining = iter(tasks)
    writing: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:

        def read_next() -> tuple[Item, Future[Input]] | None:
            for task in remaining:
                return task, reader.submit(read, task)
            return None

        reading = read_next()
        while reading is not None:
            task, future = reading
            data = future.result()
            del future
            reading = read_next()
            writing.append(writer.submit(write, task, compute(task, data)))
            del data
            while len(writing) > _MOST_WAITING or (writing and writing[0].done()):
                yield writing.popleft().result()
        while writing:
            yield writing.popleft().result()
