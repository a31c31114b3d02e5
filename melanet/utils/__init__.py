"""Helpers that the rest of the package shares; those for Keras are loaded on first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from melanet.utils._keras import reproducible, untuned
    from melanet.utils._model_store import clear_compiled_models

__all__ = ["clear_compiled_models", "reproducible", "untuned"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'melanet.utils' has no attribute {name!r}")
    from melanet.utils import _keras, _model_store

    home = _model_store if name == "clear_compiled_models" else _keras
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
