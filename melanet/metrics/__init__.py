"""Measures that say what they are, loaded on first use as the package's other names are."""

import importlib

_HOME = {
    "ScreeningReport": "melanet.metrics.screening",
    "paper_table_1": "melanet.metrics.paper",
    "screening_report": "melanet.metrics.screening",
}

__all__ = ["ScreeningReport", "paper_table_1", "screening_report"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'melanet.metrics' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
