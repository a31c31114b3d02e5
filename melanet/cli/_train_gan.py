"""``melanet train-gan``: train a CycleGAN on two classes of a folder of images."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from melanet.cli._common import (
    CLASSES_HELP,
    DEFAULT_HELP,
    add_quality,
    add_size_and_seed,
    add_value_range,
    check_outside,
    count_classes,
    list_folder,
    parse_features,
    seconds,
    whole_number,
)


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=f"{CLASSES_HELP}, or with trainA and trainB")
    add("--out", required=True, metavar="FILE", help="file to write, ending in .keras")
    add("--from", dest="from_class", metavar="CLASS", help="default: the most common class, or A")
    add("--to", dest="to_class", metavar="CLASS", help="default: the rarest class, or B")
    add("--preset", choices=("paper", "default"), default="paper", help=f"recipe ({DEFAULT_HELP})")
    add_quality(add)
    add("--epochs", type=whole_number(1), metavar="N", help="default: the recipe's")
    add("--steps", type=whole_number(1), metavar="N", help="training budget instead of epochs")
    add("--max-seconds", type=seconds, metavar="S", help="end the training after this time")
    add_value_range(add)
    add_size_and_seed(add)


def run(arguments: argparse.Namespace) -> None:
    """Train and save; see `melanet.gan.training.train_and_save`."""
    from melanet.gan.training import train_and_save
    from melanet.images import count_channels
    from melanet.over_sampling import guide_for, resolve_recipe, with_features
    from melanet.utils._files import check_writable

    paths, y = list_folder(arguments.source)
    counts = count_classes(y, arguments.source)
    check_outside("--out", arguments.out, arguments.source)  # image grids are written beside it
    by_side = {Path(file).parent.name for file in paths} == {"trainA", "trainB"}
    source, target = choose_classes(counts, arguments.from_class, arguments.to_class, by_side)
    features = parse_features(arguments.features)
    sides = [paths[y == name].tolist() for name in (source, target)]
    channels = count_channels(sides[0] + sides[1], arguments.size)
    shape = (arguments.size, arguments.size, channels)
    recipe = resolve_recipe(
        arguments.preset,
        shape,
        arguments.quality,
        steps=arguments.steps,
        epochs=arguments.epochs,
        max_seconds=arguments.max_seconds,
    )
    recipe, network = with_features(recipe, shape, features)
    check_writable(arguments.out)
    A, B = _read_sides(sides, arguments.size, arguments.value_range, channels)
    train_and_save(
        A,
        B,
        arguments.out,
        recipe,
        guide=lambda a, b: guide_for(recipe, a, b, network, arguments.seed, verbose=1),
        seed=arguments.seed,
        verbose=1,
    )
    print(f"Wrote {arguments.out}: a CycleGAN from {source} to {target}")


def _read_sides(sides, size, value_range, channels):
    """Return the images of two classes, whose depth is checked together."""
    from melanet.images import Depth, check_size, read_pictures

    size, depth = check_size(size), Depth(sum(map(len, sides)))
    return [read_pictures(files, size, value_range, depth, channels=channels) for files in sides]


def choose_classes(
    counts: dict[str, int], source: str | None, target: str | None, sides: bool
) -> tuple[str, str]:
    """Return the classes to translate from and to.

    Parameters
    ----------
    counts : dict
        Class -> number of images.
    source, target : str or None
        The classes as given. None takes the most common of the others, and the rarest of the
        others; of a folder with trainA and trainB, the side that is not given, or A to B.
    sides : bool
        Whether the folder has trainA and trainB.

    Raises
    ------
    ValueError
        If they are not two classes of `counts`.
    """
    for option, name in (("--from", source), ("--to", target)):
        if name is not None and name not in counts:
            raise ValueError(f"{option} must be one of {list(counts)}. Received: {name!r}")
    if source is not None and source == target:
        raise ValueError(f"--from and --to must be two classes. Received: {source!r} for both")
    by_rarity = sorted(counts, key=lambda name: (counts[name], name))
    if sides:
        by_rarity = sorted(counts, reverse=True)
    if target is None:
        target = next(name for name in by_rarity if name != source)
    if source is None:
        most = max(n for name, n in counts.items() if name != target)
        source = next(name for name, n in counts.items() if name != target and n == most)
    return source, target
