"""Helpers that the rest of the package shares; those for Keras are loaded on first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from melanet.utils._keras import reproducible, untuned

__all__ = ["reproducible", "untuned"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'melanet.utils' has no attribute {name!r}")
    from melanet.utils import _keras

    return getattr(_keras, name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
