"""The result page: settings, ranks, comparisons, every task, cost, aims, failures."""

import numpy as np

from helping import shifts
from helping.arms import REFERENCE
from helping.results import COLUMNS
from helping.scores import SCORES
from helping.tasks import DEEPSMOTE_ACSA, TEN

_SHORT = {"balanced_accuracy": "BA", "auc": "AUC", "average_precision": "AP",
          "sensitivity_at_90": "S90"}  # fmt: skip
_DEFAULT, _WITHOUT = "default", "default, no translations"


def table(head, rows):
    """Return a Markdown table whose columns are aligned in plain text, too."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def number(value, form=".3f"):
    """Format a number without its leading zero; None and NaN give "-"."""
    if value is None or not np.isfinite(value):
        return "-"
    text = format(value, form)
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def with_spread(mean, spread):
    """Format a mean and a standard deviation."""
    return number(mean) + (f" ± {number(spread)}" if np.isfinite(spread) else "")


def page(results, plan, half, command):
    """Return the page as Markdown.

    Parameters
    ----------
    results : helping.results.Results
        All records of the plan.
    plan : helping.running.Plan
        Plan of the run.
    half : {"development", "report", "both"}
        Half of the tasks that was run.
    command : str
        Command that prints the page.

    Returns
    -------
    str
    """
    blocks = ["# Does it help?", _describe(results, plan, half, command)]
    if not results.good:
        return "\n\n".join([*blocks, "No results yet.", _failures(results)]) + "\n"
    for part in ("report", "development"):
        selected = results.only(part)
        if selected.good:
            blocks += [f"## {part.capitalize()} half: ranks", _ranks(selected)]
            blocks += [f"## {part.capitalize()} half: against {REFERENCE} over-sampling with "
                       "augmentation", _comparison(selected)]  # fmt: skip
    blocks += [
        "![Mean ranks over the tasks](images/does-it-help-ranks.png)",
        "## Every task",
        *_every_task(results),
        "![Balanced accuracy on every task](images/does-it-help-tasks.png)",
    ]
    if results.shift:
        blocks += ["## Under shift", _under_shift(results)]
    if TEN in results.tasks:
        blocks += ["## Ten classes, the counts of DeepSMOTE", _ten(results)]
    blocks += [
        "## The translations' own part",
        _translations_part(results),
        "## Cost",
        _cost(results),
    ]
    blocks += ["## Aims", _aims(results), "## Failures", _failures(results)]
    return "\n\n".join(blocks) + "\n"


def _describe(results, plan, half, command):
    tasks = [t for t in plan.scale.tasks if t.name in results.tasks]
    halves = "\n".join(
        f"- {part}: {', '.join(t.name for t in tasks if t.half == part) or 'none'}"
        for part in ("development", "report")
    )
    sides = sorted({t.side for t in tasks})
    lines = [
        f"Scale: {plan.scale.name}; half of the tasks: {half}; "
        f"{plan.scale.seeds} draws of each task (the ten-class task: one).",
        f"`{command}`",
        "Settings were chosen on the development half alone:\n\n" + halves,
        f"Images of {' and '.join(f'{s}x{s}' for s in sides)} pixels. Every arm trains the same "
        "small network from the same initial weights for the same number of steps (batch 64, Adam "
        "1e-3), without augmentation (raw) and with random affine changes, and flips if a mirror "
        "image belongs to the same class (augmented). Test images are used for the test alone. "
        "n10: ten rare training images, 400 (digits: 100) of the majority.",
    ]
    if plan.scale.paper_steps:
        lines.append(
            f"The paper's recipe is cut to {plan.scale.paper_steps} steps where its 100 epochs "
            "would take more; `--full` does not cut it."
        )
    return "\n\n".join(lines)


def _ranks(results):
    head = ["mean rank (1 is best)"]
    head += [f"{column} {_SHORT[s]}" for column in COLUMNS.values() for s in SCORES]
    ranks = [results.ranks(augmented, s) for augmented in COLUMNS for s in SCORES]
    rows = [[arm, *(number(r.get(arm), ".2f") for r in ranks)] for arm in results.arms]
    names = "; ".join(f"{short}: {SCORES[name]}" for name, short in _SHORT.items())
    return (
        table(head, rows) + f"\n\n{names}. Ranks within a column; every task has the same weight."
    )


def _comparison(results):
    head = ["arm", "column", "mean difference ± sd", "draws", "Wilcoxon p", "win / tie / loss"]
    rows, lost = [], {}
    for augmented, column in COLUMNS.items():
        for arm in results.arms:
            if arm == REFERENCE and augmented:
                continue
            c = results.against(arm, augmented)
            spread = f"{number(c['mean'], '+.3f')} ± {number(c['sd'])}"
            counts = f"{c['win']} / {c['tie']} / {c['loss']}"
            rows.append([arm, column, spread, c["n"], number(c["p"], ".2g"), counts])
            lost[arm, augmented] = c["lost"]
    worse = lost.get((_DEFAULT, True), [])
    note = (
        "Balanced accuracy, draw by draw. A task is won or lost if its draws differ by a paired t "
        "test at 5 %, unadjusted for the number of tests. The default with augmentation is "
        f"significantly below {REFERENCE} over-sampling on: {', '.join(worse) or 'no task'}."
    )
    return table(head, rows) + "\n\n" + note


def _every_task(results):
    for augmented, column in COLUMNS.items():
        head = ["task", *results.arms]
        rows = []
        for task in results.tasks:
            cells = [results.mean(task, a, augmented, "balanced_accuracy") for a in results.arms]
            rows.append([task, *(with_spread(*cell) for cell in cells)])
        yield f"Balanced accuracy, {column}, mean ± standard deviation over draws:"
        yield table(head, rows)


def _under_shift(results):
    rows = []
    for task, name in results.shift.items():
        values = results.differences(task, _DEFAULT, True)
        mean = values.mean() if len(values) else np.nan
        found = "-" if not len(values) else "win" if mean > 0 else "lose" if mean < 0 else "tie"
        spread = values.std(ddof=1) if len(values) > 1 else np.nan
        shift = shifts.SHIFTS[name]
        cell = f"{number(mean, '+.3f')} ± {number(spread)}"
        rows.append([task, f"{shift.share:.0%}", shift.expected, found, cell])
    head = ["task", "majority shows it", "expected", "found", f"default minus {REFERENCE}"]
    reasons = "\n".join(f"- {name}: {shifts.SHIFTS[name].reason}" for name in
                        dict.fromkeys(results.shift.values()))  # fmt: skip
    return (
        "In training a share of the majority shows a nuisance and no rare image does; in the test "
        "half of the images of every class do. Expectations were written before the first run.\n\n"
        + table(head, rows)
        + "\n\nDifferences in balanced accuracy, both with augmentation.\n\n"
        + reasons
    )


def _ten(results):
    names = {"balanced_accuracy": "mean class accuracy", "geometric_mean": "geometric mean",
             "f1": "macro F1"}  # fmt: skip
    rows = [
        [arm, column, *(number(results.mean(TEN, arm, augmented, n)[0], ".4f") for n in names)]
        for augmented, column in COLUMNS.items()
        for arm in results.arms
    ]
    return (
        table(["arm", "column", *names.values()], rows)
        + f"\n\nDeepSMOTE reports {DEEPSMOTE_ACSA:.4f} (TNNLS 2022), with ResNet-18; here all arms "
        "use the same small network, one draw, and the full test set."
    )


def _translations_part(results):
    rows = []
    for arm in results.arms:
        share = results.every(arm, "translations", False)
        if share and np.any(share):
            recognised = results.every(arm, "sampler_recognised", False)
            cells = [number(np.mean(share)), number(np.mean(recognised) if recognised else None)]
            rows.append([arm, *cells])
    text = table(["arm", "translations among the synthetic", "recognised by the oracle"], rows)
    if _DEFAULT in results.arms and _WITHOUT in results.arms:
        for augmented, column in COLUMNS.items():
            pairs = []
            for task in results.tasks:
                default = results.values(task, _DEFAULT, augmented, "balanced_accuracy")
                without = results.values(task, _WITHOUT, augmented, "balanced_accuracy")
                pairs += [default[s] - without[s] for s in default if s in without]
            if pairs:
                spread = np.std(pairs, ddof=1) if len(pairs) > 1 else np.nan
                text += (
                    f"\n\n{column.capitalize()}: the default minus the same set with every "
                    "translation replaced by a copy, every second one augmented: "
                    f"{number(np.mean(pairs), '+.3f')} ± {number(spread)} balanced accuracy over "
                    f"{len(pairs)} draws."
                )
    return text + (
        "\n\nThe oracle is a classifier trained on all real images of the classes except the "
        "test's; it takes no part in training."
    )


def _cost(results):
    rows = []
    for arm in results.arms:
        cells = [
            np.median(values) if (values := results.every(arm, name, False)) else None
            for name in ("sampler_cpu_s", "sampler_wall_s", "make_cpu_s")
        ]
        for augmented in COLUMNS:
            for name in ("fit_cpu_s", "fit_wall_s"):
                values = results.every(arm, name, augmented)
                cells.append(np.median(values) if values else None)
        rows.append([arm, *(number(cell, ".1f") for cell in cells)])
    head = ["seconds, median", "GAN CPU", "GAN wall", "rest of the set CPU", "fit CPU, raw",
            "wall", "fit CPU, augmented", "wall"]  # fmt: skip
    return (
        table(head, rows)
        + "\n\nOne thread per process. The first fit of a process includes compilation."
    )


def _aims(results):
    lines = []
    for augmented, column in COLUMNS.items():
        ranks = results.ranks(augmented, "balanced_accuracy")
        if _DEFAULT in ranks:
            best = min(ranks, key=ranks.get)
            met = ranks[_DEFAULT] <= ranks[best]
            lines.append(
                f"- First by mean rank of balanced accuracy over all tasks, {column}: "
                + ("met" if met else f"not met; {best} is first")
                + f" ({number(ranks[_DEFAULT], '.2f')} against {number(ranks[best], '.2f')})"
            )
    if _DEFAULT not in results.arms:
        return "The default was not among the arms."
    lost = results.against(_DEFAULT, True)["lost"]
    lines.append(
        f"- On no task significantly below {REFERENCE} over-sampling with augmentation: "
        + ("met" if not lost else f"not met: {', '.join(lost)}")
    )
    if TEN in results.tasks and results.values(TEN, _DEFAULT, True, "balanced_accuracy"):
        default = results.mean(TEN, _DEFAULT, True, "balanced_accuracy")[0]
        names = [a for a in ("SMOTE", REFERENCE, "random, augmented copies") if a in results.arms]
        rivals = {a: results.mean(TEN, a, True, "balanced_accuracy")[0] for a in names}
        above = [
            a for a, v in {"DeepSMOTE's figure": DEEPSMOTE_ACSA, **rivals}.items() if v > default
        ]
        met = "met" if np.isfinite(default) and not above else f"not met: below {', '.join(above)}"
        lines.append(f"- Ten classes, {number(default, '.4f')}: {met}")
    return "\n".join(lines)


def _failures(results):
    if not results.failed:
        return "No run failed."
    lines = {f"- {r['task']}, {r['arm']}: {r['error']}" for r in results.failed}
    return f"{len(results.failed)} results are missing:\n\n" + "\n".join(sorted(lines))
