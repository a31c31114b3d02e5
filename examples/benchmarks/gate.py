"""Whether the gate before a GAN's training opens, on development draws of `does_it_help.py`.

    python examples/benchmarks/gate.py --seeds 5 --shares 0 .25 .5 .75 1

No GAN is trained. Photographs are drawn from their training parts alone.
"""

import argparse
import fnmatch
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="draws of each task")
    parser.add_argument("--side", type=int, default=64, help="side of photographs in pixels")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5], help="marked shares")
    parser.add_argument("--tasks", nargs="+", default=["*"], help="names, with wildcards")
    arguments = parser.parse_args()
    from helping import data, tasks

    scale = tasks.scale("default", arguments.side, arguments.shares)
    wanted = [
        task
        for task in scale.tasks
        if task.half == "development"
        and any(fnmatch.fnmatch(task.name, pattern) for pattern in arguments.tasks)
    ]
    for task in wanted:
        try:
            _print_task(task, arguments.seeds)
        except data.DataMissing as error:
            print(f"{task.name}: not run, {error}")


def _print_task(task, n_seeds):
    from helping import tasks

    from melanet.over_sampling._gate import decide
    from melanet.over_sampling._plans import plan_classes

    n_open = 0
    for seed in range(n_seeds):
        draw = tasks.draw(task, seed)
        samples = draw.X.astype("float32") / 127.5 - 1
        rare = task.labels[1]
        n_missing = int((draw.y == task.labels[0]).sum() - (draw.y == rare).sum())
        (plan,) = plan_classes(draw.y, {rare: n_missing}, seed)
        start = time.perf_counter()
        gate = decide(samples, plan, seed)
        state = "open" if gate.is_open else "shut"
        n_open += gate.is_open
        seconds = time.perf_counter() - start
        print(f"{task.name}, seed {seed}: {state} ({seconds:.1f} s): {gate.reason}", flush=True)
    print(f"{task.name}: open in {n_open} of {n_seeds} draws", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
