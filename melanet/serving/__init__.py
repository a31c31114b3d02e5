"""HTTP endpoint and web page for a trained classifier.

Importing this package needs nothing; its names need the extra ``melanet[app]``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from melanet.serving._app import create_app
    from melanet.serving._server import serve
    from melanet.serving._uploads import Limits

_HOME = {
    "Limits": "melanet.serving._uploads",
    "create_app": "melanet.serving._app",
    "serve": "melanet.serving._server",
}

__all__ = ["Limits", "create_app", "serve"]


def __getattr__(name: str) -> Any:
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


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
