"""Batching: single requests in, batches through one worker thread, with a bounded queue."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# A function of an ndarray of shape (n, ...) to a sequence of n results, and its largest n.
BatchFunction = tuple[Callable[[np.ndarray], Any], int]


class QueueFull(Exception):
    """The queue is full."""


class _Job(NamedTuple):
    name: str
    sample: np.ndarray
    future: Future


class Batcher:
    """Run batch functions for callers that have one sample each.

    A single thread runs everything, so the models never run concurrently. It does not wait for a
    batch to fill: the next batch holds the samples that arrived while the last one ran. The last
    sample pads a batch to a power of two, so that a function sees few shapes and is compiled once
    for each.

    Parameters
    ----------
    functions : dict
        name -> (function, largest batch). A function takes an ndarray of shape (n, ...) and
        returns a sequence of n results.
    max_pending : int
        Maximum number of samples in progress; see `reserve`.

    Examples
    --------
    >>> from melanet.serving._batcher import Batcher
    >>> batcher = Batcher({"double": (lambda x: 2 * x, 8)}, max_pending=4)
    >>> with batcher.reserve(1):
    ...     int(batcher.submit("double", 21).result())
    42
    >>> batcher.close()
    """

    def __init__(self, functions: dict[str, BatchFunction], max_pending: int):
        self.functions = functions
        self.max_pending = max_pending
        self.pending = 0
        self._jobs: deque[_Job] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._worker = threading.Thread(target=self._work, name="melanet-batches", daemon=True)
        self._worker.start()

    @contextmanager
    def reserve(self, n: int) -> Iterator[None]:
        """Reserve places for `n` samples, from before their decoding until their results are sent.

        Raises
        ------
        QueueFull
            If fewer than `n` places are free.
        """
        with self._changed:
            if self.pending + n > self.max_pending:
                raise QueueFull(f"{self.pending} of {self.max_pending} places are taken")
            self.pending += n
        try:
            yield
        finally:
            with self._changed:
                self.pending -= n

    def submit(self, name: str, sample: ArrayLike) -> Future:
        """Queue one sample for a function.

        Returns
        -------
        concurrent.futures.Future
            Future of the sample's result.

        Raises
        ------
        RuntimeError
            After `close`.
        """
        job = _Job(name, np.asarray(sample), Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("The server is shutting down.")
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Run the queued jobs, then stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()

    def _work(self):
        while jobs := self._take_batch():
            self._run(jobs)

    def _take_batch(self):
        """Wait for a job; return it with the jobs that fit its batch, or [] once closed."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return []
                self._changed.wait()
            name = self._jobs[0].name
            _, largest = self.functions[name]
            taken: list[_Job] = []
            rest: deque[_Job] = deque()
            for job in self._jobs:
                fits = job.name == name and len(taken) < largest
                (taken if fits else rest).append(job)
            self._jobs = rest
            return taken

    def _run(self, jobs):
        jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        function, largest = self.functions[jobs[0].name]
        size = min(1 << (len(jobs) - 1).bit_length(), largest)
        rows = np.arange(size).clip(max=len(jobs) - 1)
        try:
            results = function(np.stack([jobs[i].sample for i in rows]))
            results = [results[i] for i in range(len(jobs))]
        except Exception as error:  # raised to the callers; the thread continues
            for job in jobs:
                job.future.set_exception(error)
        else:
            for job, result in zip(jobs, results):
                job.future.set_result(result)


def batch_sizes(largest: int) -> list[int]:
    """Return the possible sizes of a batch: the powers of two below `largest`, and `largest`."""
    return [1 << i for i in range((largest - 1).bit_length())] + [largest]
