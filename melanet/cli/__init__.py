"""The command ``melanet``."""

from melanet.cli._parser import build_parser, main

__all__ = ["build_parser", "main"]
