"""Over-sample rare classes with CycleGAN translations, behind imbalanced-learn's API.

The public names are loaded on first use: importing the package imports neither Keras nor a
deep-learning backend, so that ``import melanet`` and ``melanet --help`` stay quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from melanet._version import __version__

if TYPE_CHECKING:
    from melanet import (
        callbacks,
        classifier,
        comparison,
        datasets,
        exceptions,
        gan,
        images,
        layers,
        losses,
        metrics,
        over_sampling,
        plotting,
        serving,
        utils,
        weights,
    )
    from melanet._model_card import model_card
    from melanet.classifier import MelaNet, get_model
    from melanet.comparison import Comparison, compare
    from melanet.gan import CycleGAN, UnpairedImages
    from melanet.over_sampling import GANOversampler

# Shown beside every prediction.
NOT_FOR_DIAGNOSIS = "Not for diagnosis: no figure or prediction here is a medical finding."

_HOME = {
    "Comparison": "melanet.comparison",
    "CycleGAN": "melanet.gan",
    "GANOversampler": "melanet.over_sampling",
    "MelaNet": "melanet.classifier",
    "UnpairedImages": "melanet.gan",
    "compare": "melanet.comparison",
    "get_model": "melanet.classifier",
    "model_card": "melanet._model_card",
}

__all__ = [
    "Comparison",
    "CycleGAN",
    "GANOversampler",
    "MelaNet",
    "UnpairedImages",
    "__version__",
    "callbacks",
    "classifier",
    "compare",
    "comparison",
    "datasets",
    "exceptions",
    "gan",
    "get_model",
    "images",
    "layers",
    "losses",
    "metrics",
    "model_card",
    "over_sampling",
    "plotting",
    "serving",
    "utils",
    "weights",
]


if not TYPE_CHECKING:  # a type checker would let every name pass

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            value = getattr(importlib.import_module(_HOME[name]), name)
        elif name in __all__:
            value = importlib.import_module(f"melanet.{name}")
        else:
            raise AttributeError(f"module 'melanet' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
