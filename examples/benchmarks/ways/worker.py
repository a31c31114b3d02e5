"""Run one way in this process: settings come in as the first line, then numbers of steps.

Started by `ways.rounds`; every answer is a line of JSON.
"""

import importlib
import json
import pathlib
import sys

import numpy as np


def main():
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever the libraries print
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    settings = json.loads(sys.stdin.readline())
    with np.load(settings["weights"]) as file:
        counts = settings["counts"]
        arrays = [file[f"arr_{i}"] for i in range(sum(counts))]
    starts = np.cumsum([0, *counts])
    weights = [arrays[i:j] for i, j in zip(starts, starts[1:])]
    module = importlib.import_module(settings["module"])
    way = module.Way(settings, weights)
    print(json.dumps({"version": module.version()}), file=out, flush=True)
    for line in sys.stdin:
        seconds, loss = way.run(int(line))
        print(json.dumps({"seconds": seconds, "loss": loss}), file=out, flush=True)


if __name__ == "__main__":
    main()
