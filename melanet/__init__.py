"""Over-sample rare classes with CycleGAN translations, behind imbalanced-learn's API.

The public names are loaded on first use: importing the package imports neither Keras nor a
deep-learning backend, so that ``import melanet`` and ``melanet --help`` stay quick.
"""

import importlib

from melanet._version import __version__

_HOME = {
    "CycleGAN": "melanet.cyclegan",
    "GANOversampler": "melanet.over_sampling",
    "MelaNet": "melanet.classifier",
    "UnpairedImages": "melanet.unpaired",
    "get_model": "melanet.classifier",
    "model_card": "melanet.cards",
}
_MODULES = ("datasets", "losses", "metrics", "plotting", "serving")

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name):
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"melanet.{name}")
    else:
        raise AttributeError(f"module 'melanet' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
