"""The expected hours of a run, said before it starts."""

import numpy as np

from helping.classifiers import SETTINGS

# Processor seconds measured on one core of a two-core machine; a run's own seconds replace them.
_STEP = (0.0024, 1e-5)  # of the small network: a constant, and for each pixel of an image
_WARP = 1.2e-7  # to warp one value of an image
_FEATURES = 1 / 130  # of an image by the frozen network
_EDIT_STEP = 1.0  # of a GAN that edits at 64 pixels
_REDRAW_STEP = 3e-4  # of a GAN that redraws, for each pixel


def expected_hours(plan, jobs, records, stored):
    """Return the hours of one process that the missing results of a plan take.

    Parameters
    ----------
    plan : helping.running.Plan
        Plan of the run.
    jobs : list of (helping.tasks.Task, int)
        Draws to run.
    records : dict
        key -> record of all successful results.
    stored : callable
        Whether the synthetic samples of a key are stored.
    """
    measured = _medians(records.values())
    seconds, samplers = 0.0, {}
    for task, seed in jobs:
        for key, (name, column) in plan.keys(task, seed).items():
            sampler = plan.arm(name).sampler
            if key not in records:
                seconds += measured.get((task.name, column), _fit_seconds(task, column))
                if sampler:
                    samplers[plan.sampler_key(task, seed, sampler)] = task, sampler
    for key, (task, sampler) in samplers.items():
        if not stored(key):
            seconds += measured.get((task.name, sampler), _sampler_seconds(plan, task, sampler))
    return seconds / 3600


def _medians(records):
    """Return the median seconds of a fit by (task, column), and of a GAN by (task, arm)."""
    found = {}
    for record in records:
        fits = found.setdefault((record["task"], record["column"]), [])
        fits.append(record["fit_cpu_s"] + record["make_cpu_s"])
        if "sampler_cpu_s" in record:
            gans = found.setdefault((record["task"], record["arm"]), [])
            gans.append(record["sampler_cpu_s"])
    return {key: float(np.median(values)) for key, values in found.items()}


def _size(task):
    return sum(n or 500 for _, n in task.counts)  # None: all, of some hundreds


def _fit_seconds(task, column):
    if column == "features":
        return _FEATURES * _size(task)  # half of an arm's images are new to it
    seconds = task.steps * (_STEP[0] + _STEP[1] * task.side**2)
    if column == "augmented":
        seconds += task.steps * SETTINGS["batch"] * task.side**2 * task.channels * _WARP
    return seconds


def _sampler_seconds(plan, task, name):
    recipe = plan.recipe(task, name)
    classes = 1 if recipe.conditional else len(task.counts) - 1  # that are trained
    steps = recipe.steps or recipe.epochs * min(n or 500 for _, n in task.counts)
    if recipe.generator == "edit":
        return classes * steps * _EDIT_STEP * (min(task.side, 64) / 64) ** 2
    return classes * steps * _REDRAW_STEP * task.side**2
