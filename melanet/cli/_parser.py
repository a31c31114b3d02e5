"""The command ``melanet``: thin, every command is a call of the public API."""

import argparse

from melanet._version import __version__
from melanet.cli._arguments import COMMANDS


def build_parser():
    """Return the argument parser of the command."""
    parser = argparse.ArgumentParser(
        prog="melanet",
        description="Over-sample rare classes of images with CycleGAN translations. Not for "
        "diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"melanet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, line, description, add_arguments, run in COMMANDS:
        command = commands.add_parser(name, help=line, description=description)
        add_arguments(command.add_argument)
        command.set_defaults(run=run)
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
        Exit status. What cannot be done is said in one line, with status 2.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (OSError, ValueError, ArithmeticError) as error:
        parser.exit(2, f"melanet: {' '.join(str(error).split())}\n")
    return 0
