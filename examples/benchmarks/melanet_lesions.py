"""Measure MelaNet with and without over-sampling on `make_lesions`: AUC and more.

Run ``python examples/benchmarks/melanet_lesions.py``; see ``--help``. For each seed, toy lesions
of 64x64 are drawn, four benign ones for each malignant one. A part is held out for early stopping.
The rest is used unchanged, balanced with copies, or balanced by GANOversampler. MelaNet with its
small network trains on each, always with augmentation, and is tested on the same number of new
images. The results say nothing about real lesions.
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import platform
import time

import imblearn
import keras
import numpy as np
import sklearn
from imblearn.over_sampling import RandomOverSampler
from sklearn.model_selection import train_test_split

import melanet
from melanet import GANOversampler, MelaNet
from melanet.datasets import make_lesions
from melanet.images import Augmentation
from melanet.metrics import screening_report
from melanet.utils import reproducible

MEASURES = ("auc", "sensitivity", "specificity")


def resample(way, X, y, steps, seed):
    """Balance the classes in one of three ways."""
    if way == "random copies":
        rows, _ = RandomOverSampler(random_state=seed).fit_resample(np.arange(len(X))[:, None], y)
        return X[rows[:, 0]], y[rows[:, 0]]
    if way == "GANOversampler":
        return GANOversampler(steps=steps, flip="both", random_state=seed).fit_resample(X, y)
    return X, y


def classifier(epochs, seed):
    return MelaNet(
        backbone="small",
        input_size=64,
        epochs=epochs,
        batch_size=32,
        augment=Augmentation(flip="both"),
        random_state=seed,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--samples", type=int, default=600, help="training images (default: 600)")
    parser.add_argument(
        "--steps", type=int, default=300, help="training steps of the GAN (default: 300)"
    )
    parser.add_argument(
        "--epochs", type=int, default=40, help="maximum epochs of the classifier (default: 40)"
    )
    options = parser.parse_args()
    print(
        f"melanet {melanet.__version__}, Keras {keras.__version__} on {keras.backend.backend()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}, imbalanced-learn "
        f"{imblearn.__version__}, Python {platform.python_version()}"
    )
    results = {"as it is": [], "random copies": [], "GANOversampler": []}
    begin = time.perf_counter()
    for seed in range(options.seeds):
        n = options.samples
        X, y = make_lesions(2 * n, weights=(0.8, 0.2), random_state=2000 + seed)
        X_test, y_test = X[n:], y[n:]
        X_train, X_val, y_train, y_val = train_test_split(
            X[:n], y[:n], test_size=0.2, stratify=y[:n], random_state=seed
        )
        for way, reports in results.items():
            start = time.perf_counter()
            with reproducible():
                X_res, y_res = resample(way, X_train, y_train, options.steps, seed)
                made = time.perf_counter() - start
                model = classifier(options.epochs, seed)
                # Validation uses no synthetic images.
                model.fit(X_res, y_res, validation_data=(X_val, y_val))
            report = screening_report(y_test, model.predict_proba(X_test)[:, 1])
            reports.append([report[name] for name in MEASURES])
            print(
                f"seed {seed}, {way}: {np.bincount(y_res).tolist()} images, "
                + ", ".join(f"{name} {report[name]:.3f}" for name in MEASURES)
                + f", {len(model.history_['loss'])} epochs "
                f"({made:.0f} + {time.perf_counter() - start - made:.0f} s)",
                flush=True,
            )
    for way, reports in results.items():
        mean = np.mean(reports, axis=0)
        spread = np.std(reports, axis=0, ddof=1) if len(reports) > 1 else np.full(3, np.nan)
        print(
            f"{way:>15}: "
            + ", ".join(f"{n} {m:.3f} +- {s:.3f}" for n, m, s in zip(MEASURES, mean, spread))
        )
    print(f"{time.perf_counter() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
