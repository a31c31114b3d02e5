"""The argument parser of ``melanet`` and its entry point."""

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from melanet._version import __version__
from melanet.cli._common import load_backend

_FAILED, _INTERRUPTED, _BROKEN_PIPE = 2, 130, 141
_EXPECTED = (OSError, ValueError, ArithmeticError, ImportError, MemoryError)


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
        "Make scikit-learn's digits imbalanced and compare remedies, as melanet compare does on "
        "your own images. Takes two or three minutes.",
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
        "compare",
        "find out which remedy for rare classes to use on your own images",
        "Compare doing nothing, a tuned threshold, class weights, re-sampling, SMOTE, changed "
        "copies and GANOversampler on the same folds, and say which to use, in words and on an "
        "HTML page. The same command resumes an interrupted run. Not for diagnosis.",
        "_compare",
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
    parser = _Parser(
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
            "--verbose",
            action="store_true",
            help="show the backend's own messages, and the traceback of an unexpected error",
        )
        subparser.set_defaults(run=module.run, backend=command.backend)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, and takes an option once."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.register("action", None, _StoreOnce)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"melanet: {_one_line(message)}. See {self.prog} --help\n")


class _StoreOnce(argparse.Action):
    """Store the value of an option; refuse a second one, which would replace the first."""

    def __call__(self, parser, namespace, values, option_string=None):
        stored = vars(namespace).setdefault("_stored", {})
        first = stored.setdefault(self.dest, values)
        if first != values:
            parser.error(f"{option_string} must be given once. Received: {first} and {values}")
        setattr(namespace, self.dest, values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        0. Any other end raises SystemExit with one line on standard error and the status: 2 for
        a failure, 130 after Ctrl-C. If the reader of the output has gone, the status is 141 and
        nothing is said, as with other programs. Warnings are lines on standard error, too, which
        begin with ``melanet: warning:``. With ``--verbose``, an exception that melanet
        does not expect is raised with its traceback.
    """
    verbose = False
    try:
        _print_any_name()
        arguments: Any = build_parser().parse_args(argv)
        verbose = arguments.verbose
        with _warnings_in_one_line():
            if arguments.backend:
                load_backend(quiet=not verbose)
            arguments.run(arguments)
        _flush()
    except BrokenPipeError:
        sys.exit(_BROKEN_PIPE)
    except KeyboardInterrupt as error:
        _exit(_INTERRUPTED, f"interrupted. {_notes(error)}")
    except _EXPECTED as error:
        _exit(_FAILED, _describe(error))
    except Exception as error:
        if verbose:
            raise
        kind = type(error).__name__
        _exit(
            _FAILED,
            f"unexpected {kind}: {_describe(error)}. --verbose shows where; please report it",
        )
    finally:
        _close_broken_output()
    return 0


def _exit(status: int, message: str) -> NoReturn:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"melanet: {_one_line(message)}", file=sys.stderr, flush=True)
    sys.exit(status)


def _describe(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror and not error.filename:
        text = error.strerror  # "[Errno 28]" says nothing to a reader
    if isinstance(error, MemoryError):
        text = f"the memory is full ({text}). Use a smaller --size, or fewer images"
    return f"{text}. {_notes(error)}" if _notes(error) else text


def _notes(error: BaseException) -> str:
    return " ".join(getattr(error, "__notes__", ()))


def _one_line(text: str) -> str:
    return " ".join(text.split())


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print warnings as errors are printed, instead of with the line of code that issues them."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: (
        f"melanet: warning: {_one_line(str(message))}\n"
    )
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _print_any_name() -> None:
    """Let names be printed that the terminal's encoding lacks, instead of raising at the end."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _close_broken_output() -> None:
    """Redirect standard output if it cannot be written, so that Python does not try at exit."""
    try:
        _flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
