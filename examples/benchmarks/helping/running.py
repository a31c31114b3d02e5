"""Run draws in several processes: build the training sets, train, score, store."""

import os
import time
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

import numpy as np

from helping import classifiers, scores, tasks
from helping.arms import ARMS, VERSIONS, Arm, Synthetic, samplers, translations
from helping.bad_sets import BAD_ARMS
from helping.store import Store, digest

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
    """

    scale: tasks.Scale
    out: str
    arms: tuple
    variants: tuple = ()
    draws: tuple | None = None

    def arm(self, name):
        """Return the arm of a name."""
        arms = {**ARMS, **BAD_ARMS}
        return arms[name] if name in arms else Arm(translations, name)

    def jobs(self):
        """Return the draws, (task, seed), in their starting order."""
        jobs = [(t, s) for t in self.scale.tasks for s in range(self.scale.seeds)]
        jobs = [(t, s) for t, s in jobs if t.name != tasks.TEN or s == 0]
        return [(t, s) for t, s in jobs if self.draws is None or (t.name, s) in self.draws]

    def sampler_key(self, task, seed, name):
        """Return the key of a sampler's synthetic samples: a digest of all that they depend on."""
        options = samplers(self.scale, self.variants)[name](task)
        version = VERSIONS.get(name, VERSIONS["default"])
        settings = [task.settings(), _recipe(task, options), options.get("sources"), version]
        return f"{task.name}-{seed}-{name.replace(' ', '-')}-{digest(settings)}"

    def keys(self, task, seed):
        """Return key -> (arm, augmented) of every result of a draw."""
        keys = {}
        for name in self.arms:
            arm = self.arm(name)
            sampler = arm.sampler and self.sampler_key(task, seed, arm.sampler)
            for augmented in (False, True):
                settings = [task.settings(), task.steps, classifiers.SETTINGS]
                settings += [name, arm.version, sampler]
                column = "augmented" if augmented else "raw"
                key = f"{task.name}|{seed}|{name}|{column}|{digest(settings)}"
                keys[key] = (name, augmented)
        return keys


def _recipe(task, options):
    """Resolve a sampler's options; leave out settings that are off, so that keys stay valid."""
    from dataclasses import fields

    from melanet.over_sampling import Recipe, resolve_recipe

    names = {field.name for field in fields(Recipe)} & options.keys()
    recipe = resolve_recipe(
        options.get("preset", "default"),
        (task.side, task.side, task.channels),
        **{name: options[name] for name in names},
    )
    return {name: value for name, value in recipe.as_dict().items() if value}


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
    report(f"{len(plan.jobs())} draws, {len(waiting)} of them to run, {jobs} processes")
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
    for key, (name, augmented) in wanted.items():
        record = {
            "key": key, "task": task.name, "half": task.half, "shift": task.shift, "seed": seed,
            "arm": name, "augmented": augmented,
        }  # fmt: skip
        try:
            if name not in training_sets:
                training_sets = {name: training_set(plan, store, task, seed, draw, name)}
            X, y, weights, facts = training_sets[name]
            record.update(facts, **evaluate(task, draw, X, y, weights, seed, augmented))
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
    """Return the training set of an arm: images, labels, weights or None, facts."""
    arm, samples, facts = plan.arm(name), None, {}
    if arm.sampler:
        samples = synthetic(plan, store, task, seed, draw, arm.sampler)
        facts = {f"sampler_{k}": v for k, v in samples.facts.items()}
        facts["translations"] = arm.keeps * samples.facts["translations"]
    start, cpu = time.perf_counter(), time.process_time()
    X, y, weights = arm.make(draw, samples, arm_rng(draw, seed), task.flip)
    facts["make_cpu_s"] = time.process_time() - cpu
    facts["make_wall_s"] = time.perf_counter() - start
    return X, y, weights, facts


def arm_rng(draw, seed):
    """Return the random generator of an arm, the same for every arm."""
    return np.random.default_rng([seed, len(draw.X), 3])


def synthetic(plan, store, task, seed, draw, name):
    """Return a sampler's synthetic samples of a draw, stored or generated now."""
    options = samplers(plan.scale, plan.variants)[name](task)

    def make():
        from melanet import GANOversampler

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
        facts.update(_oracle_facts(task, draw, samples))
        return samples

    return store.synthetic(plan.sampler_key(task, seed, name), make)


@cache
def _classifier(shape, n_classes, steps):
    return classifiers.Classifier(shape, n_classes, steps)


def _oracle_facts(task, draw, samples):
    """Judge the translations by a classifier of all real images except the test's."""
    labels = np.array(task.labels)
    shape = (task.side, task.side, task.channels)
    oracle = _classifier(shape, len(labels), max(task.steps, 500))
    oracle.fit(draw.X_oracle, _codes(labels, draw.y_oracle), seed=99, augment=True, flip=task.flip)
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


def evaluate(task, draw, X, y, weights, seed, augmented):
    """Train on a set, and return the scores on the test images and the seconds."""
    labels = np.array(task.labels)
    classifier = _classifier((task.side, task.side, task.channels), len(labels), task.steps)
    start, cpu = time.perf_counter(), time.process_time()
    classifier.fit(
        X, _codes(labels, y), weights, seed=seed, augment=augmented, flip=task.flip
    )  # fmt: skip
    result = scores.score(_codes(labels, draw.y_test), classifier.predict_proba(draw.X_test))
    result["fit_cpu_s"] = time.process_time() - cpu
    result["fit_wall_s"] = time.perf_counter() - start
    return result
