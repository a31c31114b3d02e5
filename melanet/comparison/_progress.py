"""Progress of a comparison: an estimate of the time, and a bar."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from melanet.comparison._remedies import Remedy
from melanet.comparison._runs import Record, Store, total_seconds


class Reporter(contextlib.AbstractContextManager):
    """Show what a comparison has done, and how long the rest will take.

    Parameters
    ----------
    tasks : sequence of (Remedy, int)
        All pairs of remedy and fold.
    store : Store
        Records of finished ones.
    verbose : int
        0 shows nothing.
    """

    def __init__(self, tasks: Sequence[tuple[Remedy, int]], store: Store, verbose: int):
        self._tasks, self._store, self._verbose = tasks, store, verbose
        self._bar: Any = None

    def __enter__(self) -> Reporter:
        if self._verbose:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns)
            self._bar.__enter__()
            n_done = sum((remedy.name, i) in self._store.done for remedy, i in self._tasks)
            self._task = self._bar.add_task("comparing", total=len(self._tasks), completed=n_done)
            if n_done:
                self._bar.console.print(f"Resumed: {n_done} of {len(self._tasks)} parts are there")
        return self

    def __exit__(self, *details: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*details)

    def update(self, record: Record, seconds: float) -> None:
        """Advance by one record."""
        if self._bar is None:
            return
        left = self.seconds_left()
        text = f"{record['remedy']}, fold {record['fold'] + 1}"
        if left is not None:
            text += f" ({_time(left)} left)"
        self._bar.update(self._task, advance=1, description=text)

    def seconds_left(self) -> float | None:
        """Return the seconds that the remaining parts will take; None if one was never run."""
        known: dict[str, list[float]] = {}
        for record in self._store.records:
            known.setdefault(record["remedy"], []).append(total_seconds(record))
        waiting = Counter(r.name for r, i in self._tasks if (r.name, i) not in self._store.done)
        if not set(waiting) <= set(known):
            return None
        return sum(n * sum(known[name]) / len(known[name]) for name, n in waiting.items())


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
