"""``melanet serve``: the endpoint and its page on a local address."""

import argparse
from collections.abc import Callable
from typing import Any

from melanet.cli._common import add_value_range, whole_number

_NO_MODEL = (
    "--model must name a model to serve: a file that `melanet train-classifier` or MelaNet.save "
    "wrote, a Keras file, or isic2016. Received: none. `melanet demo` writes a small one: "
    "melanet serve --model melanet-demo/classifier.melanet "
    "--translator melanet-demo/translator.keras"
)


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("--model", metavar="PATH", help="file of a classifier, or isic2016")
    add("--translator", metavar="PATH", help="file of a CycleGAN, or isic2016")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    help = "0 takes a free one (default: %(default)s)"
    add("--port", type=whole_number(0, 65535), default=8000, help=help)
    add(
        "--labels",
        metavar="CLASS=NAME,...",
        help="names of the classes; without CLASS=, those of columns 0, 1, ... of a Keras file",
    )
    add_value_range(add)


def run(arguments: argparse.Namespace) -> None:
    """Serve until interrupted; see `melanet.serving.serve`."""
    if arguments.model is None:
        raise ValueError(_NO_MODEL)
    try:
        from melanet.serving import serve
    except ImportError as error:  # shown in one line, like other errors
        raise ValueError(str(error)) from error
    serve(
        arguments.model,
        arguments.translator,
        host=arguments.host,
        port=arguments.port,
        labels=parse_labels(arguments.labels),
        value_range=arguments.value_range,
    )


def parse_labels(text: str | None) -> dict[str, str] | list[str] | None:
    """Parse ``--labels``: names of classes, or names in the order of a model's columns.

    Raises
    ------
    ValueError
        If only some of the names have a class, or a class is named twice.

    Examples
    --------
    >>> from melanet.cli._serve import parse_labels
    >>> parse_labels("0=nevus,1=melanoma"), parse_labels("nevus,melanoma")
    ({'0': 'nevus', '1': 'melanoma'}, ['nevus', 'melanoma'])
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if "=" not in text:
        return parts
    pairs = [part.partition("=") for part in parts]
    named = {label.strip(): name.strip() for label, _, name in pairs}
    if len(named) < len(pairs) or not all(sign for _, sign, _ in pairs):
        raise ValueError(
            "labels must be such as 0=nevus,1=melanoma, each class once, or such as "
            f"nevus,melanoma. Received: {text!r}"
        )
    return named
