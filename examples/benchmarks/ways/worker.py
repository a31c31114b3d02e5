"""Run one implementation: read settings from the first line, then numbers of steps.

Started by `ways.rounds`; every reply is a line of JSON.
"""

import importlib
import json
import pathlib
import resource
import sys
import time
from itertools import pairwise

import numpy as np


def page_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def main():
    out = sys.stdout
    sys.stdout = sys.stderr  # keeps the output of libraries out of the replies
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
    settings = json.loads(sys.stdin.readline())
    with np.load(settings["weights"]) as file:
        counts = settings["counts"]
        arrays = [file[f"arr_{i}"] for i in range(sum(counts))]
    starts = np.cumsum([0, *counts])
    weights = [arrays[i:j] for i, j in pairwise(starts)]
    module = importlib.import_module(settings["module"])
    way = module.Way(settings, weights)
    print(json.dumps({"version": module.version()}), file=out, flush=True)
    for line in sys.stdin:
        start, faults = time.process_time(), page_faults()
        seconds, loss = way.run(int(line))
        reply = {"seconds": seconds, "cpu": time.process_time() - start, "loss": loss}
        reply["faults"] = page_faults() - faults
        print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
