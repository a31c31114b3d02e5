"""Run draws in several processes: build the training sets, train, score, store."""

import os
import time
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np
from measuring.pretrained import keras_vgg16

from helping import classifiers, scores, tasks
from helping.arms import (
    ARMS,
    FEATURES_SIDE,
    VERSIONS,
    Synthetic,
    TrainingSet,
    sampler_arms,
    samplers,
)
from helping.bad_sets import BAD_ARMS
from helping.forecast import expected_hours
from helping.store import Store, digest

COLUMNS = ("raw", "augmented", "features")
_DRAWS_PER_PROCESS = 6  # TensorFlow keeps the graph of each training


@dataclass(frozen=True)
class Plan:
    """Tasks, arms and draws of a run.

    Parameters
    ----------
    scale : helping.tasks.Scale
        Tasks and budgets.
    out : str
        Output folder.
    arms : tuple of str
        Names of arms.
    variants : tuple of (str, dict)
        Further samplers; each is an arm with the sampler's name.
    draws : tuple of (str, int) or None
        Names of tasks and seeds to run; None runs all.
    columns : tuple of str
        Classifiers: "raw" and "augmented", the small network without and with warped images, and
        "features", the logistic regression on frozen features, for images of 32 pixels or more.
    weights : str or None
        Folder of pretrained weights. Without it samplers take no pretrained features, and
        "features" cannot run.
    """

    scale: tasks.Scale
    out: str
    arms: tuple
    variants: tuple = ()
    draws: tuple | None = None
    columns: tuple = COLUMNS[:2]
    weights: str | None = None

    def arm(self, name):
        """Return the arm of a name."""
        variants = [sampler_arms(variant) for variant, _ in self.variants]
        return {k: arm for arms in (ARMS, BAD_ARMS, *variants) for k, arm in arms.items()}[name]

    def options(self, task, name):
        """Return a sampler's options for a task, and the name of its pretrained features."""
        options = samplers(self.scale, self.variants)[name](task)
        if self.weights is None or task.side < FEATURES_SIDE or options.get("preset") == "paper":
            return {"features": None, **options}, None
        return options, "vgg16"

    def jobs(self):
        """Return the draws, (task, seed), in their starting order."""
        seeds = {tasks.TEN: self.scale.seeds_of_ten}
        jobs = [
            (t, s) for t in self.scale.tasks for s in range(seeds.get(t.name, self.scale.seeds))
        ]
        return [(t, s) for t, s in jobs if self.draws is None or (t.name, s) in self.draws]

    def recipe(self, task, name):
        """Return the recipe that a sampler's options resolve to."""
        from dataclasses import fields

        from melanet.over_sampling import Recipe, resolve_recipe

        options, _ = self.options(task, name)
        names = {field.name for field in fields(Recipe)} & options.keys() - {"features"}
        return resolve_recipe(
            options.get("preset", "default"),
            (task.side, task.side, task.channels),
            options.get("quality", "default"),
            **{name: options[name] for name in names},
        )

    def sampler_key(self, task, seed, name):
        """Return the key of a sampler's synthetic samples: a digest of all that they depend on."""
        options, features = self.options(task, name)
        version = VERSIONS.get(name, VERSIONS["default"])
        # Settings that are off are left out, so that keys stay valid.
        recipe = {k: v for k, v in self.recipe(task, name).as_dict().items() if v}
        settings = [task.settings(), recipe, options.get("sources"), version, features]
        return f"{task.name}-{seed}-{name.replace(' ', '-')}-{digest(settings)}"

    def keys(self, task, seed):
        """Return key -> (arm, column) of every result of a draw."""
        keys = {}
        for name in self.arms:
            arm = self.arm(name)
            sampler = arm.sampler and self.sampler_key(task, seed, arm.sampler)
            for column in self.columns:
                if _fits(task, arm, column):
                    settings = [task.settings(), name, arm.version, sampler]
                    if column == "features":
                        settings.append(classifiers.FROZEN)
                    else:
                        settings += [task.steps, classifiers.SETTINGS]
                    key = f"{task.name}|{seed}|{name}|{column}|{digest(settings)}"
                    keys[key] = (name, column)
        return keys


def _fits(task, arm, column):
    if arm.shift_only and not task.shift:
        return False
    return column != "features" or (task.side >= FEATURES_SIDE and not arm.steps_only)


def run(plan, jobs=2, report=print):
    """Run the draws that have no results yet.

    Parameters
    ----------
    plan : Plan
        Plan of the run.
    jobs : int
        Number of processes of one thread each.
    report : callable
        Function that is called with a line for each finished draw.

    Returns
    -------
    list of dict
        All stored records of the plan.
    """
    store = Store(plan.out)
    done = _successful(store)
    waiting = [job for job in plan.jobs() if plan.keys(*job).keys() - done.keys()]
    hours = expected_hours(plan, waiting, done, store.has_synthetic)
    report(
        f"{len(plan.jobs())} draws, {len(waiting)} of them to run; expected: {hours:.2f} processor "
        f"hours in {jobs} processes"
    )
    if waiting:
        in_processes(run_draw, plan, waiting, jobs, report)
    records = store.records()
    wanted = [key for job in plan.jobs() for key in plan.keys(*job)]
    return [records[key] for key in wanted if key in records]


def _successful(store):
    return {key: record for key, record in store.records().items() if "error" not in record}


def in_processes(work, plan, waiting, jobs, report):
    """Call ``work(plan, task, seed)`` for each draw in processes; report the returned lines."""
    # One thread each; it must be set before a process loads TensorFlow.
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ.update(dict.fromkeys(threads, "1"), TF_CPP_MIN_LOG_LEVEL="3")
    start = time.perf_counter()
    calls = [(work, plan, task, seed) for task, seed in waiting]
    # ProcessPoolExecutor with max_tasks_per_child stops replacing its processes.
    with get_context("spawn").Pool(
        min(jobs, len(waiting)), maxtasksperchild=_DRAWS_PER_PROCESS
    ) as pool:
        for n, line in enumerate(pool.imap_unordered(_call, calls), 1):
            spent = time.perf_counter() - start
            report(f"[{n}/{len(waiting)}, {spent:.0f} s] {line}")


def _call(arguments):
    work, *rest = arguments
    return work(*rest)


def run_draw(plan, task, seed):
    """Run the arms of one draw that have no results yet; return a line for the log."""
    store = Store(plan.out)
    done = _successful(store)
    wanted = {key: arm for key, arm in plan.keys(task, seed).items() if key not in done}
    start, cpu = time.perf_counter(), time.process_time()
    draw = tasks.draw(task, seed)
    failed = set()
    training_sets = {}
    for key, (name, column) in wanted.items():
        record = {
            "key": key, "task": task.name, "half": task.half, "shift": task.shift,
            "share": task.share, "side": task.side, "final": task.final, "seed": seed,
            "arm": name, "column": column,
        }  # fmt: skip
        try:
            if name not in training_sets:
                training_sets = {name: training_set(plan, store, task, seed, draw, name)}
            training, facts = training_sets[name]
            record.update(facts, **evaluate(plan, task, draw, training, seed, column))
        except Exception as error:
            record["error"] = f"{type(error).__name__}: {error}"[:500]
            failed.add(name)
        store.add(record)
    line = (
        f"{task.name}, seed {seed}: {len(wanted)} results, "
        f"{time.process_time() - cpu:.0f} s of CPU, {time.perf_counter() - start:.0f} s"
    )
    return line + (f"; FAILED: {', '.join(sorted(failed))}" if failed else "")


def training_set(plan, store, task, seed, draw, name):
    """Return the `helping.arms.TrainingSet` of an arm, and facts."""
    arm, samples, facts = plan.arm(name), None, {}
    if arm.sampler:
        samples = synthetic(plan, store, task, seed, draw, arm.sampler)
        facts = {f"sampler_{k}": v for k, v in samples.facts.items()}
        facts["translations"] = arm.keeps * samples.facts["translations"]
    start, cpu = time.perf_counter(), time.process_time()
    training = arm.make(draw, samples, arm_rng(draw, seed), task.flip)
    facts["make_cpu_s"] = time.process_time() - cpu
    facts["make_wall_s"] = time.perf_counter() - start
    return training, facts


def arm_rng(draw, seed):
    """Return the random generator of an arm, the same for every arm."""
    return np.random.default_rng([seed, len(draw.X), 3])


def synthetic(plan, store, task, seed, draw, name):
    """Return a sampler's synthetic samples of a draw, stored or generated now."""
    options, features = plan.options(task, name)

    def make():
        from melanet import GANOversampler

        if features:
            options["features"] = keras_vgg16(plan.weights)
        start, cpu = time.perf_counter(), time.process_time()
        sampler = GANOversampler(random_state=seed, **options)
        X, y = sampler.fit_resample(draw.X, draw.y)
        n, kinds = len(draw.X), sampler.source_kind_
        facts = {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - start,
            "translations": float(np.mean(kinds == "translation")),
        }
        samples = Synthetic(X[n:], y[n:], sampler.source_indices_, kinds.astype(str), facts)
        facts["reports"] = {
            str(label): report.measures for label, report in sampler.reports_.items()
        }
        facts.update(_verdict(draw, samples, seed), **_oracle_facts(task, draw, samples))
        return samples

    return store.synthetic(plan.sampler_key(task, seed, name), make)


def _verdict(draw, samples, seed):
    """Return the quality report's verdict on the samples of two classes."""
    from melanet.metrics import quality_report

    if len(np.unique(draw.y)) > 2:
        return {}
    report = quality_report(
        draw.X, draw.y, samples.X, samples.y, source_indices=samples.sources, random_state=seed
    )
    return {"verdict": report.verdict}


@cache
def _network(shape, n_classes, steps):
    return classifiers.SmallNetwork(shape, n_classes, steps)


@cache
def _frozen(weights, n_classes):
    return classifiers.FrozenFeatures(weights, n_classes)


def _oracle_facts(task, draw, samples):
    """Judge the translations by a classifier of all real images except the test's."""
    labels = np.array(task.labels)
    shape = (task.side, task.side, task.channels)
    oracle = _network(shape, len(labels), max(task.steps, 500))
    everything = TrainingSet(draw.X_oracle, draw.y_oracle)
    oracle.fit(everything, _codes(labels, draw.y_oracle), seed=99, augment=True, flip=task.flip)
    right = oracle.predict_proba(draw.X_test).argmax(axis=1) == _codes(labels, draw.y_test)
    translated = samples.kinds == "translation"
    facts = {"oracle_accuracy": float(right.mean())}
    if translated.any():
        votes = oracle.predict_proba(samples.X[translated]).argmax(axis=1)
        hits = votes == _codes(labels, samples.y[translated])
        facts["recognised"] = float(hits.mean())
    return facts


def _codes(labels, y):
    return np.argmax(y[:, None] == labels, axis=1)


def evaluate(plan, task, draw, training, seed, column):
    """Train a classifier, tune its threshold on the held part, and score it on the test set.

    Returns
    -------
    dict
        The scores, and the seconds of the fit.
    """
    labels = np.array(task.labels)
    codes = _codes(labels, training.y)
    start, cpu = time.perf_counter(), time.process_time()
    if column == "features":
        classifier = _frozen(plan.weights, len(labels)).fit(training, codes, seed=seed)
    else:
        shape = (task.side, task.side, task.channels)
        classifier = _network(shape, len(labels), task.steps).fit(
            training, codes, seed=seed, augment=column == "augmented", flip=task.flip
        )
    seconds = {
        "fit_cpu_s": time.process_time() - cpu,
        "fit_wall_s": time.perf_counter() - start,
    }

    def predict(images):
        probabilities = classifier.predict_proba(images)
        if training.prior_corrected:
            return classifiers.correct_prior(probabilities, np.bincount(codes))
        return probabilities

    threshold = None
    if len(labels) == 2:
        held = predict(draw.X_held)[:, 1]
        threshold = scores.tune_threshold(_codes(labels, draw.y_held) == 1, held)
    codes_test = _codes(labels, draw.y_test)
    return {**scores.score(codes_test, predict(draw.X_test), threshold, draw.marked), **seconds}
