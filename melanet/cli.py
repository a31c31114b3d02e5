"""The command ``melanet``: thin, every command is a call of the public API."""

import argparse

from melanet._version import __version__


def _demo(arguments):
    from melanet.demo import run_demo

    run_demo(arguments.out, n_seeds=arguments.seeds)


def build_parser():
    """Return the argument parser of the command."""
    parser = argparse.ArgumentParser(
        prog="melanet",
        description="Over-sample rare classes of images with CycleGAN translations. Not for "
        "diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"melanet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="balance real images (scikit-learn's digits) and show what that did",
        description="Make scikit-learn's digits imbalanced, fill up the rare class in several "
        "ways, and compare a small classifier's held-out scores. Takes a minute or two.",
    )
    demo.add_argument(
        "--out", default="melanet-demo", metavar="DIR", help="where to write (default: %(default)s)"
    )
    demo.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="repetitions (default: %(default)s)"
    )
    demo.set_defaults(run=_demo)
    return parser


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes the process's own.

    Returns
    -------
    int
        Exit status.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (OSError, ValueError, ArithmeticError) as error:
        parser.exit(2, f"melanet: {error}\n")
    return 0
