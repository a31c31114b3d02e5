"""Measure the recall and the false matches of `find_duplicates` at several thresholds.

Run ``python examples/benchmarks/duplicates.py``. Toy lesions of 600x450 are saved as JPEG. Copies
of some of them are re-encoded, resized, flipped, rotated, brightened or cropped, and compared with
all originals. For each kind of copy and each threshold, the script prints the share of copies that
are found, and the number of pairs of different images that are mistaken for copies. It takes two
to six minutes on two cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from melanet.datasets import find_duplicates, make_lesions

THRESHOLDS = (0, 10, 20, 30, 40, 50, 60, 70)


def crop(image, share):
    width, height = (round(share * side) for side in image.size)
    return image.crop((width, height, image.width - width, image.height - height))


COPIES = {
    "JPEG at quality 50": (lambda p: p, {"quality": 50}),
    "JPEG at quality 20": (lambda p: p, {"quality": 20}),
    "resized to 256x256": (lambda p: p.resize((256, 256), Image.Resampling.BOX), {"quality": 90}),
    "resized to 112x84, quality 60": (lambda p: p.resize((112, 84)), {"quality": 60}),
    "flipped": (lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {"quality": 75}),
    "turned by a quarter": (lambda p: p.transpose(Image.Transpose.ROTATE_90), {"quality": 75}),
    "brighter by 20 %": (lambda p: ImageEnhance.Brightness(p).enhance(1.2), {"quality": 75}),
    "cropped by 1 % a side": (lambda p: crop(p, 0.01), {"quality": 75}),
    "cropped by 5 % a side": (lambda p: crop(p, 0.05), {"quality": 75}),
}


def save_all(folder, images, **options):
    folder.mkdir()
    paths = [folder / f"{i}.jpg" for i in range(len(images))]
    for path, image in zip(paths, images):
        image.save(path, **options)
    return paths


def measure(folder, n_images, n_copies, seed):
    X, _ = make_lesions(n_images, image_size=(450, 600), random_state=seed)
    images = [Image.fromarray(x) for x in X]
    originals = save_all(folder / "originals", images, quality=95)
    within = find_duplicates(originals, threshold=max(THRESHOLDS))
    mistaken = np.array([pair.distance for pair in within])
    print(f"seed {seed}: {n_images} originals, {n_images * (n_images - 1) // 2} pairs")
    print(f"  {'threshold':<32}" + "".join(f"{t:>7}" for t in THRESHOLDS))
    print(
        f"  {'pairs of strangers mistaken':<32}"
        + "".join(f"{(mistaken <= t).sum():>7}" for t in THRESHOLDS)
    )
    for k, (name, (change, options)) in enumerate(COPIES.items()):
        copies = save_all(folder / str(k), [change(p) for p in images[:n_copies]], **options)
        found = find_duplicates(copies, originals, threshold=max(THRESHOLDS))
        right = [p.distance for p in found if Path(p.path_a).stem == Path(p.path_b).stem]
        shares = [np.sum(np.array(right) <= t) / n_copies for t in THRESHOLDS]
        print(f"  {name + ', found':<32}" + "".join(f"{share:>7.3f}" for share in shares))


def time_comparison(n_a, n_b):
    from melanet.datasets._duplicates import _near_pairs

    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**63, (n_a, 8, 4), dtype=np.uint64)
    b = rng.integers(0, 2**63, (n_b, 4), dtype=np.uint64)
    start = time.perf_counter()
    list(_near_pairs(a, b, 40))
    took = time.perf_counter() - start
    print(f"comparing {n_a} x {n_b} hashes in eight orientations: {took:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    start = time.perf_counter()
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), arguments.pictures, arguments.copies, seed)
    time_comparison(5000, 5000)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
