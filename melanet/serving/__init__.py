"""The endpoint and its page: a trained classifier over HTTP, on one's own machine.

It needs the extra ``melanet[app]``; importing this package does not.
"""

import importlib

_HOME = {"Limits": "melanet.serving._uploads", "create_app": "melanet.serving._app"}

__all__ = [*_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'melanet.serving' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("melanet"):
            raise
        raise ImportError(
            f"melanet.serving needs {error.name}, which is not installed: "
            'pip install "melanet[app]"'
        ) from error
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
