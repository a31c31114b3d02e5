"""``melanet train-classifier`` and ``melanet evaluate``: MelaNet over folders of images."""

import csv
import math
from pathlib import Path

import numpy as np

from melanet import NOT_FOR_DIAGNOSIS
from melanet.classifier._dataset import hold_out
from melanet.classifier._melanet import MelaNet
from melanet.cli._common import read_folder, two_or_more
from melanet.images._augmentation import Augmentation
from melanet.metrics._screening import screening_report
from melanet.over_sampling._files import MANIFEST
from melanet.utils._files import history_rows, write_csv, write_json


def train_classifier(
    path, out, *, synthetic=None, validation=None, augment=False, seed=0, size=256, **options
):
    """Train MelaNet on a folder of images and write it.

    Beside the file `out` comes ``<stem>.record.csv``, the losses by epoch.

    Parameters
    ----------
    path : str or path-like
        A folder with a folder for each class.
    out : str or path-like
        File to write, by custom ending in ``.melanet``.
    synthetic : str or path-like or None, default=None
        Folder that ``melanet oversample`` made of `path`. Its pictures are trained on and never
        validated on, and those whose source image validates are left out.
    validation : str or path-like or None, default=None
        Folder to validate on; None holds a fifth of `path` out. Not the test set.
    augment : bool, default=False
        Whether training images are flipped, rotated and so on, anew in every epoch.
    seed : int, default=0
        Seed of validation part, weights, order and augmentation.
    size : int, default=256
        Side that images are resized to.
    **options
        Further parameters of `melanet.MelaNet`.

    Returns
    -------
    MelaNet
        Fitted.

    Raises
    ------
    ValueError
        If a folder has one class only, or the folders do not belong together.
    OSError
        If images or weights cannot be read.
    """
    X, y, paths = read_folder(path, size)
    two_or_more(y, path)
    if validation is None:
        rows, held = hold_out(np.unique(y, return_inverse=True)[1], 0.2, seed)
        X_val, y_val = X[held], y[held]
    else:
        rows, held = np.arange(len(y)), []
        X_val, y_val, _ = read_folder(validation, size)
    X, y = X[rows], y[rows]
    if synthetic is not None:
        held = {paths[i].relative_to(path).as_posix() for i in held}
        X_made, y_made = _made(synthetic, size, Path(path), held)
        X, y = np.concatenate([X, X_made]), np.concatenate([y, y_made])
    model = MelaNet(
        input_size=size,
        augment=Augmentation(flip="both") if augment else False,
        random_state=seed,
        **options,
    )
    model.fit(X, y, validation_data=(X_val, y_val))
    write_csv(Path(out).with_suffix(".record.csv"), history_rows(model.history_))
    # A function is no value that a file can hold; what is loaded only predicts.
    model.set_params(augment=bool(augment)).save(out)
    return model


def _made(folder, size, source, held):
    """Read synthetic pictures and their labels, without those made of what validates."""
    manifest = Path(folder) / MANIFEST
    if not manifest.is_file():
        raise FileNotFoundError(
            f"synthetic must be a folder that `melanet oversample` wrote. Received: {folder}, "
            f"which holds no {MANIFEST}"
        )
    with manifest.open(newline="", encoding="utf-8") as file:
        source_of = {row["file"]: row["source"] for row in csv.DictReader(file)}
    if missing := sorted(name for name in source_of.values() if not (source / name).is_file()):
        raise ValueError(
            f"synthetic must have been made of {source}. Received: {folder}, made of "
            f"{missing[0]} and others that are not there"
        )
    from melanet.images._io import load_images

    kept = [name for name, origin in source_of.items() if origin not in held]
    labels = np.array([name.split("/")[0] for name in kept])
    return load_images([Path(folder) / name for name in kept], size), labels


def evaluate_folder(model, path, *, positive=None, threshold=0.5, out=None):
    """Measure a classifier on a folder of images.

    Parameters
    ----------
    model : str or path-like
        "isic2016", a file that `melanet.MelaNet.save` wrote, or a Keras file of a classifier.
    path : str or path-like
        A folder with a folder for each class, or with testA and testB.
    positive : str or None, default=None
        Class that the screening looks for; None takes the last of two in the model's order.
    threshold : float, default=0.5
        Probability from which an image is called positive.
    out : str or path-like or None, default=None
        Folder to write report.csv, report.json and predictions.csv into.

    Returns
    -------
    melanet.metrics.ScreeningReport
    positive : str
        The class that it is about.

    Raises
    ------
    ValueError
        If the model's classes do not fit the folder's.
    OSError
        If images or the model cannot be read.
    """
    classifier = _load(model)
    X, y, paths = read_folder(path, classifier.model_.input_shape[1:3], subset="test")
    names = classifier.classes_.tolist()
    present = sorted(set(y.tolist()))
    if classifier.classes_.dtype.kind in "iu" and len(names) == len(present):
        names = present  # a Keras file knows columns, not names; folders are in the same order
    if positive is None and len(names) == 2:
        positive = names[-1]
    if positive not in names or not set(present) <= set(names):
        raise ValueError(
            f"The model tells the classes {names} apart; positive must be one of them, and the "
            f"folder's classes too. Received: positive={positive!r} and the classes {present}"
        )
    scores = classifier.predict_proba(X)[:, names.index(positive)]
    report = screening_report(y == positive, scores, threshold=threshold)
    if out is not None:
        out = Path(out)
        intervals = [name for name in report if not name.endswith(("_low", "_high"))]
        write_csv(out / "report.csv", [_measure(report, name) for name in intervals])
        about = {"notice": NOT_FOR_DIAGNOSIS, "model": str(model), "images": str(path)}
        values = {k: v if math.isfinite(v) else None for k, v in report.items()}
        write_json(out / "report.json", {**about, "positive": positive, **values})
        write_csv(
            out / "predictions.csv",
            [
                {"file": str(file), "label": label, f"probability of {positive}": score}
                for file, label, score in zip(paths, y.tolist(), scores.tolist())
            ],
        )
    return report, positive


def _measure(report, name):
    low, high = (report.get(f"{name}_{end}", "") for end in ("low", "high"))
    return {"measure": name, "value": report[name], "low": low, "high": high}


def _load(model):
    if Path(model).suffix in (".keras", ".h5", ".hdf5") or str(model) == "isic2016":
        return MelaNet.from_pretrained(model)
    return MelaNet.load(model)
