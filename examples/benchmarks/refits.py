"""Count how many of N refits with one random_state return the same bits.

python examples/benchmarks/refits.py --refits 50
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import hashlib
import os
import sys
from collections import Counter

import keras
from sklearn.datasets import load_digits

from melanet import GANOversampler


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refits", type=int, default=50)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    rows = [i for digit, n in ((3, 60), (8, 12)) for i in (y == digit).nonzero()[0][:n]]
    X, y = X[rows].reshape(-1, 8, 8), y[rows]
    digests = Counter()
    for _ in range(arguments.refits):
        sampler = GANOversampler(value_range=(0, 16), steps=arguments.steps, random_state=0)
        X_res, _ = sampler.fit_resample(X, y)
        weights = b"".join(w.tobytes() for w in sampler.cyclegans_[8].get_weights())
        digests[hashlib.sha256(X_res.tobytes() + weights).hexdigest()[:12]] += 1
        keras.backend.clear_session()
    print(
        f"keras {keras.__version__} on {keras.backend.backend()}, {os.cpu_count()} cores: "
        f"{max(digests.values())} of {arguments.refits} refits equal (images and all weights): "
        f"{dict(digests)}"
    )
    return len(digests) != 1


if __name__ == "__main__":
    sys.exit(main())
