"""The fits of a comparison: each remedy on each fold, before every estimator."""

from __future__ import annotations

import math
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from melanet._version import __version__
from melanet.comparison._data import Data
from melanet.comparison._estimators import Model
from melanet.comparison._folds import Fold
from melanet.comparison._measures import measure, tune_threshold
from melanet.comparison._plan import Plan
from melanet.comparison._remedies import (
    NotApplicable,
    Remedy,
    TrainingSet,
    derive_seed,
    gan_samplers,
)
from melanet.exceptions import TranslationWarning
from melanet.metrics import quality_report
from melanet.utils import reproducible
from melanet.utils._files import Journal, read_json, write_json
from melanet.utils._typing import PathLike

_N_PICTURES = 12  # pairs of source and translation kept of each sampler
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

Record = dict[str, Any]


def run_fold(
    data: Data,
    models: Sequence[Model],
    bases: Mapping[str, Any],
    remedy: Remedy,
    number: int,
    fold: Fold,
    seed: int,
    deadline: float = math.inf,
    look: Callable[[Record, TrainingSet], None] | None = None,
) -> Record | None:
    """Apply a remedy to the training rows of a fold and measure every estimator on its test rows.

    Parameters
    ----------
    data : Data
        All samples.
    models : sequence of Model
        Estimators.
    bases : dict
        Name of an estimator -> all samples as it takes them.
    remedy : Remedy
        The remedy.
    number : int
        Number of the fold.
    fold : Fold
        Its rows.
    seed : int
        Seed of the comparison.
    deadline : float
        Time, as of ``time.time``, after which nothing is begun.
    look : callable or None, default=None
        Called with the record and the training set, to add to the record.

    Returns
    -------
    dict or None
        JSON values: "remedy", "fold", "seconds" of the resampling, and in "fits" for each
        estimator its measures and seconds, or "error" or "skipped" with a message. None after the
        deadline.
    """
    if time.time() > deadline:
        return None
    record: Record = {"remedy": remedy.name, "fold": number, "fits": {}}
    start = time.perf_counter()
    try:
        with _noted(record):
            training = remedy.resample(data, fold.fit, derive_seed(seed, number, remedy.name))
    except NotApplicable as reason:
        return {**record, "seconds": 0.0, "skipped": str(reason)}
    except Exception as error:  # of any sampler; the rest goes on
        return {**record, "seconds": _since(start), "error": _message(error)}
    record["seconds"] = _since(start)
    record["n_train"] = len(training.rows) + (
        0 if training.samples is None else len(training.samples)
    )
    prepared: dict[Callable[[Any], Any], Any] = {}
    for model in models:
        start = time.perf_counter()
        fit: Record = {}
        record["fits"][model.name] = fit
        try:
            with _noted(fit):
                if training.samples is not None and model.prepare not in prepared:
                    prepared[model.prepare] = model.prepare(training.samples)
                scores = model.predict(
                    data,
                    bases[model.name],
                    training,
                    prepared.get(model.prepare),
                    (fold.threshold, fold.test),
                    # The same for all remedies, so that differences are theirs.
                    derive_seed(seed, number, model.name),
                )
            threshold = None
            if data.positive is not None and len(fold.threshold):
                threshold = tune_threshold(
                    data.codes[fold.threshold] == data.positive, scores[0][:, data.positive]
                )
            fit |= measure(data.codes[fold.test], scores[1], data.positive, threshold)
        except NotApplicable as reason:
            fit["skipped"] = str(reason)
        except Exception as error:  # of any estimator; the rest goes on
            fit["error"] = _message(error)
        fit["seconds"] = _since(start)
    if look is not None:
        look(record, training)
    return record


def run_tasks(
    plan: Plan,
    tasks: Sequence[tuple[Remedy, int]],
    *,
    n_jobs: int | None,
    deadline: float,
    store: Store,
    report: Callable[[Record], None],
) -> bool:
    """Run remedies on folds in the given order, and keep the records in a store.

    Returns
    -------
    bool
        Whether everything was run before the deadline.
    """
    left = [(remedy, i) for remedy, i in tasks if (remedy.name, i) not in store.done]
    if not left or time.time() > deadline:
        return not left
    data, folds, seed = plan.data, plan.folds, plan.seed
    run = partial(run_fold, data, plan.models, plan.bases, seed=seed, deadline=deadline)
    with plan_scope(plan):
        plain = [(r, i) for r, i in left if not r.slow]
        parallel = n_workers(plan, n_jobs) > 1 and len(plain) > 1
        if parallel:
            results = joblib.Parallel(n_jobs, return_as="generator")(
                joblib.delayed(run)(remedy, i, folds[i]) for remedy, i in plain
            )
            for record in results:
                _keep(record, store, report)
        for remedy, i in left:
            if parallel and not remedy.slow:
                continue
            if time.time() + store.usual_seconds(remedy.name) > deadline and remedy.slow:
                continue
            look = partial(_look_at, data, folds[i], store, seed) if remedy.slow else None
            _keep(run(remedy, i, folds[i], look=look), store, report)
    return all((remedy.name, i) in store.done for remedy, i in tasks)


def n_workers(plan: Plan, n_jobs: int | None) -> int:
    """Return the number of processes for plain remedies; networks stay in the caller's."""
    if n_jobs is None or any(model.in_process for model in plan.models):
        return 1
    return int(joblib.effective_n_jobs(n_jobs))


def plan_scope(plan: Plan) -> AbstractContextManager[None]:
    """Return a context in which all that a plan trains repeats bit for bit."""
    networks = any(model.in_process for model in plan.models) or any(r.slow for r in plan.runs)
    return reproducible() if networks else nullcontext()


def _keep(record, store, report):
    if record is not None:
        store.add(record)
        report(record)


def _look_at(data, fold, store, seed, record, training):
    """Add the sampler's own quality report and pictures; the latter of the first fold only."""
    (gan, *_) = gan_samplers(training.sampler)
    record["copies"] = sum(report.n_copies for report in gan.reports_.values())
    record["synthetic"] = sum(report.n_samples for report in gan.reports_.values())
    if record["fold"]:
        return
    store.samplers[record["remedy"]] = training.sampler
    made = training.samples
    if not data.is_images or made is None or len(made) != len(gan.source_indices_):
        return  # a pipeline went on changing them
    form, X = data.form, data.take(fold.fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            quality = quality_report(
                X,
                data.labels[fold.fit],
                made,
                training.labels,
                source_indices=gan.source_indices_,
                value_range=form.value_range,
                random_state=derive_seed(seed, "quality"),
            )
            record["quality"], record["reasons"] = quality.verdict, quality.reasons
        except ValueError as error:
            record["quality"], record["reasons"] = "not measured", [_message(error)]
    # Translations first; copies are shown where there are not enough.
    chosen = np.argsort(gan.source_kind_ == "copy", kind="stable")[:_N_PICTURES]
    sources = form.encode(X[gan.source_indices_[chosen]])
    store.add_pictures(record["remedy"], sources, form.encode(made[chosen]))


class Store:
    """Records of finished folds, in memory, or in a folder from which a killed run resumes.

    Parameters
    ----------
    folder : str, path-like or None
        Folder; None keeps everything in memory.
    settings : dict
        JSON values that a resumed run must share.

    Attributes
    ----------
    records : list of dict
        Records, see `run_fold`.
    done : set of (str, int)
        Remedies and folds that are in them.
    samplers : dict
        Name -> sampler fitted on the first fold, of this process.
    n_resumed : int
        Records that a previous run left.

    Raises
    ------
    ValueError
        If the folder belongs to a run with other settings; the message names them.
    """

    def __init__(self, folder: PathLike | None, settings: Mapping[str, Any]):
        self.records: list[Record] = []
        self.samplers: dict[str, Any] = {}
        self._pictures: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._folder = None if folder is None else Path(folder)
        self._journal = None
        if self._folder is not None:
            _claim(self._folder, settings)
            self._journal = Journal(self._folder / "fits.jsonl")
            self.records = list(self._journal)
        self.done = {(record["remedy"], record["fold"]) for record in self.records}
        self.n_resumed = len(self.records)

    @property
    def folder(self) -> Path | None:
        """Folder of the records, if they are kept in one."""
        return self._folder

    @property
    def seconds(self) -> float:
        """Seconds of all records."""
        return sum(map(total_seconds, self.records))

    def usual_seconds(self, name: str) -> float:
        """Return the mean seconds of a remedy's folds; 0 before the first."""
        found = [total_seconds(record) for record in self.records if record["remedy"] == name]
        return sum(found) / len(found) if found else 0.0

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)
        self.done.add((record["remedy"], record["fold"]))
        if self._journal is not None:
            self._journal.add(record)

    def add_pictures(self, name: str, sources: np.ndarray, made: np.ndarray) -> None:
        """Keep sources and translations, in [-1, 1]."""
        self._pictures[name] = sources, made
        if self._folder is not None:
            pictures = np.stack([sources, made])
            np.save(self._folder / f"pictures-{derive_seed(0, name)}.npy", pictures)

    def pictures(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return sources and translations of a remedy, if there are any."""
        if name not in self._pictures and self._folder is not None:
            path = self._folder / f"pictures-{derive_seed(0, name)}.npy"
            if path.is_file():
                sources, made = np.load(path, allow_pickle=False)
                self._pictures[name] = sources, made
        return self._pictures.get(name)


def _claim(folder, settings):
    note = folder / "settings.json"
    known = read_json(note)
    if known is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(note, dict(settings))
        return
    changed = [
        f"{name} was {known.get(name)!r} and is {settings.get(name)!r}"
        for name in {**known, **settings}
        if known.get(name) != settings.get(name)
    ]
    if changed:
        raise ValueError(
            f"{str(folder)!r} holds a comparison with other arguments: {'; '.join(changed)}. Give "
            "the same ones to continue it, or another folder"
        )


def total_seconds(record: Record) -> float:
    """Return the seconds of resampling and all fits of a record."""
    return record["seconds"] + sum(fit["seconds"] for fit in record["fits"].values())


def describe_settings(plan: Plan, cv: Any) -> dict[str, Any]:
    """Return all that the records depend on, as JSON values for `Store`."""
    data = plan.data
    return {
        "version": __version__,
        "X": joblib.hash(data.X),
        "y": joblib.hash(data.labels.tolist()),
        "groups": None if data.groups is None else joblib.hash(data.groups.tolist()),
        "cv": _text(cv) if isinstance(cv, (int, tuple)) else type(cv).__name__,
        "folds": joblib.hash([(f.fit.tolist(), f.test.tolist()) for f in plan.folds]),
        "random_state": plan.seed,
        "estimator": {model.name: _text(model.estimator) for model in plan.models},
        "remedies": {r.name: None if r.sampler is None else _text(r.sampler) for r in plan.runs},
    }


def _text(value):
    return " ".join(_ADDRESS.sub("", repr(value)).split())


@contextmanager
def _noted(record: Record) -> Iterator[None]:
    """Count warnings in a record instead of showing them; hundreds of fits would repeat them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            counts = Counter(
                warning.category.__name__
                for warning in caught
                # Deprecations are for developers, and are not shown by default either.
                if not issubclass(warning.category, (TranslationWarning, *_FOR_DEVELOPERS))
            )
            if counts:
                record["warnings"] = dict(counts)
            told = [str(w.message) for w in caught if issubclass(w.category, TranslationWarning)]
            if told:
                record["translation_warning"] = told[0]


def _message(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _since(start):
    return time.perf_counter() - start
