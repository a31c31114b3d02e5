"""Measure memory and speed of ``melanet oversample`` with a loaded CycleGAN by data set size.

Each size runs in a separate process, which prints its peak memory (``ru_maxrss``). There are two
classes, and a tenth of the images belong to the rare one. Then two variants are run in turn, and
their medians compared: reading, translating and writing at the same time, and one after the other.

    python examples/benchmarks/out_of_core.py
    python examples/benchmarks/out_of_core.py --counts 1000 4000 --side 256 --filters 32
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def write_images(folder, count, side):
    """Write images of noise and a disc; return the folder."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side - 0.5
    for i in range(count):
        label = "rare" if i % 10 == 0 else "common"
        disc = 120 * (np.hypot(x, y) < rng.uniform(0.1, 0.4))
        pixels = disc[..., None] + rng.integers(0, 100, (side, side, 3))
        path = folder / label / f"{i:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype("uint8")).save(path)
    return folder


def run_in_sequence(tasks, read, make, write):
    """Replace `melanet.utils._parallel.read_compute_write` by a version without threads."""
    for task in tasks:
        yield write(task, make(task, read(task)))


def run(options):
    """Over-sample one folder in this process; print seconds, images and peak memory."""
    from melanet.cli._oversample import oversample_folder
    from melanet.utils import _parallel

    if options.way == "one after the other":
        _parallel.read_compute_write = run_in_sequence
    source, destination, model = map(Path, options.run)
    # The paper's recipe has no judge, whose training would distort the measurement.
    settings = {"models": [str(model)], "preset": "paper"}
    oversample_folder(source.parent / "warm", destination.with_name("warm"), **settings)
    start = time.perf_counter()
    made = oversample_folder(source, destination, **settings)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, sum(made.values()), peak)


def measure(source, folder, model, way):
    """Over-sample a folder in a separate process; return (seconds, images, peak in MiB)."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        words = [sys.executable, __file__, "--way", way, "--run", source, Path(work, "out"), model]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        seconds, made, peak = done.stdout.split()[-3:]
        return float(seconds), int(made), float(peak)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 20000])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the speed comparison")
    parser.add_argument("--way", default="overlapped", help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options)
        return

    import keras

    from melanet.gan import networks

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        shape = (options.side, options.side, 3)
        model = folder / "gan.keras"
        networks.resnet_generator(shape, filters=options.filters).save(model)
        write_images(folder / "warm", 20, options.side)
        print(
            f"keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} processors, "
            f"load {os.getloadavg()[0]:.1f}; {options.side}x{options.side}, ResNet with "
            f"{options.filters} filters"
        )
        print("pictures | translations | peak memory, MiB | translations a second")
        for count in options.counts:
            source = write_images(folder / f"in{count}", count, options.side)
            seconds, made, peak = measure(source, folder, model, "overlapped")
            print(f"{count} | {made} | {peak:.0f} | {made / seconds:.1f}", flush=True)
        rates = {"overlapped": [], "one after the other": []}
        source = folder / f"in{min(options.counts)}"
        for _ in range(options.rounds):
            for way, values in rates.items():
                seconds, made, _ = measure(source, folder, model, way)
                values.append(made / seconds)
        print("way | translations a second, median (lowest .. highest) | times one after the other")
        slow = statistics.median(rates["one after the other"])
        for way, values in rates.items():
            middle, ends = statistics.median(values), f"{min(values):.1f} .. {max(values):.1f}"
            print(f"{way} | {middle:.1f} ({ends}) | {middle / slow:.2f}")


if __name__ == "__main__":
    main()
