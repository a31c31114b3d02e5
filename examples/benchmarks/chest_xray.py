"""Measure the worked example of docs/image-data.md on a folder of chest X-rays.

The folder holds train and test, each with the folders normal and pneumonia, as the data of Kermany
et al. (2018) come; patients are read from the file names. For each seed, all normal and a few
pneumonia images are drawn from train, a fifth of the patients validates, and a small network is
trained on the rest: as it is, with class weights, with random over-sampling, and with
translations. All are measured on test, with intervals by patient. Not for diagnosis.

    python examples/benchmarks/chest_xray.py --data ../shared/data/chest-xray --seeds 0 1
"""

import argparse
import os
import re
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from sklearn.model_selection import StratifiedGroupKFold

WAYS = ("nothing", "class weights", "random over-sampling", "GANOversampler")
_PATIENT = re.compile(r"(person\d+|IM-\d+)")


def read(folder, size):
    """Return grey images (n, size, size), class names and patients of a folder of classes."""
    from melanet.datasets import load_image_folder, load_images

    found = load_image_folder(folder)
    X = load_images(found.paths, size)[..., 0]  # the three channels are equal
    patients = [_PATIENT.search(Path(path).name)[0] for path in found.paths]
    return X, np.array(found.target_names)[found.target], np.array(patients)


def draw(y, n_rare, seed):
    """Return the rows of all normal images and of `n_rare` drawn ones with pneumonia."""
    rare = np.flatnonzero(y == "pneumonia")
    chosen = np.random.default_rng(seed).choice(rare, n_rare, replace=False)
    return np.concatenate([np.flatnonzero(y == "normal"), np.sort(chosen)])


def resample(way, X, y, patients, seed, quality):
    """Return the images and labels to train on."""
    from melanet import GANOversampler

    if way == "random over-sampling":
        rows, y = RandomOverSampler(random_state=seed).fit_resample(np.arange(len(y))[:, None], y)
        return X[rows[:, 0]], y
    if way == "GANOversampler":
        sampler = GANOversampler(quality=quality, random_state=seed)
        return sampler.fit_resample(X, y, groups=patients)
    return X, y


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="DIR", help="folder with train and test")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--size", type=int, default=64, help="side of the images")
    parser.add_argument("--rare", type=int, default=40, help="pneumonia images to train with")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--quality", default="draft")
    options = parser.parse_args()
    from melanet import MelaNet
    from melanet.metrics import screening_report

    X_all, y_all, patients_all = read(Path(options.data, "train"), options.size)
    X_test, y_test, patients_test = read(Path(options.data, "test"), options.size)
    print("seed | way | AUC (interval by patient) | sensitivity | specificity | seconds")
    for seed in options.seeds:
        rows = draw(y_all, options.rare, seed)
        X, y, patients = X_all[rows], y_all[rows], patients_all[rows]
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        train, held = next(folds.split(X, y, patients))
        for way in WAYS:
            start = time.perf_counter()
            made = resample(way, X[train], y[train], patients[train], seed, options.quality)
            model = MelaNet(
                backbone="small",
                input_size=options.size,
                epochs=options.epochs,
                class_weight="balanced" if way == "class weights" else None,
                random_state=seed,
            )
            model.fit(*made, validation_data=(X[held], y[held]))
            scores = model.predict_proba(X_test)
            report = screening_report(
                y_test, scores, pos_label="pneumonia", classes=model.classes_, groups=patients_test
            )
            print(
                f"{seed} | {way} | {report['auc']:.3f} ({report['auc_low']:.3f} .. "
                f"{report['auc_high']:.3f}) | {report['sensitivity']:.2f} | "
                f"{report['specificity']:.2f} | {time.perf_counter() - start:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
