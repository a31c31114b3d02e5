"""Check verdicts of `melanet.metrics.quality_report` against the effects in does_it_help.py.

For every draw that does_it_help.py has run with the same --out and scale, this computes a verdict
on the samples of the paper's preset, of the default and on deliberately bad sets, trains the
benchmark's classifier on each, and prints how often the verdict predicts the sign of the effect.
The ten-class task is left out, since it has one effect for nine verdicts.

    python examples/benchmarks/verdicts.py --out does-it-help
"""

import argparse
import os
import sys
from pathlib import Path

from helping import running, tasks, verdict_check
from helping.arms import REFERENCE
from helping.bad_sets import BAD_SETS, FEW_STEPS
from helping.results import Results
from helping.start import check_start

_REAL = ("paper", "default")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_const", const="quick", dest="scale")
    scale.add_argument("--full", action="store_const", const="full", dest="scale")
    parser.add_argument("--half", choices=("development", "report", "both"), default="both")
    parser.add_argument("--seeds", type=int, help="maximum number of draws per task")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--out", default="does-it-help")
    parser.add_argument("--fashion-mnist", metavar="DIR", help="folder of the four IDX files")
    parser.set_defaults(scale="default")
    options = parser.parse_args(arguments)
    if options.fashion_mnist:
        os.environ["FASHION_MNIST"] = options.fashion_mnist
    return options


def make_plan(options):
    """Plan all sets for the draws whose default samples are stored."""
    scale = tasks.scale(options.scale)
    sets = (*_REAL, FEW_STEPS[0], *BAD_SETS)
    plan = running.Plan(scale, options.out, (REFERENCE, *sets), (FEW_STEPS,))
    folder = Path(options.out) / "synthetic"
    draws = tuple(
        (task.name, seed)
        for task, seed in plan.jobs()
        if task.name != tasks.TEN
        and options.half in (task.half, "both")
        and (options.seeds is None or seed < options.seeds)
        and (folder / f"{plan.sampler_key(task, seed, 'default')}.npz").exists()
    )
    return running.Plan(scale, options.out, plan.arms, plan.variants, draws)


def main(arguments=None):
    options = parse(arguments)
    plan = make_plan(options)
    if not plan.draws:
        raise SystemExit(
            f"{options.out} holds no draws of the scale {options.scale!r} with the default's "
            "current settings. Run does_it_help.py first, with the same --out and scale"
        )

    check_start(Path(options.out) / "verdicts" / "results.jsonl")

    def say(line):
        print(line, file=sys.stderr, flush=True)

    results = Results(running.run(plan, options.jobs, say))
    records = verdict_check.compute_all_verdicts(plan, options.jobs, say)
    records = verdict_check.with_effects(records, results)
    print(
        f"{len(plan.draws)} draws of {len({name for name, _ in plan.draws})} tasks, "
        f"{len(records)} sets with a verdict and an effect; half: {options.half}\n"
        f"Effect: balanced accuracy minus that of {REFERENCE} over-sampling, mean of the raw and "
        f"the augmented classifier; effects within ±{verdict_check.BAND} count as no effect."
    )
    for title, selected in (
        ("All sets", records),
        ("GAN recipes alone", [r for r in records if r["set"] in _REAL]),
    ):
        print(f"\n{title}\n\n{verdict_check.confusion(selected)}")
    print(f"\n{verdict_check.by_set(records)}")


if __name__ == "__main__":
    main()
