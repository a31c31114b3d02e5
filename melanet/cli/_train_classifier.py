"""``melanet train-classifier``: train MelaNet on a folder of images."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from melanet.cli._common import (
    DEFAULT_HELP,
    SOURCE_HELP,
    Listing,
    add_groups,
    add_size_and_seed,
    add_value_range,
    count_classes,
    list_source,
    load_pictures,
    whole_number,
)
from melanet.utils._typing import PathLike


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("source", metavar="SRC", help=SOURCE_HELP)
    add("--out", required=True, metavar="FILE", help="file to write, such as classifier.melanet")
    add(
        "--synthetic",
        metavar="DST",
        help="folder that `melanet oversample SRC DST` wrote; the weights of its manifest are used",
    )
    add(
        "--validation",
        metavar="DIR",
        help="images to validate on, a folder or CSV file like SRC (default: a fifth of SRC)",
    )
    add_groups(add, "which are trained on or validated on as a whole")
    add(
        "--backbone",
        default="vgg16",
        help=f"vgg16, small, ...: as in melanet.MelaNet ({DEFAULT_HELP})",
    )
    add(
        "--backbone-weights",
        metavar="FILE",
        help="imagenet, which is downloaded, a file without the top, or none (default: imagenet, "
        "or none for small, which has no others)",
    )
    add(
        "--epochs", type=whole_number(1), default=300, metavar="N", help=f"maximum ({DEFAULT_HELP})"
    )
    add("--balanced", action="store_true", help="weight classes by the inverse of their size")
    add("--augment", action="store_true", help="augment training images anew in every epoch")
    add_value_range(add)
    add_size_and_seed(add)


def run(arguments: argparse.Namespace) -> None:
    """Train and save; see `melanet.MelaNet`.

    Synthetic images are trained on, with the weights of their manifest, and never validated on;
    those whose source image validates are left out.
    """
    import numpy as np

    from melanet import MelaNet
    from melanet.classifier._dataset import hold_out
    from melanet.images import Augmentation
    from melanet.utils._files import check_writable, history_rows, resolve, write_csv
    from melanet.utils._labels import match_labels
    from melanet.utils._paths import check_distinct_files

    backbone_weights = parse_weights(arguments.backbone, arguments.backbone_weights)
    check_writable(arguments.out)
    out = resolve(arguments.out)
    record = out.with_suffix(".record.csv")
    check_writable(record)
    source = list_source(arguments.source, groups=arguments.groups)
    if str(out) in {str(resolve(path)) for path in source.paths}:
        raise ValueError(f"--out must not be one of the images. Received: {arguments.out!r}")
    paths, y = source.paths, source.labels
    count_classes(y, arguments.source)
    if arguments.validation is None:
        codes = np.unique(y, return_inverse=True)[1]
        rows, held = hold_out(codes, 0.2, arguments.seed, source.groups)
        held_paths, y_held = paths[held], y[held]
        paths, y = paths[rows], y[rows]
        if source.groups is not None:
            n, n_held = (len(np.unique(source.groups[part])) for part in (rows, held))
            print(
                f"Groups of {' and '.join(source.group_columns)}: {n} to train on, {n_held} to "
                "validate on"
            )
    else:
        held_out = list_source(arguments.validation, "test", arguments.groups)
        held_paths, y_held = held_out.paths, held_out.labels
        check_distinct_files("SRC and --validation", [*paths, *held_paths])
        check_groups_apart(source, held_out)
    X, X_held = (
        load_pictures(files, arguments.size, arguments.value_range) for files in (paths, held_paths)
    )
    weights = None
    if arguments.synthetic is not None:
        X_made, y_made, made_weights = read_synthetic(arguments, paths, held_paths)
        classes = np.unique(y)
        codes = match_labels(
            "The labels of synthetic", y_made, f"classes of {arguments.source}", classes
        )
        weights = np.concatenate([np.ones(len(X)), made_weights])
        X, y = np.concatenate([X, X_made]), np.concatenate([y, classes[codes]])
    n_made = len(X) - len(paths)
    made = f", {n_made} of them synthetic" if arguments.synthetic is not None else ""
    print(f"{len(X)} images to train on{made}, {len(X_held)} to validate on")
    model = MelaNet(
        input_size=arguments.size,
        value_range=(0, 255),  # of pictures, however dark they are
        augment=Augmentation(flip="both") if arguments.augment else False,
        random_state=arguments.seed,
        backbone=arguments.backbone,
        backbone_weights=backbone_weights,
        class_weight="balanced" if arguments.balanced else None,
        epochs=arguments.epochs,
        verbose=2,
    )
    model.fit(X, y, sample_weight=weights, validation_data=(X_held, y_held))
    write_csv(record, history_rows(model.history_))
    # A file cannot hold a callable, and a loaded model only predicts.
    model.set_params(augment=arguments.augment).save(out)
    n_epochs = len(model.history_["loss"])
    print(f"Wrote {arguments.out} after {n_epochs} epochs. Not for diagnosis")


def check_groups_apart(source: Listing, validation: Listing) -> None:
    """Raise ValueError if a lesion or patient is in both; columns of the same name are compared."""
    from melanet.utils._labels import label_text
    from melanet.utils._validation import join_names

    for name in source.group_columns.keys() & validation.group_columns.keys():
        first, second = (
            {label_text(cell) for cell in listing.group_columns[name]} - {""}
            for listing in (source, validation)
        )
        if shared := sorted(first & second):
            raise ValueError(
                f"SRC and --validation must not share a group. Received: {name} "
                f"{join_names(shared, 5)} in both. Move the images of each to one side, or leave "
                "--validation out: whole groups of SRC are then validated on"
            )


def parse_weights(backbone: str, weights: str | None) -> str | None:
    """Return ``backbone_weights`` of MelaNet; raise ValueError for ImageNet's of "small"."""
    if backbone == "small" and weights == "imagenet":
        raise ValueError(
            "--backbone-weights must be none or a file for --backbone small, which has no ImageNet "
            "weights. Received: 'imagenet'"
        )
    if weights is None:
        return None if backbone == "small" else "imagenet"
    return None if weights == "none" else weights


def read_synthetic(
    arguments: argparse.Namespace, paths: Iterable[PathLike], held_paths: Iterable[PathLike]
) -> tuple[Any, Any, Any]:
    """Load synthetic images, labels and weights, without those made of held-out images.

    Parameters
    ----------
    arguments : argparse.Namespace
        The command's arguments.
    paths, held_paths : iterable of str or path-like
        Files of the images to train on, and to validate on.

    Raises
    ------
    ValueError
        If they were made of other images.
    """
    from melanet.over_sampling._manifest import exclude, load_rows, read_manifest
    from melanet.utils._paths import file_key

    source = Path(arguments.source)
    folder = source.parent if source.is_file() else source
    known = {file_key(path) for path in [*paths, *held_paths]}
    rows = read_manifest(arguments.synthetic, folder)
    for row in rows:
        if not known & row.source_keys:
            raise ValueError(
                f"synthetic must have been made of {source}. Received: "
                f"{arguments.synthetic}, made of {row.source} and perhaps others that are not there"
            )
    kept = exclude(held_paths, rows, arguments.synthetic, folder)
    if len(kept) < len(rows):
        n = len(rows) - len(kept)
        print(f"{n} of {len(rows)} synthetic images are left out: made of images that validate")
    return load_rows(kept, arguments.size)
