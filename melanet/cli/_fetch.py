"""``melanet fetch``: download a data set."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from melanet.cli._common import whole_number

_ARCHIVE = "isic-archive"
# Options that only some of the data sets have.
_CHALLENGES_ONLY = ("subset", "mirror")
_ARCHIVE_ONLY = ("query", "diagnosis", "collection", "n", "size", "licence", "seed")


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add(
        "dataset",
        choices=[*(f"isic{year}" for year in (*range(2016, 2021), 2024)), _ARCHIVE],
        help="isic2016 is the paper's, 834 MB; 2024 has 2 GB, the others 3 to 24 GB; isic-archive "
        "takes images of the ISIC Archive that match a query",
    )
    add("--data-home", metavar="DIR", help="folder of the data sets")
    add("--subset", metavar="NAME", help="train, validation or test (default: all with labels)")
    add("--mirror", metavar="URL", help="address with files at <URL>/<year>/<file>")
    add("--query", metavar="TEXT", help="isic-archive: query such as 'sex:male'")
    add(
        "--diagnosis",
        action="append",
        metavar="NAME",
        help="isic-archive: diagnosis of the images, such as 'Melanoma*'; may be repeated",
    )
    add(
        "--collection",
        action="append",
        type=whole_number(1),
        metavar="NUMBER",
        help="isic-archive: collection of the images; may be repeated",
    )
    add(
        "--n",
        type=whole_number(0),
        metavar="N",
        help="isic-archive: most images to fetch; 0 only counts those that match (default: all)",
    )
    add("--size", choices=("full", "thumbnail"), help="isic-archive: size (default: full)")
    add(
        "--licence",
        action="append",
        choices=("CC-0", "CC-BY", "CC-BY-NC"),
        help="isic-archive: licence of the images; may be repeated (default: all)",
    )
    help = "isic-archive: draw the N images at random (default: the first ones)"
    add("--seed", type=whole_number(0, 2**32 - 1), metavar="SEED", help=help)


def run(arguments: argparse.Namespace) -> None:
    """Fetch the data set; see `melanet.datasets.fetch_isic` and `fetch_isic_archive`."""
    archive = arguments.dataset == _ARCHIVE
    for name in _CHALLENGES_ONLY if archive else _ARCHIVE_ONLY:
        if getattr(arguments, name) is not None:
            raise ValueError(f"--{name} is no option of {arguments.dataset}. Leave it out")
    (_fetch_archive if archive else _fetch_challenge)(arguments)


def _fetch_challenge(arguments):
    from melanet.datasets import fetch_isic
    from melanet.datasets._isic_catalogue import CHALLENGES

    year = int(arguments.dataset.removeprefix("isic"))
    for subset in [arguments.subset] if arguments.subset is not None else CHALLENGES[year].subsets:
        found: Any = fetch_isic(
            year, subset=subset, data_home=arguments.data_home, mirror=arguments.mirror, verbose=1
        )
        counts = {name: int(sum(found.target == i)) for i, name in enumerate(found.target_names)}
        print(f"{subset}: {len(found.paths)} images in {Path(found.paths[0]).parent}, {counts}")


def _fetch_archive(arguments):
    from melanet.datasets import fetch_isic_archive

    if arguments.seed is not None and not arguments.n:
        raise ValueError("--seed draws N images at random: give --n, or leave --seed out")
    found = fetch_isic_archive(
        arguments.query,
        collections=arguments.collection,
        diagnosis=arguments.diagnosis,
        n=arguments.n,
        size=arguments.size or "full",
        licence=arguments.licence,
        data_home=arguments.data_home,
        random_state=arguments.seed,
        verbose=1,
    )
    if not len(found.paths):
        print(f"0 images fetched; {found.n_matching} match")
        return
    counts = {name: int(sum(found.target == i)) for i, name in enumerate(found.target_names)}
    folder = Path(found.paths[0]).parent
    print(f"{len(found.paths)} images of {len(set(found.groups))} patients or lesions, {counts}")
    print(f"Licences and attributions: {folder / 'images.csv'}. Not for diagnosis")
