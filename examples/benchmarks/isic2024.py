"""Measure memory and speed on a file of the layout of ISIC 2024: one JPEG per data set in HDF5.

The pictures are toy lesions, of which 1,000 differ, between 100 and 160 pixels wide as those of
SLICE-3D; one in 500 is malignant, and a patient has 200. Each step runs in a process of its own,
which prints its seconds, the processor's seconds of all threads, and by how much its peak memory
(``ru_maxrss``) exceeds that after the imports. ``oversample_files`` writes 400 images with a
loaded CycleGAN.

    python examples/benchmarks/isic2024.py
    python examples/benchmarks/isic2024.py --counts 2000 100000
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIDE = 64  # pixels that pictures are resized to
STEPS = ("listing", "1,000 pictures read", "100 balanced batches of 32", "oversample_files")
_DIFFERENT, _RARITY, _PER_PATIENT = 1000, 500, 200


def write_file(folder, count, different=_DIFFERENT):
    """Write train-image.hdf5 and train-metadata.csv; return the folder."""
    import h5py
    import numpy as np
    from PIL import Image

    from melanet.datasets import make_lesions

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = {False: [], True: []}
    for label, found in pictures.items():
        for side in rng.integers(100, 161, min(different, count) // 2).tolist():
            X, _ = make_lesions(
                1, weights=(1 - label, label), image_size=side, random_state=rng.integers(2**31)
            )
            packed = io.BytesIO()
            Image.fromarray(X[0]).save(packed, "JPEG", quality=90)
            found.append(np.void(packed.getvalue()))
    table = ["isic_id,target,patient_id,age_approx,sex,lesion_id,tbp_lv_A"]
    with h5py.File(folder / "train-image.hdf5", "w") as file:
        for i in range(count):
            malignant = i % _RARITY == 7
            some = pictures[malignant]
            file[f"ISIC_{i:07}"] = some[i % len(some)]
            lesion = f"IL_{i:07}" if malignant else ""
            patient = f"IP_{i // _PER_PATIENT:07}"
            table.append(f"ISIC_{i:07},{malignant:d},{patient},60.0,male,{lesion},{i / 7:.6f}")
    (folder / "train-metadata.csv").write_text("\n".join(table) + "\n")
    return folder


def write_model(path, side=SIDE):
    """Write an untrained generator; return its path."""
    from melanet.gan import networks

    networks.resnet_generator((side, side, 3), filters=4, blocks=1).save(path)
    return path


def run(step, folder, model):
    """Run a step in this process; return its seconds, processor seconds and MiB."""
    import numpy as np

    from melanet.datasets import fetch_isic2024, load_images
    from melanet.over_sampling import BalancedBatches, oversample_files

    before, start = _peak(), _clocks()
    data = fetch_isic2024(folder)
    labels = np.array(data.target_names)[data.target]
    if step == STEPS[1]:
        rows = np.linspace(0, len(data.paths) - 1, 1000).astype(int)
        start = _clocks()
        load_images(data.paths[rows], SIDE)
    elif step == STEPS[2]:
        models = {"malignant": str(model)}
        batches = BalancedBatches(data.paths, labels, models, 32, match=False, guard=False)
        start = _clocks()
        for i in range(100):
            batches[i % len(batches)]
    elif step == STEPS[3]:
        needed = int((data.target == 1).sum()) + 400
        start = _clocks()
        with tempfile.TemporaryDirectory() as out:
            oversample_files(
                data.paths,
                labels,
                Path(out, "made"),
                models={"malignant": str(model)},
                sampling_strategy={"malignant": needed},
                preset="paper",
            )
    return *(_clocks() - start), _peak() - before


def _clocks():
    import numpy as np

    return np.array([time.perf_counter(), time.process_time()])


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(step, folder, model):
    """Run a step in a process of its own; return its seconds, processor seconds and MiB."""
    words = [sys.executable, __file__, "--run", step, str(folder), str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return tuple(map(float, done.stdout.split()[-3:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 100000])
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(*run(options.run[0], Path(options.run[1]), Path(options.run[2])))
        return
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as work:
        model = write_model(Path(work, "gan.keras"))
        print("pictures | file, MB | step | seconds | processor seconds | memory, MiB")
        for count in options.counts:
            folder = write_file(Path(work, str(count)), count)
            size = (folder / "train-image.hdf5").stat().st_size / 1e6
            for step in STEPS:
                seconds, work, memory = measure(step, folder, model)
                found = f"{seconds:.1f} | {work:.1f} | {memory:.0f}"
                print(f"{count} | {size:.0f} | {step} | {found}", flush=True)


if __name__ == "__main__":
    main()
