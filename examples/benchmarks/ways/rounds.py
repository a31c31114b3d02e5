"""Time ways to train in turns, so that other work on the machine meets all of them alike."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import numpy as np

OURS = {"module": "melanet_cyclegan", "policy": "float32", "compiled": False}
RELEASED = {**OURS, "module": "released_loop"}
TORCH = {**OURS, "module": "torch_cyclegan"}
PAPER = {
    "side": 256,
    "channels": 3,
    "batch_size": 1,
    "generator": "unet",
    "filters": 32,
    "discriminator_filters": 64,
    "learning_rate": 2e-4,
    "images": [8, 256, 256, 3],
    "device": "cpu",
    "threads": None,
}


@dataclass
class Worker:
    """A way in a process that has been warmed up.

    Parameters
    ----------
    name : str
    process : subprocess.Popen
    """

    name: str
    process: subprocess.Popen
    version: str = ""
    first_loss: float = float("nan")
    seconds: list = field(default_factory=list)
    losses: list = field(default_factory=list)

    def ask(self, line):
        if line:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(answer)


def initial_weights(settings, folder):
    """Write the weights that all ways begin from; return what names them to a worker."""
    from ways.melanet_cyclegan import NAMES, networks

    model = networks(settings)
    parts = [getattr(model, name).get_weights() for name in NAMES]
    path = os.path.join(folder, "weights.npz")
    np.savez(path, *[w for part in parts for w in part])
    return {"weights": path, "counts": [len(part) for part in parts]}


def measure(ways, settings, *, rounds, steps, torch_python=sys.executable, environment=None):
    """Time every way in alternating rounds.

    Parameters
    ----------
    ways : dict
        Name -> settings of its own, which hold "module".
    settings : dict
        Common to all, as `PAPER`.
    rounds, steps : int
        Rounds that count, and training steps of each way in a round.
    torch_python : str
        Interpreter with PyTorch.
    environment : dict or None
        Name of a way -> environment variables of its process.

    Returns
    -------
    list of Worker
        With seconds a step by round.
    """
    script = str(pathlib.Path(__file__).with_name("worker.py"))
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        begin = initial_weights(settings, folder)
        try:
            for name, own in ways.items():
                torch_way = own["module"].startswith("torch")
                process = subprocess.Popen(
                    [torch_python if torch_way else sys.executable, script],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **(environment or {}).get(name, {})},
                )
                worker = Worker(name, process)
                workers.append(worker)
                worker.version = worker.ask(json.dumps({**settings, **own, **begin}))["version"]
                worker.first_loss = worker.ask(1)["loss"]
                worker.ask(2)  # whatever is traced or tuned later
            for _ in range(rounds):
                for worker in workers:
                    answer = worker.ask(steps)
                    worker.seconds.append(answer["seconds"] / steps)
                    worker.losses.append(answer["loss"])
        finally:
            for worker in workers:
                worker.process.stdin.close()
                worker.process.wait()
    return workers


def table(workers, batch_size):
    """Print medians, spread, images a second and ratios to the first way."""
    print(
        "way | ms a step, median (lowest .. highest) | steps/s | images/s | times the first's "
        "(median of the rounds' ratios) | loss of the first step | version"
    )
    for worker in workers:
        seconds = np.array(worker.seconds)
        middle = np.median(seconds)
        ratio = np.median(seconds / np.array(workers[0].seconds))
        print(
            f"{worker.name} | {1e3 * middle:.1f} ({1e3 * seconds.min():.1f} .. "
            f"{1e3 * seconds.max():.1f}) | {1 / middle:.2f} | {batch_size / middle:.2f} | "
            f"{ratio:.2f} | {worker.first_loss:.4f} | {worker.version}",
            flush=True,
        )
