"""The result of a comparison: tables, a choice, advice in words, a figure and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from melanet.comparison._advice import Choice, choose, write_advice
from melanet.comparison._measures import DECISION, MEASURES, TUNED
from melanet.comparison._remedies import NOTHING, THRESHOLD
from melanet.comparison._runs import Record, Store
from melanet.metrics._paired_differences import Paired, corrected_t_test, holm
from melanet.utils._files import write_csv
from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Summary(NamedTuple):
    """Facts about the data and the folds, for texts.

    Parameters
    ----------
    counts : dict
        Label -> number of samples.
    positive : object or None
        The rarer of two classes.
    n_folds, n_repeats : int
        Number of all folds, and of their repetitions.
    ratio : float
        Test samples for each training sample.
    rare_tested : int
        Fewest samples of the rarest class in a fold's test rows.
    rarest : object
        The rarest class.
    unit : str
        "images" or "rows".
    stopped : bool
        Whether `max_seconds` ended the comparison.
    """

    counts: dict[Any, int]
    positive: Any
    n_folds: int
    n_repeats: int
    ratio: float
    rare_tested: int
    rarest: Any
    unit: str
    stopped: bool


class Comparison:
    """Remedies compared on one data set, as returned by :func:`melanet.compare`.

    ``str(comparison)`` is a table and the advice.

    Parameters
    ----------
    models, remedies : sequence of str
        Names of the estimators and of the remedies, in their order.
    scoring : str
        Measure of the ranking.
    summary : Summary
        Facts about the data and the folds.
    store : Store
        Records of all fits.

    Attributes
    ----------
    results_ : pandas.DataFrame or dict of ndarray
        A row for each estimator and remedy: ``estimator``, ``remedy``, ``n_folds``, ``seconds``
        a fold, the mean of each measure, and for the ranking measure and for balanced accuracy
        the paired difference to the first remedy with its 95 % interval and p-values, plain and
        corrected by Holm's method for the number of remedies. ``note`` says why a row is empty or
        incomplete. A DataFrame where pandas is installed.
    scores_ : pandas.DataFrame or dict of ndarray
        A row for each estimator, remedy and fold, with the measures and seconds.
    best_ : dict
        Estimator -> ``{"ranking": remedy, "decision": remedy}``, the cheapest remedies that no
        other beats; None where nothing can be told apart.
    advice_ : str
        One paragraph.
    notes_ : list of str
        Everything that was left out, failed, or was warned of.
    seconds_ : float
        Seconds of all fits.
    samplers_ : dict
        Remedy -> sampler that trains GANs, as fitted on the first fold by this process.
    """

    def __init__(
        self,
        models: Sequence[str],
        remedies: Sequence[str],
        scoring: str,
        summary: Summary,
        store: Store,
    ):
        self._models, self._remedies = list(models), list(remedies)
        self._scoring, self._summary, self._store = scoring, summary, store
        self.seconds_ = store.seconds
        self.samplers_ = store.samplers
        self._records = {(r["remedy"], r["fold"]): r for r in store.records}
        self.notes_ = self._collect_notes()
        self._rows = self._summarise()
        self.results_ = _table(self._rows)
        self.scores_ = _table(self._list_scores())
        self._choices: dict[str, Choice | None] = {
            model: choose(self, model, scoring, summary) for model in self._models
        }
        self.best_ = {
            model: choice and {"ranking": choice.ranking, "decision": choice.decision}
            for model, choice in self._choices.items()
        }
        self.advice_ = write_advice(self, self._choices, scoring, summary)

    @property
    def remedies(self) -> list[str]:
        """Names of the remedies, in the order of their cost."""
        return list(self._remedies)

    @property
    def models(self) -> list[str]:
        """Names of the estimators."""
        return list(self._models)

    def values(self, model: str, remedy: str, measure: str) -> dict[int, float]:
        """Return fold -> value of a measure, for the folds that were run.

        Parameters
        ----------
        model, remedy, measure : str
            Names of an estimator, a remedy and a measure.

        Returns
        -------
        dict
        """
        source = NOTHING if remedy == THRESHOLD else remedy
        if remedy == THRESHOLD and measure == DECISION:
            measure = TUNED
        found = {}
        for (name, fold), record in self._records.items():
            value = record["fits"].get(model, {}).get(measure, math.nan)
            if name == source and not math.isnan(value):
                found[fold] = value
        return dict(sorted(found.items()))

    def paired(
        self, model: str, first: tuple[str, str], second: tuple[str, str]
    ) -> tuple[Paired, np.ndarray]:
        """Return the test of the differences of two pairs (remedy, measure) on common folds.

        Parameters
        ----------
        model : str
            Name of an estimator.
        first, second : (str, str)
            Names of a remedy and a measure.

        Returns
        -------
        test : Paired
        differences : ndarray of shape (n_folds,)
        """
        a, b = self.values(model, *first), self.values(model, *second)
        differences = np.array([a[fold] - b[fold] for fold in a if fold in b])
        return corrected_t_test(differences, self._summary.ratio), differences

    def records(self, remedy: str) -> list[Record]:
        """Return the records of a remedy, by fold.

        Parameters
        ----------
        remedy : str
            Name of the remedy.

        Returns
        -------
        list of dict
        """
        source = NOTHING if remedy == THRESHOLD else remedy
        return [r for (name, _), r in sorted(self._records.items()) if name == source]

    def seconds_of(self, model: str, remedy: str) -> float:
        """Return the median seconds of a remedy's resampling and fit on a fold.

        Parameters
        ----------
        model, remedy : str
            Names of an estimator and a remedy.

        Returns
        -------
        float
        """
        found = [
            record["seconds"] + record["fits"][model]["seconds"]
            for record in self.records(remedy)
            if "auc" in record["fits"].get(model, {})
        ]
        return float(np.median(found)) if found else math.nan

    def pictures(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return remedy -> sources and translations in [-1, 1], of the first fold."""
        found = {name: self._store.pictures(name) for name in self._remedies}
        return {name: pair for name, pair in found.items() if pair is not None}

    def to_html(self, path: PathLike) -> None:
        """Write a page with the advice, a figure, the tables and pictures; it loads nothing.

        Parameters
        ----------
        path : str or path-like
            File to write, atomically.
        """
        from melanet.comparison._report import write_page

        write_page(self, self._summary, self._scoring, path)

    def to_csv(self, results: PathLike, scores: PathLike) -> None:
        """Write `results_` and `scores_` to CSV files, atomically.

        Parameters
        ----------
        results, scores : str or path-like
            Files to write. Undefined numbers are empty.
        """
        for path, rows in ((results, self._rows), (scores, self._list_scores())):
            write_csv(
                path,
                [
                    {name: "" if value != value else value for name, value in row.items()}
                    for row in rows
                ],
            )

    def plot(self, path: PathLike | None = None) -> Figure:
        """Draw the differences of all remedies to the first one, with their intervals.

        Parameters
        ----------
        path : str or path-like or None, default=None
            File to write, such as a PNG.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from melanet.plotting import plot_intervals

        return plot_intervals(self.intervals(), path=path)

    def intervals(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Return panel -> remedy -> (difference, low, high), for figures."""
        reference = self._remedies[0]
        panels = {}
        for model in self._models:
            for measure in (self._scoring, DECISION):
                title = f"{model}: {MEASURES[measure]}, difference to {reference}"
                panels[title] = {
                    str(row["remedy"]): (
                        row[f"{measure}_difference"],
                        row[f"{measure}_low"],
                        row[f"{measure}_high"],
                    )
                    for row in self._rows
                    if row["estimator"] == model and row["n_folds"]
                }
        return panels

    def rows(self, model: str) -> list[dict[str, Any]]:
        """Return the rows of `results_` of an estimator.

        Parameters
        ----------
        model : str
            Name of the estimator.

        Returns
        -------
        list of dict
        """
        return [row for row in self._rows if row["estimator"] == model]

    def __str__(self) -> str:
        return "\n\n".join([*(self._format(model) for model in self._models), self.advice_])

    def __repr__(self) -> str:
        return f"<Comparison of {len(self._remedies)} remedies: {self.best_}>"

    def _format(self, model):
        shown = [m for m in MEASURES if any(not math.isnan(r[m]) for r in self.rows(model))]
        titles = {"auc": "AUC", "average_precision": "AP", DECISION: "bal.acc.", TUNED: "tuned"}
        titles |= {"sensitivity_at_specificity": "sens@90", "brier": "Brier"}
        width = max(len(name) for name in self._remedies)
        lines = [f"estimator: {model}"]
        head = "".join(f"{titles[m]:>10}" for m in shown)
        lines.append(f"{'':{width}}{head}{'diff.':>10}{'s/fold':>9}{'folds':>7}")
        for row in self.rows(model):
            if not row["n_folds"]:
                lines.append(f"{row['remedy']:{width}}  {row['note']}")
                continue
            values = "".join(f"{row[m]:>10.3f}" for m in shown)
            values += f"{row[f'{self._scoring}_difference']:>+10.3f}"
            seconds = f"{row['seconds']:.2g}" if row["seconds"] < 10 else f"{row['seconds']:.0f}"
            lines.append(f"{row['remedy']:{width}}{values}{seconds:>9}{row['n_folds']:>7}")
        measure, reference = titles[self._scoring], self._remedies[0]
        lines.append(f"diff.: of {measure} from {reference!r}, on the folds that both have")
        return "\n".join(lines)

    def _summarise(self):
        rows = []
        reference = self._remedies[0]
        for model in self._models:
            own = []
            for remedy in self._remedies:
                row: dict[str, Any] = {"estimator": model, "remedy": remedy}
                row["n_folds"] = len(self.values(model, remedy, "auc"))
                row["seconds"] = self.seconds_of(model, remedy)
                for measure in MEASURES:
                    values = list(self.values(model, remedy, measure).values())
                    row[measure] = float(np.mean(values)) if values else math.nan
                for measure in (self._scoring, DECISION):
                    test, _ = self.paired(model, (remedy, measure), (reference, measure))
                    row[f"{measure}_difference"] = test.mean
                    row[f"{measure}_low"], row[f"{measure}_high"] = test.low, test.high
                    row[f"{measure}_p"] = test.p_value if test.n_folds > 1 else math.nan
                    row[f"{measure}_p_holm"] = math.nan
                row["note"] = self._note(model, remedy)
                own.append(row)
            for measure in (self._scoring, DECISION):
                tested = [
                    row
                    for row in own[1:]
                    if not math.isnan(row[f"{measure}_p"])
                    and (row["remedy"], measure) != (THRESHOLD, self._scoring)
                ]
                corrected = holm([row[f"{measure}_p"] for row in tested])
                for row, p_value in zip(tested, corrected.tolist()):
                    row[f"{measure}_p_holm"] = p_value
            rows += own
        return rows

    def _note(self, model, remedy):
        for record in self.records(remedy):
            for part in (record, record["fits"].get(model, {})):
                if "skipped" in part:
                    return f"does not apply: {part['skipped']}"
        errors = self._errors(model, remedy)
        if errors:
            return f"failed in {sum(errors.values())} folds: {next(iter(errors))}"
        if not self.records(remedy):
            return "not run: max_seconds was over"
        return ""

    def _errors(self, model, remedy):
        errors: dict[str, int] = {}
        for record in self.records(remedy):
            for part in (record, record["fits"].get(model, {})):
                if "error" in part:
                    errors[part["error"]] = errors.get(part["error"], 0) + 1
        return errors

    def _collect_notes(self):
        notes = []
        for remedy in self._remedies:
            found: dict[str, list[str]] = {}
            for model in self._models:
                if text := self._note(model, remedy):
                    found.setdefault(text, []).append(model)
            for text, models in found.items():
                where = "" if len(models) == len(self._models) else f" before {', '.join(models)}"
                notes.append(f"{remedy}{where}: {text}")
            told = [
                r["translation_warning"] for r in self.records(remedy) if "translation_warning" in r
            ]
            if told and remedy != THRESHOLD:
                notes.append(f"{remedy} warned in {len(told)} of its folds, at first: {told[0]}")
        kinds: dict[str, int] = {}
        for record in self._records.values():
            for part in (record, *record["fits"].values()):
                for kind, n in part.get("warnings", {}).items():
                    kinds[kind] = kinds.get(kind, 0) + n
        notes += [f"{kind}: warned {n} times during the fits" for kind, n in sorted(kinds.items())]
        if self._summary.positive is None:
            notes.append("no thresholds are tuned: there are more than two classes")
        return notes

    def _list_scores(self):
        rows = []
        for model in self._models:
            for remedy in self._remedies:
                if remedy == THRESHOLD:
                    continue  # the column of tuned thresholds
                for record in self.records(remedy):
                    fit = record["fits"].get(model, {})
                    if "auc" in fit:
                        rows.append(
                            {"estimator": model, "remedy": remedy, "fold": record["fold"]}
                            | {name: fit[name] for name in MEASURES}
                            | {"seconds": record["seconds"] + fit["seconds"]}
                        )
        return rows


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a DataFrame, or as a dict of arrays without pandas."""
    names = list(rows[0]) if rows else []
    columns = {name: [row[name] for row in rows] for name in names}
    try:
        import pandas as pd
    except ImportError:
        return {name: np.array(values) for name, values in columns.items()}
    return pd.DataFrame(columns)
