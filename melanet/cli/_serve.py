"""``melanet serve``: the endpoint and its page on a local address."""

import argparse
from collections.abc import Callable
from typing import Any

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
    add("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    add("--labels", metavar="A,B", help="names of the classes, in the model's order")


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
        labels=None if arguments.labels is None else arguments.labels.split(","),
    )
