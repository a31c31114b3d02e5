"""``melanet oversample``: write synthetic images of the rare classes, and a manifest."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from melanet.cli._common import (
    DEFAULT_HELP,
    SOURCE_HELP,
    add_groups,
    add_quality,
    add_seed,
    add_value_range,
    check_outside,
    count_classes,
    finite_number,
    list_source,
    parse_features,
    whole_number,
)


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=SOURCE_HELP)
    add("destination", metavar="DST", help="new folder for synthetic images and manifest.csv")
    add(
        "--model",
        action="append",
        default=[],
        metavar="[CLASS=]FILE",
        help="CycleGAN to use instead of training, or isic2016; without CLASS for the rarest class",
    )
    add(
        "--sampling-strategy",
        default="auto",
        metavar="STRATEGY",
        help="auto, a ratio such as 0.5, or numbers to reach such as malignant=900 (%(default)s)",
    )
    add(
        "--preset", choices=("default", "paper"), default="default", help=f"recipe ({DEFAULT_HELP})"
    )
    add_quality(add)
    add(
        "--max-translations",
        type=finite_number,
        metavar="N",
        help="greatest number of translations for each real image of a class; the rest are exact "
        "copies (default: no limit)",
    )
    add(
        "--gate",
        action="store_const",
        const="auto",
        default=False,
        help="train no GAN where the largest class shows no condition that the class lacks",
    )
    add_groups(add, "for the manifest")
    help = "image side (default: the model's, or 256)"
    add("--size", type=whole_number(1), metavar="PIXELS", help=help)
    add_value_range(add)
    add_seed(add)


def run(arguments: argparse.Namespace) -> None:
    """Write the images; see `melanet.over_sampling.oversample_files`."""
    made = oversample_folder(
        arguments.source,
        arguments.destination,
        arguments.model,
        groups=arguments.groups,
        sampling_strategy=parse_strategy(arguments.sampling_strategy),
        preset=arguments.preset,
        quality=arguments.quality,
        features=parse_features(arguments.features),
        max_translations=arguments.max_translations,
        gate=arguments.gate,
        size=arguments.size,
        value_range=arguments.value_range,
        seed=arguments.seed,
        verbose=1,
    )
    counts = ", ".join(f"{n} of {label}" for label, n in made.items())
    print(f"Wrote {counts} to {arguments.destination}; manifest.csv names their sources")


def oversample_folder(
    source: str | Path,
    destination: str | Path,
    models: Sequence[str] = (),
    groups: str | None = None,
    **options: Any,
) -> dict[str, int]:
    """Over-sample a folder of classes or a CSV file of paths.

    Parameters
    ----------
    source : str or path-like
        Folder with a folder for each class, or CSV file with the columns ``path`` and ``label``.
    destination : str or path-like
        New or empty folder. Its manifest names sources relative to `source`, or to the folder of
        the CSV file.
    models : sequence of str, default=()
        CycleGANs to use instead of training: ``FILE``, which fills up the rarest class, or
        ``CLASS=FILE``.
    groups : str or None, default=None
        Column of a CSV file with the lesion or patient of each image; see `list_source`.
    **options
        Passed to `melanet.over_sampling.oversample_files`.

    Returns
    -------
    dict
        Class -> number of images written.
    """
    from melanet.over_sampling import oversample_files

    source = Path(source)
    found = list_source(source, groups=groups)
    counts = count_classes(found.labels, str(source))
    if source.is_dir():
        check_outside("destination", destination, source)
    named: dict[str, str] = {}
    for label, file in map(_split_model, models):
        label = _rarest(counts) if label is None else label
        if label in named:
            raise ValueError(f"model must be given once for a class. Received: two of {label!r}")
        named[label] = file
    return oversample_files(
        found.paths.tolist(),
        found.labels,
        destination,
        names=[_relative(path, found.folder) for path in found.paths],
        groups=found.groups,
        models=named,
        **options,
    )


def parse_strategy(text: str) -> str | float | dict[str, int]:
    """Parse ``--sampling-strategy``.

    Parameters
    ----------
    text : str
        A word of imbalanced-learn's such as "auto", a ratio such as "0.5", or the number of
        images that classes should reach, such as "malignant=900,other=300".

    Returns
    -------
    str, float or dict

    Raises
    ------
    ValueError
        If a number of images is not whole, or a class is named twice.

    Examples
    --------
    >>> from melanet.cli._oversample import parse_strategy
    >>> parse_strategy("malignant=900")
    {'malignant': 900}
    """
    if "=" in text:
        pairs = [part.rpartition("=") for part in text.split(",")]
        if not all(n.strip().isdigit() for _, _, n in pairs):
            raise ValueError(
                f"sampling_strategy must be such as 'malignant=900,other=300'. Received: {text!r}"
            )
        strategy = {name.strip(): int(n) for name, _, n in pairs}
        if len(strategy) < len(pairs):
            raise ValueError(f"sampling_strategy must name a class once. Received: {text!r}")
        return strategy
    try:
        return float(text)
    except ValueError:
        return text


def _rarest(counts: dict[str, int]) -> str:
    found = [name for name, n in counts.items() if n == min(counts.values())]
    if len(found) > 1:
        raise ValueError(
            f"model must be CLASS=FILE where several classes are the rarest. Received: {counts}"
        )
    return found[0]


def _relative(path: str, folder: Path) -> str:
    file = Path(path)
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _split_model(model: str) -> tuple[str | None, str]:
    """Split ``CLASS=FILE``; the class of ``FILE`` alone is None."""
    label, sign, file = model.partition("=")
    return (label, file) if sign and not Path(model).exists() else (None, model)
