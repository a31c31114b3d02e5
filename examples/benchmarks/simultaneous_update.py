"""Compare one simultaneous update of all four networks with the released three in turn.

Scikit-learn's digits, 3 to 8 (120 and 20 images), the paper's networks and learning rates, batch
1, 100 epochs. An oracle trained on all digits counts the translations that it classifies as 8; it
takes no part in the training.

    python examples/benchmarks/simultaneous_update.py
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import time

import keras
import numpy as np
from sklearn.datasets import load_digits
from ways import released_loop
from ways.melanet_cyclegan import NAMES
from ways.rounds import PAPER, RELEASED

from melanet import CycleGAN, UnpairedImages
from melanet.over_sampling._judge import Judge
from melanet.utils import reproducible


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8, 1) / 8 - 1).astype("float32")
    with reproducible():
        oracle = Judge(steps=1000, seed=99).fit(X, y)
    print(f"keras {keras.__version__} on {keras.backend.backend()}")
    print(f"oracle's accuracy on its own training images: {np.mean(oracle.predict(X) == y):.3f}")
    print("seed | update | recognised translations | mean |A - cycled A| | seconds")
    results = {"simultaneous": [], "in turn": []}
    settings = {**PAPER, **RELEASED, "side": 8, "channels": 1, "images": [1, 8, 8, 1]}
    for seed in range(arguments.seeds):
        rng = np.random.default_rng(seed)
        A, B = (X[rng.permutation(np.flatnonzero(y == d))[:n]] for d, n in ((3, 120), (8, 20)))
        for update in results:
            batches = UnpairedImages(A, B, seed=seed, flip="horizontal")
            model = CycleGAN.from_shape((8, 8, 1), seed=seed)
            start = time.perf_counter()
            with reproducible():
                if update == "simultaneous":
                    model.fit(batches, epochs=arguments.epochs, verbose=0)
                else:
                    initial = [getattr(model, name).get_weights() for name in NAMES]
                    way = released_loop.Way(settings, initial)
                    for _ in range(arguments.epochs):
                        for i in range(len(batches)):
                            way.step(*batches[i][0])
                        batches.on_epoch_end()
                    model.generator_ab.set_weights(way.g_ab.get_weights())
                    model.generator_ba.set_weights(way.g_ba.get_weights())
                translated = model.translate(A)
                cycled = model.translate(translated, to="A")
            seconds = time.perf_counter() - start
            recognised, error = np.mean(oracle.predict(translated) == 8), np.abs(A - cycled).mean()
            results[update].append((recognised, error))
            print(f"{seed} | {update} | {recognised:.3f} | {error:.3f} | {seconds:.0f}", flush=True)
    print("\nupdate | recognised, mean ± sd | cycle error, mean ± sd")
    for update, values in results.items():
        mean, sd = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
        print(f"{update} | {mean[0]:.3f} ± {sd[0]:.3f} | {mean[1]:.3f} ± {sd[1]:.3f}")


if __name__ == "__main__":
    main()
