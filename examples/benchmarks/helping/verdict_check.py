"""Compare verdicts of `melanet.metrics.quality_report` with the effect of the same samples."""

import time
from pathlib import Path

import numpy as np

from helping import running, tasks
from helping.arms import REFERENCE
from helping.bad_sets import BAD_SETS
from helping.report import number, table
from helping.running import COLUMNS
from helping.store import Store, digest

VERDICTS = ("use", "use with care", "do not use")
_COLUMNS = COLUMNS[:2]  # the small network's
BAND = 0.005  # smaller effects count as no effect


def _code_digest():
    """Return a digest of the modules that compute a verdict; if they change, it is recomputed."""
    import melanet.metrics

    folder = Path(melanet.metrics.__file__).parent
    return digest({path.name: path.read_text() for path in sorted(folder.glob("*.py"))})


def _keys(plan, task, seed):
    code = _code_digest()
    keys = {}
    for name in plan.arms:
        if name != REFERENCE:
            sampler = plan.arm(name).sampler
            samples = sampler and plan.sampler_key(task, seed, sampler)
            keys[f"{task.name}|{seed}|{name}|{digest([task.settings(), samples, code])}"] = name
    return keys


def compute_verdicts(plan, task, seed):
    """Compute the missing verdicts on one draw; return a line for the log."""
    from melanet.metrics import quality_report

    store, verdicts = Store(plan.out), Store(Path(plan.out) / "verdicts")
    draw, done = tasks.draw(task, seed), verdicts.records()
    start = time.perf_counter()
    for key, name in _keys(plan, task, seed).items():
        if key in done:
            continue
        sampler = plan.arm(name).sampler
        if sampler:
            samples = running.synthetic(plan, store, task, seed, draw, sampler)
        else:
            samples = BAD_SETS[name](draw, running.arm_rng(draw, seed))
        report = quality_report(
            draw.X,
            draw.y,
            samples.X,
            samples.y,
            source_indices=samples.sources,
            random_state=seed,
        )
        if report.verdict not in VERDICTS:
            raise ValueError(f"The verdict must be one of {VERDICTS}. Received: {report.verdict!r}")
        record = {"task": task.name, "half": task.half, "seed": seed, "set": name}
        verdicts.add({"key": key, **record, "verdict": report.verdict})
    return f"{task.name}, seed {seed}: verdicts, {time.perf_counter() - start:.0f} s"


def compute_all_verdicts(plan, jobs, report):
    """Compute the missing verdicts on every draw of a plan; return all records."""
    verdicts = Store(Path(plan.out) / "verdicts")
    wanted = {job: _keys(plan, *job) for job in plan.jobs()}
    done = verdicts.records()
    waiting = [job for job, keys in wanted.items() if keys.keys() - done.keys()]
    if waiting:
        running.in_processes(compute_verdicts, plan, waiting, jobs, report)
    done = verdicts.records()
    return [done[key] for keys in wanted.values() for key in keys if key in done]


def with_effects(records, results):
    """Add the "effect" to each record whose classifiers were trained; drop the others.

    The effect is the set's balanced accuracy minus that of random over-sampling with the same
    draw, class counts, network and steps, so that only the samples differ. It is the mean of both
    columns, since the verdict does not depend on the classifier.
    """
    found = []
    for record in records:
        differences = []
        for column in _COLUMNS:
            cells = [
                results.values(record["task"], arm, column, "balanced_accuracy")
                for arm in (record["set"], REFERENCE)
            ]
            if all(record["seed"] in cell for cell in cells):
                differences.append(cells[0][record["seed"]] - cells[1][record["seed"]])
        if len(differences) == len(_COLUMNS):
            found.append({**record, "effect": float(np.mean(differences))})
    return found


def sign(effect):
    """Return 1, 0 or -1; effects of up to half a percentage point give 0."""
    return 0 if abs(effect) <= BAND else int(np.sign(effect))


def score(records, verdict=None):
    """Count how often verdicts predict the sign of the effect.

    Parameters
    ----------
    records : list of dict
        Records with "verdict" and "effect".
    verdict : str or None
        Constant verdict to score; None scores the verdicts of the records.

    Returns
    -------
    dict
        "decided": number of draws with an effect and a verdict other than "use with care";
        "right": number of them whose sign is predicted; "abstained": share of draws with the
        verdict "use with care"; "n": number of draws.
    """
    predicted = {"use": 1, "do not use": -1}
    right = decided = abstained = 0
    for record in records:
        given = verdict or record["verdict"]
        abstained += given == "use with care"
        true = sign(record["effect"])
        if given in predicted and true:
            decided += 1
            right += predicted[given] == true
    share = abstained / len(records) if records else np.nan
    return {"right": right, "decided": decided, "abstained": share, "n": len(records)}


def confusion(records):
    """Return the confusion table and the hit rates as text."""
    rows = []
    for verdict in VERDICTS:
        signs = [sign(r["effect"]) for r in records if r["verdict"] == verdict]
        rows.append([verdict, *(signs.count(s) for s in (1, 0, -1))])
    head = ["verdict", "helps", "no effect", "harms"]
    lines = [table(head, rows), ""]
    for name in (None, "use", "do not use"):
        s = score(records, name)
        rate = s["right"] / s["decided"] if s["decided"] else np.nan
        who = "the verdict" if name is None else f"always {name!r}"
        lines.append(
            f"{who}: {s['right']} of {s['decided']} right ({number(rate)}), "
            f"abstained on {s['abstained']:.0%} of {s['n']}"
        )
    return "\n".join(lines)


def by_set(records):
    """Return a table of the sets with their verdicts and effects."""
    rows = []
    for name in dict.fromkeys(r["set"] for r in records):
        selected = [r for r in records if r["set"] == name]
        counts = [sum(r["verdict"] == v for r in selected) for v in VERDICTS]
        effects = [r["effect"] for r in selected]
        spread = number(np.std(effects, ddof=1)) if len(effects) > 1 else "-"
        rows.append([name, *counts, f"{number(np.mean(effects), '+.3f')} ± {spread}"])
    return table(["set", *VERDICTS, "effect, mean ± sd"], rows)
