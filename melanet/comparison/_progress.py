"""Progress of a comparison: an estimate of the time, and a bar."""

from __future__ import annotations

import contextlib
from typing import Any

from melanet.comparison._cost import describe_estimate, estimate_plan, format_seconds
from melanet.comparison._plan import Plan
from melanet.comparison._runs import Record, Store, n_workers


class Reporter(contextlib.AbstractContextManager):
    """Show what a comparison has done, and how long the rest will take.

    Parameters
    ----------
    plan : Plan
        All that is run.
    store : Store
        Records of finished fits.
    verbose : int
        0 shows nothing.
    n_jobs : int or None
        Processes for the plain remedies.
    """

    def __init__(self, plan: Plan, store: Store, verbose: int, n_jobs: int | None):
        self._plan, self._store, self._verbose = plan, store, verbose
        self._n_workers = n_workers(plan, n_jobs)
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
            tasks = self._plan.tasks
            n_done = sum((remedy.name, i) in self._store.done for remedy, i in tasks)
            self._task = self._bar.add_task("comparing", total=len(tasks), completed=n_done)
            if n_done:
                self._bar.console.print(f"Resumed: {n_done} of {len(tasks)} parts are there")
        return self

    def __exit__(self, *details: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*details)

    def update(self, record: Record) -> None:
        """Advance by one record."""
        if self._bar is None:
            return
        left = self.seconds_left()
        text = f"{record['remedy']}, fold {record['fold'] + 1}"
        if left is not None:
            text += f" ({format_seconds(left)} left)"
        self._bar.update(self._task, advance=1, description=text)

    def estimate(self) -> None:
        """Show how long everything takes, by the folds that were run and a few steps of GANs."""
        if self._bar is None:
            return
        known = self._mean_seconds()
        if any(remedy.slow and remedy.name not in known for remedy in self._plan.runs):
            self._bar.update(self._task, description="timing a few steps of the GANs")
        found = estimate_plan(self._plan, known)
        for remedy in self._plan.runs:
            if not remedy.slow:
                found[remedy.name] /= self._n_workers
        self._bar.console.print(f"Estimate: {describe_estimate(found)}", soft_wrap=True)

    def seconds_left(self) -> float | None:
        """Return the seconds that the remaining parts will take; None if one was never run."""
        known = self._mean_seconds()
        left = [(r, i) for r, i in self._plan.tasks if (r.name, i) not in self._store.done]
        if not {remedy.name for remedy, _ in left} <= set(known):
            return None
        return sum(known[r.name] / (1 if r.slow else self._n_workers) for r, _ in left)

    def _mean_seconds(self) -> dict[str, float]:
        names = {record["remedy"] for record in self._store.records}
        return {name: self._store.usual_seconds(name) for name in names}
