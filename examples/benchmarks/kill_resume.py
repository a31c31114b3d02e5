"""Kill a training at random times, resume it, and compare the weights with an uninterrupted run.

Each try starts the training of a small CycleGAN (of table rows, to be fast) that writes a
checkpoint after every epoch, kills it by SIGKILL, and starts it again. The time is random: an
epoch, or the building of the networks, and a share of an epoch's duration. In turn, the newest
checkpoint is left intact, truncated, or corrupted in one byte before the resume. A try succeeds if
the final weights equal those of an uninterrupted training, bit for bit.

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
DAMAGES = ("left intact", "truncated", "one byte changed")


def train(folder, epochs, answer):
    """Train, from a checkpoint if there is one; write a digest and the first epoch."""
    import numpy as np

    from melanet import CycleGAN, UnpairedImages
    from melanet.callbacks import Checkpoint
    from melanet.gan.losses import adam
    from melanet.utils import reproducible

    def add_noise(rows, rng):
        return np.clip(rows + rng.normal(0, 0.1, rows.shape), -1, 1).astype("float32")

    rng = np.random.default_rng(0)
    A, B = rng.uniform(-1, 0, (12, 6)), rng.uniform(0, 1, (4, 6))
    with reproducible():
        model = CycleGAN.from_shape((6,), filters=8, discriminator_filters=8, seed=1)
        model.compile(optimizer=adam(1e-3, decay_steps=epochs * 2))
        batches = UnpairedImages(A, B, batch_size=2, seed=2, augment=add_noise)
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
    """Train in a separate process; return (digest, epochs before the start), None if killed.

    `kill_at` is (finished epochs to wait for, seconds to wait after them).
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
        raise RuntimeError(f"the training exited with status {process.exitcode}")
    digest, done = answer.read_text().split()
    return digest, int(done)


def newest_epoch(folder):
    """Return the number of epochs in the newest checkpoint, 0 without one."""
    files = sorted(folder.glob("epoch-*.npz"))
    return int(files[-1].name[6:14]) if files else 0


def damage(folder, kind, rng):
    """Damage the newest checkpoint; return whether a checkpoint was damaged."""
    newest = sorted(folder.glob("epoch-*.npz"))[-1:]
    for path in newest:
        data = bytearray(path.read_bytes())
        if kind == "truncated":
            data = data[: rng.randrange(len(data))]
        elif kind == "one byte changed":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    return bool(newest) and kind != "left intact"


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
        for i in range(3):  # the first one includes the imports
            start = time.perf_counter()
            digests.add(run(context, Path(work, f"whole{i}"), options.epochs)[0])
            seconds.append(time.perf_counter() - start)
        if len(digests) > 1:
            raise SystemExit("uninterrupted runs differ from each other: nothing can be compared")
        duration = statistics.median(seconds[1:])
        print(
            f"uninterrupted: 3 runs of one digest, {duration:.1f} s each, {options.epochs} epochs"
        )
        equal, missed, damaged, starts = 0, 0, 0, []
        while len(starts) < options.tries:
            i = len(starts)
            folder = Path(work, f"try{i}-{missed}")
            epoch = rng.randrange(options.epochs)
            # The first epoch begins after about half of the duration.
            pause = rng.uniform(0, duration / 2 / (options.epochs if epoch else 1))
            if run(context, folder, options.epochs, (epoch, pause)) is not None:
                missed += 1  # it finished before the signal
                continue
            damaged += damage(folder, DAMAGES[i % len(DAMAGES)], rng)
            digest, done = run(context, folder, options.epochs)
            starts.append(done)
            equal += digest in digests
        print(
            f"{equal} of {options.tries} killed trainings ended with the same weights, optimizer "
            f"and losses; {damaged} had their newest checkpoint damaged; {missed} more finished "
            "before they were killed and are not counted"
        )
        print(f"resumed after epoch (0 is from the start): {sorted(starts)}")
    if equal < options.tries:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
