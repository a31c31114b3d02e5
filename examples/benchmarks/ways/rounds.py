"""Time training implementations in turn, so that other load affects all of them alike."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import numpy as np

OURS = {"module": "ways.melanet_cyclegan", "policy": "float32", "compiled": False}
RELEASED = {**OURS, "module": "ways.released_loop"}
TORCH = {**OURS, "module": "ways.torch_cyclegan"}
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
    """A process that runs one of the implementations.

    Parameters
    ----------
    name : str
        Name in the table.
    process : subprocess.Popen
        Process of `ways.worker`.
    """

    name: str
    process: subprocess.Popen
    version: str = ""
    first_loss: float = float("nan")
    seconds: list = field(default_factory=list)
    processor: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    afterwards: float = float("nan")

    def ask(self, line):
        """Send a line and return the parsed reply."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            raise SystemExit(f"{self.name} exited with status {self.process.wait()}")
        return json.loads(reply)


def write_initial_weights(settings, folder):
    """Write the weights that all workers start from; return the settings that refer to them."""
    from ways.melanet_cyclegan import initial_weights

    parts = initial_weights(settings)
    path = os.path.join(folder, "weights.npz")
    np.savez(path, *[w for part in parts for w in part])
    return {"weights": path, "counts": [len(part) for part in parts]}


def _environment(threads):
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if threads:
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            variables[name] = str(threads)
    return variables


def measure(ways, settings, *, rounds, steps, torch_python=sys.executable, afterwards=0):
    """Time every implementation in alternating rounds.

    Parameters
    ----------
    ways : dict
        Name -> its own settings: "module", and "environment" if its process needs environment
        variables, such as another backend of Keras.
    settings : dict
        Common settings, such as `PAPER`.
    rounds, steps : int
        Number of timed rounds, and training steps of each implementation per round.
    torch_python : str
        Interpreter with PyTorch, and with Keras for the settings that name a backend.
    afterwards : int
        Steps of one more timed run at the end.

    Returns
    -------
    list of Worker
        Workers with the seconds per step of each round, and the total of the final run.
    """
    script = str(pathlib.Path(__file__).with_name("worker.py"))
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        initial = write_initial_weights(settings, folder)
        try:
            for name, extra in ways.items():
                variables = extra.get("environment", {})
                needs_torch = extra["module"] == TORCH["module"] or "KERAS_BACKEND" in variables
                process = subprocess.Popen(
                    [torch_python if needs_torch else sys.executable, script],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=_environment(settings["threads"]) | variables,
                )
                worker = Worker(name, process)
                workers.append(worker)
                worker.version = worker.ask(json.dumps({**settings, **extra, **initial}))["version"]
                worker.first_loss = worker.ask(1)["loss"]
                worker.ask(2)  # later tracing and tuning
            for _ in range(rounds):
                for worker in workers:
                    reply = worker.ask(steps)
                    worker.seconds.append(reply["seconds"] / steps)
                    worker.processor.append(reply["cpu"] / steps)
                    worker.faults.append(reply["faults"] / steps)
            for worker in workers if afterwards else ():
                worker.afterwards = worker.ask(afterwards)["seconds"]
        finally:
            for worker in workers:
                worker.process.stdin.close()
                worker.process.wait()
    return workers


def print_table(workers, batch_size):
    """Print medians, ranges, throughput and ratios to the first implementation.

    CPU time, summed over all threads, hardly depends on other load on the machine; elapsed time
    does.
    """
    print(
        "way | ms a step, median (lowest .. highest) | times the first's | processor ms a step, "
        "median (lowest .. highest) | times the first's | page faults a step | steps/s | "
        "images/s | loss of step 1 | version"
    )
    first = workers[0]
    for worker in workers:
        cells = [worker.name]
        for times, reference in (
            (worker.seconds, first.seconds),
            (worker.processor, first.processor),
        ):
            ms = 1e3 * np.array(times)
            ratio = np.median(ms / (1e3 * np.array(reference)))
            cells += [f"{np.median(ms):.1f} ({ms.min():.1f} .. {ms.max():.1f})", f"{ratio:.2f}"]
        cells.append(f"{np.median(worker.faults):.0f}")
        rate = 1 / np.median(worker.seconds)
        cells += [f"{rate:.2f}", f"{batch_size * rate:.2f}", f"{worker.first_loss:.4f}"]
        print(" | ".join([*cells, worker.version]), flush=True)
