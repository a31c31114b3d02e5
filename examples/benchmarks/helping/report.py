"""The result page: settings, comparisons, every task, shortcuts, translations, cost, failures."""

import numpy as np

from helping.arms import PLAIN_ARMS, REFERENCE, UPPER_BOUND, WITHOUT
from helping.scores import GROUP_SCORES, SCORES
from helping.tasks import DEEPSMOTE_ACSA, TEN

_SHORT = {
    "auc": "AUC", "average_precision": "AP", "balanced_accuracy": "BA at .5", "tuned": "BA tuned",
    "brier": "Brier", "sensitivity_at_90": "S90", "worst_group": "worst BA at .5",
    "worst_group_tuned": "worst BA tuned", "auc_marked": "AUC marked",
    "worst_group_sensitivity": "worst sens. at .5",
    "worst_group_sensitivity_tuned": "worst sens. tuned",
}  # fmt: skip
_COMPARED = ("auc", "average_precision", "balanced_accuracy", "tuned", "brier")
_MEANS = {
    "raw": "small network",
    "augmented": "small network that warps and mirrors each image each time it is used",
    "features": "logistic regression on frozen features of EfficientNet-lite0",
}


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


def interval(comparison):
    """Format a mean difference and its interval."""
    mean, low, high = (number(comparison[name], "+.3f") for name in ("mean", "low", "high"))
    return mean if low == "-" else f"{mean} [{low}, {high}]"


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
    without_shift = results.only(lambda r: not r["shift"])
    if without_shift.good:
        blocks += [f"## Against {REFERENCE} over-sampling", *_comparisons(without_shift)]
        blocks += ["## Every task", *_every_task(without_shift, ("auc", "average_precision"))]
    if results.share:
        blocks += ["## Shortcuts", *_shortcuts(results.only(lambda r: r["shift"]))]
    if tens := [t.name for t in plan.scale.tasks if len(t.counts) > 2 and t.name in results.tasks]:
        blocks += ["## Ten classes", *(_ten(results, name) for name in tens)]
    if translated := _translations(results):
        blocks += ["## Translations", *translated]
    blocks += ["## Cost", _cost(results), "## Failures", _failures(results)]
    return "\n\n".join(blocks) + "\n"


def _describe(results, plan, half, command):
    tasks = [t for t in plan.scale.tasks if t.name in results.tasks]
    halves = "\n".join(
        f"- {part}: {', '.join(t.name for t in tasks if t.half == part) or 'none'}"
        for part in ("development", "report")
    )
    columns = "; ".join(f"{column}: {_MEANS[column]}" for column in results.columns)
    final = any(t.final for t in tasks)
    lines = [
        f"Scale: {plan.scale.name}; half of the tasks: {half}; "
        f"draws of each task: {plan.scale.seeds} ({TEN}: {plan.scale.seeds_of_ten}).",
        f"`{command}`",
        "Settings may be chosen on the development half alone:\n\n" + halves,
        f"Classifiers: {columns}. All arms of a draw share images, initial weights and number of "
        "steps. A quarter of the training images is set aside before any resampling, and tunes "
        "the threshold. n10: ten rare training images, 400 (digits: 100; photographs: all) of the "
        "majority.",
        "Photographs are tested on "
        + ("their test part." if final else "a third of the training part, another one per draw."),
    ]
    if plan.scale.paper_steps:
        lines.append(
            f"The paper's recipe is cut to {plan.scale.paper_steps} steps where its 100 epochs "
            "would take more; `--full` does not cut it."
        )
    return "\n\n".join(lines)


def _comparisons(results):
    for column in results.columns:
        head = ["arm", *(_SHORT[name] for name in _COMPARED), "tasks won / lost by AUC"]
        rows = []
        for arm in results.arms:
            if arm == REFERENCE or not results.every(arm, "auc", column):
                continue
            found = {name: results.against(arm, column, name) for name in _COMPARED}
            counts = f"{len(found['auc']['won'])} / {len(found['auc']['lost'])}"
            rows.append([arm, *(interval(found[name]) for name in _COMPARED), counts])
        draws = max(results.against(a, column, "auc")["n"] for a in results.arms)
        n_tasks = sum(bool(results.values(t, REFERENCE, column, "auc")) for t in results.tasks)
        yield (
            f"{column.capitalize()}; draws: {draws}, tasks: {n_tasks}. Mean difference "
            "and its 95 % interval over tasks and draws.\n\n" + table(head, rows)
        )
    yield (
        "; ".join(f"{short}: {SCORES[name]}" for name, short in _SHORT.items() if name in _COMPARED)
        + ". A task is won or lost if its draws differ by a t test at 5 % after Holm's correction "
        "over the tasks."
    )
    for column in results.columns:
        ranks = {name: results.ranks(column, name) for name in ("auc", "average_precision")}
        best = [a for a in ranks["auc"] if a in PLAIN_ARMS]
        if best:
            first = min(best, key=ranks["auc"].get)
            yield f"Plain remedy of the best mean rank by AUC, {column}: {first}."


def _every_task(results, names):
    for name in names:
        for column in results.columns:
            tasks = [t for t in results.tasks if results.values(t, REFERENCE, column, name)]
            arms = [a for a in results.arms if results.every(a, name, column)]
            rows = [
                [arm, *(with_spread(*results.mean(task, arm, column, name)) for task in tasks)]
                for arm in arms
            ]
            yield f"{_SHORT[name]}, {column}, mean ± standard deviation over draws:"
            yield table(["arm", *tasks], rows)


def _shortcuts(results):
    yield (
        "A mark lies on a share of the majority's training images, on no rare one, and at test on "
        "half of each class. Worst: the lower of the scores among marked and among unmarked test "
        "images. The upper bound is "
        f'"{UPPER_BOUND}": rare copies, half of them with the true mark.'
    )
    names = ("auc", *GROUP_SCORES)
    for task in results.tasks:
        for column in results.columns:
            rows = [
                [arm, *(with_spread(*results.mean(task, arm, column, name)) for name in names)]
                for arm in results.arms
                if results.values(task, arm, column, "auc")
            ]
            if rows:
                draws = len(results.values(task, REFERENCE, column, "auc"))
                yield f"{task}, {column}; draws: {draws}."
                yield table(["arm", *(_SHORT[name] for name in names)], rows)


def _ten(results, task):
    names = {"balanced_accuracy": "mean class accuracy", "geometric_mean": "geometric mean",
             "f1": "macro F1", "auc": "AUC"}  # fmt: skip
    rows = [
        [arm, column, *(with_spread(*results.mean(task, arm, column, n)) for n in names)]
        for column in results.columns
        for arm in results.arms
        if results.values(task, arm, column, "auc")
    ]
    draws = max(
        len(results.values(task, arm, column, "auc"))
        for arm in results.arms
        for column in results.columns
    )
    text = f"{task}; draws: {draws}.\n\n" + table(["arm", "column", *names.values()], rows)
    if task == TEN:
        text += (
            f"\n\nThe counts are those of DeepSMOTE, which reports {DEEPSMOTE_ACSA:.4f} (TNNLS "
            "2022) with ResNet-18; here all arms use the same small network and the full test set."
        )
    return text


def _translations(results):
    """Yield what is known of each GAN's samples, and the translations' own part."""
    rows = []
    for task in results.tasks:
        for arm in results.arms:
            found = results.values(task, arm, results.columns[0], "translations")
            if not any(found.values()):
                continue
            cells = [number(np.mean(list(found.values())), ".2f")]
            for name in ("sampler_recognised", "sampler_cpu_s"):
                values = list(results.values(task, arm, results.columns[0], name).values())
                cells.append(number(np.mean(values), ".2f") if values else "-")
            reports = results.values(task, arm, results.columns[0], "sampler_reports").values()
            for name in ("evidence", "told"):
                values = [m[name] for report in reports for m in report.values() if name in m]
                cells.append(number(np.mean(values), ".2f") if values else "-")
            verdicts = results.values(task, arm, results.columns[0], "sampler_verdict").values()
            rows.append([task, arm, *cells, ", ".join(verdicts) or "-"])
    if not rows:
        return
    head = ["task", "arm", "translations", "recognised", "CPU s", "evidence", "told",
            "verdict of each draw"]  # fmt: skip
    yield table(head, rows)
    yield (
        "Translations: their share of the synthetic images. Recognised: their share that a network "
        "trained on all real images except the test's takes for the class. Evidence of the class, "
        "and the AUC by which translations are told from its real images: the guard's measures, "
        "before the judge, as means over classes and draws."
    )
    for arm in results.arms:
        if arm + WITHOUT in results.arms:
            for column in results.columns:
                found = results.against(arm, column, "auc", arm + WITHOUT)
                yield (
                    f"AUC of {arm!r} minus the same set with every translation replaced by a copy, "
                    f"{column}: {interval(found)}; draws: {found['n']}."
                )


def _cost(results):
    rows = []
    for arm in results.arms:
        cells = [_median(results.every(arm, n)) for n in ("sampler_cpu_s", "make_cpu_s")]
        cells += [_median(results.every(arm, "fit_cpu_s", column)) for column in results.columns]
        rows.append([arm, *(number(cell, ".1f") for cell in cells)])
    head = ["CPU seconds, median", "GAN", "rest of the set", *results.columns]
    spent = sum(r["fit_cpu_s"] + r["make_cpu_s"] for r in results.good)
    gans = {}
    for record in results.good:
        if "sampler_cpu_s" in record:
            # All arms of a sampler share its samples and their seconds.
            key = record["task"], record["seed"], record["sampler_cpu_s"]
            gans[key] = record["sampler_cpu_s"]
    return (
        table(head, rows) + f"\n\nIn all {spent / 3600:.2f} processor hours of fits and "
        f"{sum(gans.values()) / 3600:.2f} of GANs. One thread per process. The first fit of a "
        "process includes compilation."
    )


def _median(values):
    return float(np.median(values)) if values else None


def _failures(results):
    if not results.failed:
        return "No run failed."
    lines = {f"- {r['task']}, {r['arm']}: {r['error']}" for r in results.failed}
    return f"{len(results.failed)} results are missing:\n\n" + "\n".join(sorted(lines))
