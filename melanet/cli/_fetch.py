"""``melanet fetch``: download a data set."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add(
        "dataset",
        choices=[f"isic{year}" for year in range(2016, 2021)],
        help="isic2016 is the paper's, 834 MB; the later years are 3 to 24 GB",
    )
    add("--subset", metavar="NAME", help="train, validation or test (default: all with labels)")
    add("--data-home", metavar="DIR", help="folder of the data sets")
    add("--mirror", metavar="URL", help="address with files at <URL>/<year>/<file>")


def run(arguments: argparse.Namespace) -> None:
    """Fetch the data set; see `melanet.datasets.fetch_isic`."""
    from melanet.datasets import fetch_isic
    from melanet.datasets._isic_catalogue import CHALLENGES

    year = int(arguments.dataset.removeprefix("isic"))
    for subset in [arguments.subset] if arguments.subset is not None else CHALLENGES[year].subsets:
        found: Any = fetch_isic(
            year, subset=subset, data_home=arguments.data_home, mirror=arguments.mirror, verbose=1
        )
        counts = {name: int(sum(found.target == i)) for i, name in enumerate(found.target_names)}
        print(f"{subset}: {len(found.paths)} images in {Path(found.paths[0]).parent}, {counts}")
