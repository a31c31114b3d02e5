"""``melanet evaluate``: measure a classifier on a folder of images."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melanet.cli._common import (
    DEFAULT_HELP,
    SOURCE_HELP,
    add_groups,
    add_value_range,
    check_outside,
    finite_number,
    list_source,
    load_pictures,
)

_TABLE, _JSON, _PREDICTIONS = "report.csv", "report.json", "predictions.csv"

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_POSITIVE = {"malignant": ("benign", "malignant"), "1": ("0", "1")}  # positive of two classes


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("model", metavar="MODEL", help="file that train-classifier or Keras wrote, or isic2016")
    add("source", metavar="SRC", help=f"{SOURCE_HELP}, or a folder with testA and testB")
    add(
        "--positive",
        metavar="CLASS",
        help="class to screen for (default: malignant of benign and malignant, 1 of 0 and 1)",
    )
    add(
        "--label",
        action="append",
        default=[],
        metavar="FOLDER=CLASS",
        help="class of the model that a folder holds, if their names differ; may be repeated",
    )
    help = f"least positive score ({DEFAULT_HELP})"
    add("--threshold", type=finite_number, default=0.5, help=help)
    add_value_range(add)
    add_groups(add, "by which intervals are drawn")
    add("--out", metavar="DIR", help="folder for report.csv, report.json and predictions.csv")


def run(arguments: argparse.Namespace) -> None:
    """Print, and write, the report; see `melanet.metrics.screening_report`."""
    from melanet import NOT_FOR_DIAGNOSIS
    from melanet.classifier import load_classifier
    from melanet.classifier._pictures import n_picture_channels, picture_samples
    from melanet.metrics import screening_report
    from melanet.utils._files import check_writable
    from melanet.weights._published import CLASSES

    if arguments.out is not None:
        check_outside("--out", arguments.out, arguments.source)
        check_writable(*(Path(arguments.out) / name for name in (_TABLE, _JSON, _PREDICTIONS)))
    classifier = load_classifier(arguments.model)
    n_picture_channels(classifier)
    paths, folders, groups, columns, _ = list_source(arguments.source, "test", arguments.groups)
    X = load_pictures(paths, classifier.model_.input_shape[1:3], arguments.value_range)
    classes = [str(label) for label in CLASSES.get(classifier.published_, classifier.classes_)]
    codes = match_folders(folders, classes, arguments.label)
    column = find_positive(classes, arguments.positive, arguments.label)
    y, positive = [classes[code] for code in codes], classes[column]
    scores = classifier.predict_proba(picture_samples(classifier, X))[:, column]
    report = screening_report(codes == column, scores, threshold=arguments.threshold, groups=groups)
    if arguments.out is not None:
        predictions = [
            {"file": file, "label": label, f"probability of {positive}": score}
            for file, label, score in zip(paths.tolist(), y, scores.tolist())
        ]
        if groups is not None:
            for row, group in zip(predictions, groups.tolist()):
                row["group"] = group
        about = {
            "notice": NOT_FOR_DIAGNOSIS,
            "model": str(arguments.model),
            "images": str(arguments.source),
            "positive": positive,
            **({} if groups is None else {"groups": " and ".join(columns)}),
        }
        _write_report(Path(arguments.out), report, about, predictions)
    print(f"{arguments.model} on {arguments.source}, positive is {positive!r}\n{report}")
    print(f"\n{NOT_FOR_DIAGNOSIS}")


def match_folders(
    folders: Iterable[str], classes: Sequence[str], labels: Sequence[str] = ()
) -> NDArray[np.intp]:
    """Return the class that each image's folder names.

    Parameters
    ----------
    folders : iterable of str of length n
        Folder of each image.
    classes : sequence of str
        Classes of the model, in the order of its columns.
    labels : sequence of str, default=()
        Pairs ``FOLDER=CLASS`` for folders that are not called as their class is.

    Returns
    -------
    ndarray of int of shape (n,)
        Positions in `classes`.

    Raises
    ------
    ValueError
        If a folder or a class is unknown, or a folder is named twice; the message names both
        sides.

    Examples
    --------
    >>> from melanet.cli._evaluate import match_folders
    >>> match_folders(["10", "9", "nine"], ["9", "10"], ["nine=9"]).tolist()
    [1, 0, 0]
    """
    from melanet.utils._labels import label_texts, match_keys, match_labels

    texts = label_texts("SRC", folders)
    named = match_keys("--label", _pairs(labels), "the folders", list(dict.fromkeys(texts)))
    try:
        return match_labels(
            "The folders",
            [named.get(text, text) for text in texts],
            "classes of the model",
            classes,
        )
    except ValueError as error:
        raise ValueError(f"{error}. Say which is which with --label FOLDER=CLASS") from error


def find_positive(classes: Sequence[str], positive: str | None, labels: Sequence[str] = ()) -> int:
    """Return the column of the class to screen for.

    Parameters
    ----------
    classes : sequence of str
        Classes of the model, in the order of its columns.
    positive : str or None
        A class, or a folder of `labels`. None takes malignant of benign and malignant, and 1 of
        0 and 1.
    labels : sequence of str, default=()
        Pairs ``FOLDER=CLASS``.

    Raises
    ------
    ValueError
        If `positive` is no class of the model, or must be given.

    Examples
    --------
    >>> from melanet.cli._evaluate import find_positive
    >>> find_positive(["benign", "malignant"], None), find_positive(["9", "10"], "9")
    (1, 0)
    """
    from melanet.utils._labels import label_text, match_labels

    texts = [label_text(label) for label in classes]
    if positive is None:
        known = [word for word, pair in _POSITIVE.items() if set(texts) == set(pair)]
        if not known:
            raise ValueError(
                f"positive must name the class to screen for, one of {texts}. Received: none"
            )
        positive = known[0]
    if label_text(positive) not in texts:
        folders = {label_text(folder): label for folder, label in _pairs(labels).items()}
        positive = folders.get(label_text(positive), positive)
    if label_text(positive) not in texts:
        raise ValueError(f"positive must be one of {texts}. Received: positive={positive!r}")
    return int(match_labels("positive", [positive], "classes of the model", classes)[0])


def _pairs(labels):
    """Split ``FOLDER=CLASS``."""
    pairs = [text.rpartition("=") for text in labels]
    folders = [folder for folder, _, _ in pairs]
    if not all(folder and label for folder, _, label in pairs) or len(set(folders)) < len(pairs):
        raise ValueError(
            f"label must be such as nevi=benign, each folder once. Received: {' '.join(labels)}"
        )
    return {folder: label for folder, _, label in pairs}


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
    write_csv(out / _TABLE, rows)
    values = {name: value if math.isfinite(value) else None for name, value in report.items()}
    write_json(out / _JSON, {**about, **values})
    write_csv(out / _PREDICTIONS, predictions)
