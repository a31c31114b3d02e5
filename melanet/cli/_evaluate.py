"""``melanet evaluate``: measure a classifier on a folder of images."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from melanet.cli._common import CLASSES_HELP, DEFAULT_HELP, read_folder


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("model", metavar="MODEL", help="file that train-classifier or Keras wrote, or isic2016")
    add("source", metavar="SRC", help=f"{CLASSES_HELP}, or with testA and testB")
    add("--positive", metavar="CLASS", help="class to screen for (default: the last of two)")
    add("--threshold", type=float, default=0.5, help=f"least positive score ({DEFAULT_HELP})")
    add("--out", metavar="DIR", help="folder for report.csv, report.json and predictions.csv")


def run(arguments: argparse.Namespace) -> None:
    """Print, and write, the report; see `melanet.metrics.screening_report`."""
    from melanet import NOT_FOR_DIAGNOSIS
    from melanet.classifier import load_classifier
    from melanet.metrics import screening_report

    classifier = load_classifier(arguments.model)
    X, y, paths = read_folder(arguments.source, classifier.model_.input_shape[1:3], subset="test")
    names = classifier.classes_.tolist()
    present = sorted(set(y.tolist()))
    if classifier.classes_.dtype.kind in "iu" and len(names) == len(present):
        names = present  # a Keras file has columns without names, in the order of the folders
    positive = arguments.positive
    if positive is None and len(names) == 2:
        positive = names[-1]
    if positive not in names or not set(present) <= set(names):
        raise ValueError(
            f"The model has the classes {names}; positive must be one of them, and so must the "
            f"folder's classes. Received: positive={positive!r} and the classes {present}"
        )
    scores = classifier.predict_proba(X)[:, names.index(positive)]
    report = screening_report(y == positive, scores, threshold=arguments.threshold)
    if arguments.out is not None:
        predictions = [
            {"file": str(file), "label": label, f"probability of {positive}": score}
            for file, label, score in zip(paths, y.tolist(), scores.tolist())
        ]
        about = {
            "notice": NOT_FOR_DIAGNOSIS,
            "model": str(arguments.model),
            "images": str(arguments.source),
            "positive": positive,
        }
        _write_report(Path(arguments.out), report, about, predictions)
    print(f"{arguments.model} on {arguments.source}, positive is {positive!r}\n{report}")
    print(f"\n{NOT_FOR_DIAGNOSIS}")


def _write_report(out: Path, report: Any, about: dict[str, Any], predictions: Any) -> None:
    from melanet.utils._files import write_csv, write_json

    measures = [name for name in report if not name.endswith(("_low", "_high"))]
    rows = [
        {
            "measure": name,
            "value": report[name],
            "low": report.get(f"{name}_low", ""),
            "high": report.get(f"{name}_high", ""),
        }
        for name in measures
    ]
    write_csv(out / "report.csv", rows)
    values = {name: value if math.isfinite(value) else None for name, value in report.items()}
    write_json(out / "report.json", {**about, **values})
    write_csv(out / "predictions.csv", predictions)
