"""The directive ``melanet-commands``: the help text of each command of ``melanet``."""

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive

from melanet.cli._parser import build_parser


class Commands(Directive):
    """Insert a section for each command, with its help text."""

    def run(self):
        """Return the sections."""
        width = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = "88"  # argparse wraps to it
        try:
            return [_section(name, parser) for name, parser in _subparsers().items()]
        finally:
            os.environ.pop("COLUMNS")
            if width is not None:
                os.environ["COLUMNS"] = width


def _subparsers():
    actions = build_parser()._actions
    return next(a for a in actions if isinstance(a, argparse._SubParsersAction)).choices


def _section(name, parser):
    title = f"melanet {name}"
    section = nodes.section(ids=[nodes.make_id(title)], names=[title])
    section += nodes.title(title, title)
    text = parser.format_help()
    section += nodes.literal_block(text, text, language="text")
    return section


def setup(app):
    """Register the directive."""
    app.add_directive("melanet-commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
