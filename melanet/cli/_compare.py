"""``melanet compare``: which remedy for imbalance to use, measured on the user's own images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from melanet.cli._common import (
    DEFAULT_HELP,
    SOURCE_HELP,
    add_groups,
    add_quality,
    add_size_and_seed,
    add_value_range,
    count_classes,
    list_source,
    load_pictures,
    parse_features,
    seconds,
    whole_number,
)

_PAGE, _RESULTS, _SCORES, _WORK = "report.html", "results.csv", "scores.csv", "work"
_GAN = "GANOversampler"
_ESTIMATORS = {"features": "frozen features", "network": "small network"}


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=SOURCE_HELP)
    add(
        "--out",
        default="melanet-comparison",
        metavar="DIR",
        help=f"folder for {_PAGE}, {_RESULTS}, {_SCORES} and unfinished work ({DEFAULT_HELP})",
    )
    add(
        "--remedies",
        default="all",
        metavar="NAMES",
        help="built-in remedies, separated by semicolons, such as 'nothing; SMOTE; "
        f"GANOversampler' ({DEFAULT_HELP})",
    )
    add_quality(add)
    add(
        "--estimator",
        choices=("auto", *_ESTIMATORS, "both"),
        default="auto",
        help="classifier: logistic regression on frozen features, a small network, or both "
        "(default: features if ImageNet weights are in Keras' cache)",
    )
    add_groups(add, "which no fold splits")
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
    add_value_range(add)
    add_size_and_seed(add, 64, 8)


def run(arguments: argparse.Namespace) -> None:
    """Compare, print the table and the advice, and write them; see `melanet.compare`."""
    import numpy as np

    from melanet import NOT_FOR_DIAGNOSIS, compare
    from melanet.comparison import estimate_seconds
    from melanet.comparison._cost import describe_estimate
    from melanet.images import count_channels
    from melanet.utils._files import check_writable

    out = Path(arguments.out)
    source = list_source(arguments.source, groups=arguments.groups)
    y = source.labels
    count_classes(y, arguments.source)
    remedies = parse_remedies(
        arguments.remedies, arguments.quality, parse_features(arguments.features)
    )
    options: dict[str, Any] = {
        "remedies": remedies,
        "groups": source.groups,
        "cv": (arguments.folds, arguments.repeats),
        "value_range": (0, 255),  # of pictures, however dark they are
        "random_state": arguments.seed,
    }
    estimator = None
    if arguments.estimator != "auto":
        estimator = _ESTIMATORS.get(arguments.estimator) or list(_ESTIMATORS.values())
    if not arguments.dry_run:
        check_writable(*(out / name for name in (_PAGE, _RESULTS, _SCORES)))
    if source.groups is not None:
        n = len(np.unique(source.groups))
        print(f"Folds split by {' and '.join(source.group_columns)}: {n} groups")
    channels = count_channels(source.paths, arguments.size)
    X = load_pictures(source.paths, arguments.size, arguments.value_range, channels)
    if arguments.dry_run:
        needed = estimate_seconds(X, y, estimator, **options)
        print(f"Estimate: {describe_estimate(needed)}")
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


def parse_remedies(text: str, quality: str = "default", features: str | None = "auto") -> Any:
    """Parse ``--remedies``, ``--quality`` and ``--features``.

    Parameters
    ----------
    text : str
        "all", or names of built-in remedies, separated by semicolons, since names hold commas.
    quality : {"draft", "default", "high"}, default="default"
        Of `melanet.GANOversampler`; with other values than the defaults of this and the next
        parameter, one with them replaces the built-in one.
    features : str or None, default="auto"
        Of `melanet.GANOversampler`.

    Returns
    -------
    "all", list of str or dict
        As `melanet.compare` takes them.

    Raises
    ------
    ValueError
        If a name is unknown, or settings are given for a GANOversampler that is left out.

    Examples
    --------
    >>> from melanet.cli._compare import parse_remedies
    >>> parse_remedies("nothing; SMOTE")
    ['nothing', 'SMOTE']
    """
    from melanet import GANOversampler
    from melanet.comparison import REMEDIES, find_remedy

    everything = text.strip() == "all"
    names = list(REMEDIES) if everything else [find_remedy(n.strip()) for n in text.split(";")]
    changed: dict[str, Any] = {}
    if quality != "default":
        changed["quality"] = quality
    if features != "auto":
        changed["features"] = features
    if not changed:
        return "all" if everything else names
    if _GAN not in names:
        given = " ".join(f"--{name} {value or 'none'}" for name, value in changed.items())
        raise ValueError(f"{given} is for GANOversampler, which --remedies leaves out")
    left_out: dict[str, Any] = {name: None for name in REMEDIES if name not in names}
    name = ", ".join([_GAN, *(f"{key} {value or 'none'}" for key, value in changed.items())])
    return left_out | {_GAN: None, name: GANOversampler(value_range=(0, 255), **changed)}
