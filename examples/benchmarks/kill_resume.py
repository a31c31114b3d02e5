"""Kill a training at random moments, go on, and compare the weights with an undisturbed run's.

A try starts the training of a small CycleGAN (for rows of a table, so that a process is soon
done) that writes a checkpoint after every epoch, ends it by SIGKILL, and starts it again. The
moment is drawn anew each time: an epoch, the building of the networks being one of them, and a
part of the time that an epoch takes. By turns the newest checkpoint is left alone, cut short, and
changed in one byte in between. What counts is whether the weights at
the end are those of a training that nobody disturbed, bit for bit.

    python examples/benchmarks/kill_resume.py --tries 50
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import signal
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TEARS = ("left alone", "cut short", "one byte changed")


def train(folder, epochs, answer):
    """Train, from a checkpoint if there is one; write a digest of the weights, and the start."""
    import numpy as np

    from melanet import CycleGAN, UnpairedImages
    from melanet.callbacks import Checkpoint
    from melanet.gan.losses import adam
    from melanet.utils import reproducible

    def shake(rows, rng):
        return np.clip(rows + rng.normal(0, 0.1, rows.shape), -1, 1).astype("float32")

    rng = np.random.default_rng(0)
    A, B = rng.uniform(-1, 0, (12, 6)), rng.uniform(0, 1, (4, 6))
    with reproducible():
        model = CycleGAN.from_shape((6,), filters=8, discriminator_filters=8, seed=1)
        model.compile(optimizer=adam(1e-3, decay_steps=epochs * 2))
        batches = UnpairedImages(A, B, batch_size=2, seed=2, augment=shake)
        checkpoint = Checkpoint(folder, settings={"epochs": epochs}, seconds=0)
        done = checkpoint.restore(model, batches)
        options = {"initial_epoch": done, "epochs": epochs, "verbose": 0}
        model.fit(batches, callbacks=[checkpoint], **options)
    state = [*model.get_weights(), *(np.asarray(v) for v in model.optimizer.variables)]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(v).tobytes() for v in state))
    losses = [value.hex() for value in checkpoint.history["loss"]]
    digest.update(" ".join(losses).encode())
    Path(answer).write_text(f"{digest.hexdigest()} {done}")


def run(context, folder, epochs, kill_at=None):
    """Train in a process of its own; return (digest, epochs done before), None if killed.

    `kill_at` is (epochs that must be done, seconds to wait then).
    """
    answer = Path(f"{folder}.txt")
    answer.unlink(missing_ok=True)
    process = context.Process(target=train, args=(str(folder), epochs, str(answer)))
    process.start()
    if kill_at is not None:
        while process.is_alive() and newest_epoch(folder) < kill_at[0]:
            time.sleep(0.001)
        process.join(kill_at[1])
        process.kill()
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return None
    if process.exitcode:
        raise RuntimeError(f"the training ended with status {process.exitcode}")
    digest, done = answer.read_text().split()
    return digest, int(done)


def newest_epoch(folder):
    """Return how many epochs the newest checkpoint has seen, 0 without one."""
    files = sorted(folder.glob("epoch-*.npz"))
    return int(files[-1].name[6:14]) if files else 0


def tear(folder, how, rng):
    """Damage the newest checkpoint; return whether there was one."""
    newest = sorted(folder.glob("epoch-*.npz"))[-1:]
    for path in newest:
        data = bytearray(path.read_bytes())
        if how == "cut short":
            data = data[: rng.randrange(len(data))]
        elif how == "one byte changed":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    return bool(newest) and how != "left alone"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["melanet.gan._cyclegan", "melanet.callbacks._checkpoint"])
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as work:
        seconds, digests = [], set()
        for i in range(3):  # the first waits for imports
            start = time.perf_counter()
            digests.add(run(context, Path(work, f"whole{i}"), options.epochs)[0])
            seconds.append(time.perf_counter() - start)
        if len(digests) > 1:
            raise SystemExit("undisturbed runs differ from each other: nothing can be compared")
        life = statistics.median(seconds[1:])
        print(f"undisturbed: 3 runs of one digest, {life:.1f} s each, {options.epochs} epochs")
        equal, missed, torn, starts = 0, 0, 0, []
        while len(starts) < options.tries:
            i = len(starts)
            folder = Path(work, f"try{i}-{missed}")
            epoch = rng.randrange(options.epochs)
            # The first epoch begins about half a life after the process.
            pause = rng.uniform(0, life / 2 if epoch == 0 else life / 2 / options.epochs)
            if run(context, folder, options.epochs, (epoch, pause)) is not None:
                missed += 1  # it ended before the signal came
                continue
            torn += tear(folder, TEARS[i % len(TEARS)], rng)
            digest, done = run(context, folder, options.epochs)
            starts.append(done)
            equal += digest in digests
        print(
            f"{equal} of {options.tries} killed trainings ended with the same weights, optimizer "
            f"and losses; {torn} had their newest checkpoint damaged; {missed} more ended before "
            "they were killed and are not counted"
        )
        print(f"went on after epoch (0 is from the start): {sorted(starts)}")
    if equal < options.tries:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
