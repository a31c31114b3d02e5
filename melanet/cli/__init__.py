"""The command ``melanet``: each command is a thin call of the public API."""

from melanet.cli._parser import build_parser, main

__all__ = ["build_parser", "main"]
