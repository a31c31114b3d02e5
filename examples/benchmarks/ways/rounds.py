"""Time ways to train in turns, so that other work on the machine meets all of them alike."""

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
    processor: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    afterwards: float = float("nan")

    def ask(self, line):
        """Send a line and return the answer; None only waits for one."""
        if line:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended with status {self.process.wait()}")
        return json.loads(answer)


def initial_weights(settings, folder):
    """Write the weights that all ways begin from; return what names them to a worker."""
    from ways.melanet_cyclegan import initial

    parts = initial(settings)
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
    """Time every way in alternating rounds.

    Parameters
    ----------
    ways : dict
        Name -> settings of its own, which hold "module", and "environment" where its process
        needs variables, as for another backend of Keras.
    settings : dict
        Common to all, as `PAPER`.
    rounds, steps : int
        Rounds that count, and training steps of each way in a round.
    torch_python : str
        Interpreter with PyTorch, and with Keras for the ways that name a backend.
    afterwards : int
        Steps that every way makes once at the end.

    Returns
    -------
    list of Worker
        With seconds a step by round, and of all steps at the end.
    """
    script = str(pathlib.Path(__file__).with_name("worker.py"))
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        begin = initial_weights(settings, folder)
        try:
            for name, own in ways.items():
                variables = own.get("environment", {})
                elsewhere = own["module"] == TORCH["module"] or "KERAS_BACKEND" in variables
                process = subprocess.Popen(
                    [torch_python if elsewhere else sys.executable, script],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=_environment(settings["threads"]) | variables,
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
                    worker.processor.append(answer["cpu"] / steps)
                    worker.faults.append(answer["faults"] / steps)
            for worker in workers if afterwards else ():
                worker.afterwards = worker.ask(afterwards)["seconds"]
        finally:
            for worker in workers:
                worker.process.stdin.close()
                worker.process.wait()
    return workers


def table(workers, batch_size):
    """Print medians, spread, throughput and ratios to the first way.

    The processor's seconds, of all threads, hardly move where other programs take their share of
    the machine; the elapsed ones do.
    """
    print(
        "way | ms a step, median (lowest .. highest) | times the first's | processor ms a step, "
        "median (lowest .. highest) | times the first's | page faults a step | steps/s | "
        "images/s | loss of step 1 | version"
    )
    first = workers[0]
    for worker in workers:
        cells = [worker.name]
        for own, reference in (
            (worker.seconds, first.seconds),
            (worker.processor, first.processor),
        ):
            own = 1e3 * np.array(own)
            ratio = np.median(own / (1e3 * np.array(reference)))
            cells += [f"{np.median(own):.1f} ({own.min():.1f} .. {own.max():.1f})", f"{ratio:.2f}"]
        cells.append(f"{np.median(worker.faults):.0f}")
        rate = 1 / np.median(worker.seconds)
        cells += [f"{rate:.2f}", f"{batch_size * rate:.2f}", f"{worker.first_loss:.4f}"]
        print(" | ".join([*cells, worker.version]), flush=True)
