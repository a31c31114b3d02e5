"""``melanet compare``: which remedy for imbalance to use, measured on the user's own images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melanet.cli._common import (
    CLASSES_HELP,
    DEFAULT_HELP,
    add_seed,
    count_classes,
    list_folder,
    seconds,
    whole_number,
)

if TYPE_CHECKING:
    import numpy as np

_PAGE, _RESULTS, _SCORES, _WORK = "report.html", "results.csv", "scores.csv", "work"
_ESTIMATORS = {"features": "frozen features", "network": "small network"}


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=f"{CLASSES_HELP}, or a CSV file with columns path and label")
    add(
        "--out",
        default="melanet-comparison",
        metavar="DIR",
        help=f"folder for {_PAGE}, {_RESULTS}, {_SCORES} and unfinished work ({DEFAULT_HELP})",
    )
    add(
        "--side",
        type=whole_number(8),
        default=64,
        metavar="PIXELS",
        help=f"side that images are resized to ({DEFAULT_HELP})",
    )
    add(
        "--remedies",
        default="all",
        metavar="NAMES",
        help="built-in remedies, separated by semicolons, such as 'nothing; SMOTE; "
        f"GANOversampler' ({DEFAULT_HELP})",
    )
    add(
        "--quality",
        choices=("draft", "default", "high"),
        default="default",
        help=f"length of GANOversampler's training ({DEFAULT_HELP})",
    )
    add(
        "--estimator",
        choices=("auto", *_ESTIMATORS, "both"),
        default="auto",
        help="classifier: logistic regression on frozen features, a small network, or both "
        "(default: features if ImageNet weights are in Keras' cache)",
    )
    add("--groups", metavar="COLUMN", help="column of the CSV file with patients or lesions")
    add(
        "--folds",
        type=whole_number(2),
        default=5,
        metavar="N",
        help=f"number of folds ({DEFAULT_HELP})",
    )
    add(
        "--repeats",
        type=whole_number(1),
        default=5,
        metavar="N",
        help=f"repeats of the folds for remedies without a GAN ({DEFAULT_HELP})",
    )
    add("--max-seconds", type=seconds, metavar="S", help="begin no fit after this time")
    add("--dry-run", action="store_true", help="estimate the time and stop")
    add_seed(add)


def run(arguments: argparse.Namespace) -> None:
    """Compare, print the table and the advice, and write them; see `melanet.compare`."""
    from melanet import NOT_FOR_DIAGNOSIS, compare
    from melanet.comparison import estimate_seconds
    from melanet.datasets import load_images
    from melanet.utils._files import check_writable

    out = Path(arguments.out)
    paths, y, groups = read_source(arguments.source, arguments.groups)
    count_classes(y, arguments.source)
    remedies = parse_remedies(arguments.remedies, arguments.quality)
    options: dict[str, Any] = {
        "remedies": remedies,
        "groups": groups,
        "cv": (arguments.folds, arguments.repeats),
        "random_state": arguments.seed,
    }
    estimator = None
    if arguments.estimator != "auto":
        estimator = _ESTIMATORS.get(arguments.estimator) or list(_ESTIMATORS.values())
    if not arguments.dry_run:
        check_writable(*(out / name for name in (_PAGE, _RESULTS, _SCORES)))
    X = load_images(paths, arguments.side)
    if arguments.dry_run:
        for name, needed in estimate_seconds(X, y, estimator, **options).items():
            print(f"{name}: about {max(1, round(needed / 60))} min")
        return
    found = compare(
        X,
        y,
        estimator,
        **options,
        max_seconds=arguments.max_seconds,
        work=out / _WORK,
        verbose=1,
    )
    found.to_html(out / _PAGE)
    found.to_csv(out / _RESULTS, out / _SCORES)
    print(f"{found}\n\n{NOT_FOR_DIAGNOSIS}\nWrote {out / _PAGE}, {_RESULTS} and {_SCORES}")


def read_source(source: str, column: str | None) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    """Return files, class names and groups of a folder of classes or a CSV file.

    Raises
    ------
    ValueError
        If a column is given for a folder, or lacks values.
    """
    from melanet.datasets import load_image_table
    from melanet.utils._files import read_csv

    if not Path(source).is_file():
        if column is not None:
            raise ValueError(
                "--groups names a column of a CSV file. Received: a folder. List its files in a "
                "CSV file with the columns path and label"
            )
        return *list_folder(source), None
    found = load_image_table(source)
    if column is None:
        return found.paths, found.labels, None
    groups = [row[column].strip() for _, row in read_csv(source, (column,))]
    return found.paths, found.labels, groups


def parse_remedies(text: str, quality: str) -> Any:
    """Parse ``--remedies`` and ``--quality``.

    Parameters
    ----------
    text : str
        "all", or names of built-in remedies, separated by semicolons, since names hold commas.
    quality : {"draft", "default", "high"}
        Of `melanet.GANOversampler`; others than "default" replace the built-in one.

    Returns
    -------
    "all", list of str or dict
        As `melanet.compare` takes them.

    Examples
    --------
    >>> from melanet.cli._compare import parse_remedies
    >>> parse_remedies("nothing; SMOTE", "default")
    ['nothing', 'SMOTE']
    """
    from melanet import GANOversampler
    from melanet.comparison import REMEDIES, find_remedy

    names = list(REMEDIES) if text.strip() == "all" else [n.strip() for n in text.split(";")]
    if quality == "default":
        return "all" if text.strip() == "all" else names
    names = [find_remedy(name) for name in names]
    chosen: dict[str, Any] = {name: None for name in REMEDIES if name not in names}
    if "GANOversampler" not in names:
        raise ValueError(
            f"--quality is for GANOversampler, which --remedies leaves out. Received: {quality}"
        )
    chosen["GANOversampler"] = None
    return chosen | {f"GANOversampler, {quality}": GANOversampler(quality=quality)}
