"""The argument parser of ``melanet`` and its entry point."""

import argparse
import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from melanet._version import __version__
from melanet.cli._common import quiet_backend


class Command(NamedTuple):
    """A command: its name, one line of help, a description, and the module that runs it.

    The module has ``add_arguments(add)`` and ``run(arguments)``, and imports no backend.
    """

    name: str
    help: str
    description: str
    module: str
    backend: bool = True


COMMANDS = (
    Command(
        "demo",
        "balance real images (scikit-learn's digits) and show the effect",
        "Make scikit-learn's digits imbalanced, fill up the rare class in several ways, and "
        "compare a small classifier's held-out scores. Takes two or three minutes.",
        "_demo",
    ),
    Command(
        "fetch",
        "download a data set",
        "Download, verify and unpack a data set. An interrupted download resumes.",
        "_fetch",
        backend=False,
    ),
    Command(
        "train-gan",
        "train a CycleGAN on a folder of images",
        "Train a CycleGAN from one class to another and write it, its losses (NAME.record.csv) "
        "and image grids (NAME.samples/). The same command resumes an interrupted training.",
        "_train_gan",
    ),
    Command(
        "oversample",
        "write synthetic images of the rare classes of a folder",
        "Fill up rare classes with translations. Originals are neither changed nor copied; "
        "manifest.csv names the source of each image. Memory does not grow with the folder. The "
        "same command resumes an interrupted run.",
        "_oversample",
    ),
    Command(
        "train-classifier",
        "train MelaNet on a folder of images",
        "Train the paper's classifier and write it, and its losses (NAME.record.csv).",
        "_train_classifier",
    ),
    Command(
        "evaluate",
        "measure a classifier on a folder of images",
        "Print AUC, sensitivity, specificity and more, with intervals. Not for diagnosis.",
        "_evaluate",
    ),
    Command(
        "serve",
        "answer over HTTP, with a page: probabilities, heat map, translation",
        "Serve a classifier and a CycleGAN on an address of this machine: a page to try them, and "
        "the released project's endpoint POST /api/predict. Needs melanet[app]. Not for diagnosis.",
        "_serve",
    ),
)


def build_parser() -> argparse.ArgumentParser:
    """Return the argument parser of ``melanet``."""
    parser = argparse.ArgumentParser(
        prog="melanet",
        description="Over-sample rare classes of images with CycleGAN translations. Not for "
        "diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"melanet {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.help, description=command.description
        )
        module = importlib.import_module(f"melanet.cli.{command.module}")
        module.add_arguments(subparser.add_argument)
        subparser.add_argument(
            "--verbose", action="store_true", help="show the backend's own messages"
        )
        subparser.set_defaults(run=module.run, backend=command.backend)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status. A failure is reported in one line, with status 2.
    """
    parser = build_parser()
    arguments: Any = parser.parse_args(argv)
    try:
        if arguments.backend and not arguments.verbose:
            quiet_backend()
        arguments.run(arguments)
    except (OSError, ValueError, ArithmeticError) as error:
        parser.exit(2, f"melanet: {' '.join(str(error).split())}\n")
    return 0
