"""Single requests in, batches through the network: one worker thread, and a bound on what waits."""

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np


class Busy(Exception):
    """As much waits as may wait."""


class Batcher:
    """Run functions of batches for callers that have one sample each.

    A single thread runs everything, so that the networks are never entered twice at once. It
    never waits for a batch to fill: it takes what has gathered while the last batch ran. A batch
    is filled up to a power of two with its last sample, so that a function meets few shapes and
    is compiled for each of them once.

    Parameters
    ----------
    functions : dict
        name -> (function, largest batch). A function takes an ndarray of shape (n, ...) and
        returns a sequence of n results.
    max_pending : int
        Jobs that may be under way at a time; see `room`.

    Examples
    --------
    >>> from melanet.serving._batcher import Batcher
    >>> batcher = Batcher({"double": (lambda x: 2 * x, 8)}, max_pending=4)
    >>> with batcher.room(1):
    ...     int(batcher.submit("double", 21).result())
    42
    >>> batcher.close()
    """

    def __init__(self, functions, max_pending):
        self.functions = functions
        self.max_pending = max_pending
        self.pending = 0
        self._jobs = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._worker = threading.Thread(target=self._work, name="melanet-batches", daemon=True)
        self._worker.start()

    @contextmanager
    def room(self, n):
        """Hold room for `n` jobs, from before their pictures are decoded until they are answered.

        Raises
        ------
        Busy
            If there is none.
        """
        with self._changed:
            if self.pending + n > self.max_pending:
                raise Busy(f"{self.pending} pictures are waiting")
            self.pending += n
        try:
            yield
        finally:
            with self._changed:
                self.pending -= n

    def submit(self, name, sample):
        """Queue one sample for a function.

        Returns
        -------
        concurrent.futures.Future
            Of this sample's result.
        """
        job = name, np.asarray(sample), Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("The server is shutting down.")
            self._jobs.append(job)
            self._changed.notify()
        return job[-1]

    def close(self):
        """Run what is queued, then stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()

    def _work(self):
        while jobs := self._take():
            self._run(jobs)

    def _take(self):
        """Wait for a job, and return it with those that can go with it; [] at the end."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return []
                self._changed.wait()
            name = self._jobs[0][0]
            largest = self.functions[name][1]
            taken, rest = [], deque()
            for job in self._jobs:
                fits = job[0] == name and len(taken) < largest
                (taken if fits else rest).append(job)
            self._jobs = rest
            return taken

    def _run(self, jobs):
        jobs = [job for job in jobs if job[-1].set_running_or_notify_cancel()]
        if not jobs:
            return
        function, largest = self.functions[jobs[0][0]]
        size = min(1 << (len(jobs) - 1).bit_length(), largest)
        rows = np.arange(size).clip(max=len(jobs) - 1)
        try:
            results = function(np.stack([jobs[i][1] for i in rows]))
            results = [results[i] for i in range(len(jobs))]
        except Exception as error:  # the callers get it; the thread goes on
            for *_, future in jobs:
                future.set_exception(error)
        else:
            for (*_, future), result in zip(jobs, results):
                future.set_result(result)


def batch_sizes(largest):
    """Return the sizes that a batch can have: the powers of two below `largest`, and it."""
    return [1 << i for i in range((largest - 1).bit_length())] + [largest]
