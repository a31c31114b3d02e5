"""Measure whether translations are photographs, of the class, and not copies.

    python examples/benchmarks/photographs.py --data isic2016 --side 64 --out photographs

Prints a table of measures for each data set and side, with each aim met or not met, beside
controls that must fail. An interrupted run resumes. Contact sheets and figures lie in `--out`.
The data lie in ../shared/data or in a folder of two classes. Networks are downloaded by pip, or
taken from `--weights`. Without `--final` the test part of the data is not touched.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from helping.start import check_start
from measuring import arms, report
from measuring.measures import open_bench
from measuring.pretrained import PACKAGES
from measuring.running import Results

ARMS = [*arms.VARIANTS, *arms.CONTROLS]


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["isic2016"], metavar="NAME|FOLDER")
    parser.add_argument("--side", nargs="+", type=int, default=[64])
    parser.add_argument("--arms", nargs="+", choices=ARMS, metavar="NAME", help=", ".join(ARMS),
                        default=["default", "default, no features", "redrawn", "paper",
                                 *arms.CONTROLS])  # fmt: skip
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--final", action="store_true", help="the oracle learns from the test part")
    parser.add_argument("--outside", choices=PACKAGES, default="efficientnet-lite0",
                        help="network of oracle and realism, which no sampler may use")  # fmt: skip
    parser.add_argument("--weights", metavar="DIR", help="folder of the networks' weights")
    parser.add_argument("--out", default="photographs")
    options = parser.parse_args(arguments)
    for name in ("side", "seeds"):
        if np.min(getattr(options, name)) < 1:
            parser.error(f"--{name} must be at least 1. Received: {getattr(options, name)}")
    return options


def main(arguments=None):
    options = parse(arguments)
    path = Path(options.out) / "photographs.md"
    check_start(path, path.parent / "results" / "any.json")
    pages = []
    for data in options.data:
        for side in options.side:
            pages.append(_run(options, data, side))
            print(pages[-1], flush=True)
    path.write_text("\n\n".join(pages) + "\n")
    print(f"Written to {path.resolve()}", file=sys.stderr)


def _run(options, data, side):
    store = Results(options.out, data, side, options.final, options.outside)
    bench = open_bench(
        data, side, options.out,
        final=options.final, outside=options.outside, weights=options.weights,
    )  # fmt: skip
    results = []
    for name in options.arms:
        for seed in range(1 if name in arms.CONTROLS else options.seeds):
            results.append(store.run(name, seed, bench))
            print(f"{store.data} {side} {name} {seed}: done", file=sys.stderr, flush=True)
    part = "test part" if options.final else "other half of the training part"
    title = f"{store.data}, {side}x{side}; the oracles learn from the {part}"
    return report.page(title, bench, results)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
