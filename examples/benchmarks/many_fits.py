"""Fit again and again in one process, and print how seconds and memory develop.

    python examples/benchmarks/many_fits.py --kind sampler --fits 50
    python examples/benchmarks/many_fits.py --kind structures --fits 6
    python examples/benchmarks/many_fits.py --kind grid
    python examples/benchmarks/many_fits.py --kind classifier --fits 20

The data are digits of 8x8, 60 noughts and 20 ones. `sampler` refits GANOversampler(steps=5) with
its judge; `structures` fits images that are a pixel larger each time, and so compiles anew; `grid`
searches 20 candidates (learning rates and budgets) in 5 folds; `classifier`
fits MelaNet(backbone="small") and predicts. KERAS_BACKEND chooses the backend.
"""

import argparse
import os
import time
import warnings

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def resident_mib():
    """Return the memory of this process, in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def digits():
    """Return images and labels, 60 noughts and 20 ones."""
    from sklearn.datasets import load_digits

    X, y = load_digits(n_class=2, return_X_y=True)
    keep = np.concatenate([np.flatnonzero(y == 0)[:60], np.flatnonzero(y == 1)[:20]])
    return X.reshape(-1, 8, 8)[keep], y[keep]


def sampler_fits(X, y, n):
    """Yield after each of n refits of a sampler."""
    from melanet import GANOversampler

    for seed in range(n):
        GANOversampler(steps=5, value_range=(0, 16), random_state=seed).fit_resample(X, y)
        yield


def structures_fits(X, y, n):
    """Yield after each of n fits of a sampler, each of a new structure."""
    for larger in range(n):
        yield from sampler_fits(np.pad(X, ((0, 0), (0, larger), (0, larger))), y, 1)


def classifier_fits(X, y, n):
    """Yield after each of n fits and predictions of a classifier."""
    from melanet import MelaNet

    options = {"backbone": "small", "input_size": 8, "value_range": (0, 16), "epochs": 3}
    for seed in range(n):
        MelaNet(**options, random_state=seed).fit(X, y).predict_proba(X)
        yield


def grid_fits(X, y, n):
    """Yield after each candidate of a search in five folds; n is ignored."""
    from imblearn.pipeline import Pipeline
    from sklearn.model_selection import GridSearchCV
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import SVC

    from melanet import GANOversampler

    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    sampler = GANOversampler(value_range=(0, 16), random_state=0)
    pipeline = Pipeline([("sampler", sampler), ("rows", flatten), ("svc", SVC())])
    for rate in (3e-4, 1e-3, 3e-3, 1e-2):
        for steps in (2, 4, 6, 8, 10):
            grid = {"sampler__learning_rate": [rate], "sampler__steps": [steps]}
            GridSearchCV(pipeline, grid, cv=5, refit=False, error_score="raise").fit(X, y)
            yield


KINDS = {
    "sampler": sampler_fits,
    "structures": structures_fits,
    "classifier": classifier_fits,
    "grid": grid_fits,
}


def main():
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=KINDS, default="sampler")
    parser.add_argument("--fits", type=int, default=50)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # such trainings are too short
    X, y = digits()
    start, rows = time.perf_counter(), []
    for _ in KINDS[arguments.kind](X, y, arguments.fits):
        now = time.perf_counter()
        rows.append((now - start, resident_mib()))
        start = now
    import keras

    print(f"{arguments.kind} on {keras.backend.backend()}: fit, seconds, MiB")
    for i in sorted({0, 1, 2, 4, 9, 19, 29, 39, 49} & set(range(len(rows))) | {len(rows) - 1}):
        print(f"{i + 1:4} {rows[i][0]:7.1f} {rows[i][1]:7.0f}")
    later = [seconds for seconds, _ in rows[1:]]
    if later:
        growth = (rows[-1][1] - rows[0][1]) / len(later)
        print(f"median after the first: {np.median(later):.1f} s, {growth:.1f} MiB a fit")


if __name__ == "__main__":
    main()
