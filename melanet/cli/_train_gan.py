"""``melanet train-gan``: train a CycleGAN on two classes of a folder of images."""

import argparse
from collections.abc import Callable
from typing import Any

from melanet.cli._common import (
    CLASSES_HELP,
    DEFAULT_HELP,
    add_quality,
    add_size_and_seed,
    count_classes,
    parse_features,
    read_folder,
)


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=f"{CLASSES_HELP}, or with trainA and trainB")
    add("--out", required=True, metavar="FILE", help="file to write, ending in .keras")
    add("--from", dest="from_class", metavar="CLASS", help="default: the most common class, or A")
    add("--to", dest="to_class", metavar="CLASS", help="default: the rarest class, or B")
    add("--preset", choices=("paper", "default"), default="paper", help=f"recipe ({DEFAULT_HELP})")
    add_quality(add)
    add("--epochs", type=int, metavar="N", help="default: the recipe's")
    add("--steps", type=int, metavar="N", help="training budget instead of epochs")
    add("--max-seconds", type=float, metavar="S", help="end the training after this time")
    add_size_and_seed(add)


def run(arguments: argparse.Namespace) -> None:
    """Train and save; see `melanet.gan.training.train_and_save`."""
    from melanet.gan.training import train_and_save
    from melanet.over_sampling import guide_for, resolve_recipe

    X, y, paths = read_folder(arguments.source, arguments.size)
    counts = count_classes(y, arguments.source)
    source, target = arguments.from_class, arguments.to_class
    if {file.parent.name for file in paths} == {"trainA", "trainB"}:
        source, target = sorted(counts)
    target = target or min(counts, key=lambda name: counts[name])
    rest = {name: n for name, n in counts.items() if name != target}
    source = source or max(rest, key=lambda name: rest[name])
    for name, value in (("target", target), ("source", source)):
        if value not in counts or target == source:
            raise ValueError(
                f"{name} must be one of two different classes of {list(counts)}. "
                f"Received: {name}={value!r}"
            )
    features = parse_features(arguments.features)
    recipe = resolve_recipe(
        arguments.preset,
        X.shape[1:],
        arguments.quality,
        steps=arguments.steps,
        epochs=arguments.epochs,
        max_seconds=arguments.max_seconds,
    )
    train_and_save(
        X[y == source],
        X[y == target],
        arguments.out,
        recipe,
        guide=lambda a, b: guide_for(recipe, a, b, features, arguments.seed),
        seed=arguments.seed,
        verbose=1,
    )
    print(f"Wrote {arguments.out}: a CycleGAN from {source} to {target}")
