"""The records of a run, arranged by task, arm, column and seed."""

import numpy as np

from helping.arms import REFERENCE
from helping.scores import compare, mean_ranks
from melanet.utils import _files

COLUMNS = {False: "raw", True: "augmented"}


class Results:
    """Records of a run, successful and failed ones.

    Parameters
    ----------
    records : list of dict
        Records from `helping.running.run`.
    """

    def __init__(self, records):
        self.failed = [record for record in records if "error" in record]
        self.good = [record for record in records if "error" not in record]
        self.tasks = list(dict.fromkeys(record["task"] for record in records))
        self.arms = list(dict.fromkeys(record["arm"] for record in records))
        self.half = {record["task"]: record["half"] for record in records}
        self.shift = {r["task"]: r["shift"] for r in records if r["shift"]}
        self._cells = {}
        for record in self.good:
            cell = record["task"], record["arm"], record["augmented"]
            self._cells.setdefault(cell, {})[record["seed"]] = record

    def only(self, half):
        """Return the results of one half of the tasks."""
        return Results([r for r in self.good + self.failed if r["half"] == half])

    def values(self, task, arm, augmented, name):
        """Return seed -> value, without the seeds that have none."""
        cell = self._cells.get((task, arm, augmented), {})
        return {seed: record[name] for seed, record in sorted(cell.items()) if name in record}

    def every(self, arm, name, augmented=None):
        """Return the values of an arm over all tasks and seeds, in one column or both."""
        return [
            record[name]
            for record in self.good
            if record["arm"] == arm and name in record and augmented in (None, record["augmented"])
        ]

    def mean(self, task, arm, augmented, name):
        """Return mean and standard deviation over the seeds, NaN if there are too few."""
        values = list(self.values(task, arm, augmented, name).values())
        spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
        return (np.mean(values) if values else np.nan), spread

    def ranks(self, augmented, name):
        """Return arm -> mean rank over the tasks that all arms have finished."""
        table = [[self.mean(t, a, augmented, name)[0] for a in self.arms] for t in self.tasks]
        ranks = mean_ranks(np.array(table)) if table else None
        return dict(zip(self.arms, ranks)) if ranks is not None else {}

    def against(self, arm, augmented, *, reference=REFERENCE, name="balanced_accuracy"):
        """Compare an arm with a reference with classifier augmentation, draw by draw."""
        tasks, differences = [], []
        for task in self.tasks:
            pairs = self.differences(task, arm, augmented, reference, name)
            if len(pairs):
                tasks.append(task)
                differences.append(pairs)
        result = compare(differences)
        return {**result, "lost": [tasks[i] for i in result["lost"]]}

    def differences(self, task, arm, augmented, reference=REFERENCE, name="balanced_accuracy"):
        """Return arm minus augmented reference for the seeds that both have."""
        values = self.values(task, arm, augmented, name)
        baseline = self.values(task, reference, True, name)
        return np.array([values[seed] - baseline[seed] for seed in values if seed in baseline])

    def write_csv(self, path):
        """Write all records as a table, atomically."""
        records = self.good + self.failed
        names = dict.fromkeys(name for r in records for name in r if name != "key")
        _files.write_csv(path, [{name: r.get(name, "") for name in names} for r in records])
