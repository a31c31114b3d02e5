"""The records of a run, arranged by task, arm, column and seed."""

import numpy as np

from helping.arms import REFERENCE
from helping.running import COLUMNS
from helping.scores import compare, mean_ranks
from melanet.utils import _files


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
        found = {record["column"] for record in records}
        self.columns = [column for column in COLUMNS if column in found]
        self.half = {record["task"]: record["half"] for record in records}
        self.share = {r["task"]: (r["shift"], r["share"]) for r in records if r["shift"]}
        self._cells = {}
        for record in self.good:
            cell = record["task"], record["arm"], record["column"]
            self._cells.setdefault(cell, {})[record["seed"]] = record

    def only(self, keep):
        """Return the results of some tasks: those whose records `keep` accepts."""
        return Results([r for r in self.good + self.failed if keep(r)])

    def values(self, task, arm, column, name):
        """Return seed -> value, without the seeds that have none."""
        cell = self._cells.get((task, arm, column), {})
        return {seed: record[name] for seed, record in sorted(cell.items()) if name in record}

    def every(self, arm, name, column=None):
        """Return the values of an arm over all tasks and seeds, in one column or all."""
        return [
            record[name]
            for record in self.good
            if record["arm"] == arm and name in record and column in (None, record["column"])
        ]

    def mean(self, task, arm, column, name):
        """Return mean and standard deviation over the seeds, NaN if there are too few."""
        values = list(self.values(task, arm, column, name).values())
        spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
        return (np.mean(values) if values else np.nan), spread

    def ranks(self, column, name):
        """Return arm -> mean rank over the tasks that all arms of the column have finished."""
        arms = [a for a in self.arms if self.every(a, name, column)]
        table = [[self.mean(t, a, column, name)[0] for a in arms] for t in self.tasks]
        ranks = mean_ranks(np.array(table)) if table and arms else None
        return dict(zip(arms, ranks)) if ranks is not None else {}

    def against(self, arm, column, name, reference=REFERENCE):
        """Compare an arm with a reference in one column, draw by draw; see `scores.compare`."""
        pairs = {t: self.differences(t, arm, column, name, reference) for t in self.tasks}
        pairs = {task: values for task, values in pairs.items() if len(values)}
        result = compare(list(pairs.values()))
        names = list(pairs)
        return {**result, **{k: [names[i] for i in result[k]] for k in ("won", "lost")}}

    def differences(self, task, arm, column, name, reference=REFERENCE):
        """Return arm minus reference for the seeds that both have."""
        values = self.values(task, arm, column, name)
        baseline = self.values(task, reference, column, name)
        return np.array([values[seed] - baseline[seed] for seed in values if seed in baseline])

    def write_csv(self, path):
        """Write all records as a table, atomically."""
        records = self.good + self.failed
        names = dict.fromkeys(name for r in records for name in r if name != "key")
        _files.write_csv(path, [{name: r.get(name, "") for name in names} for r in records])
