"""Measures that say what they are, loaded on first use as the package's other names are."""

import importlib

_HOME = {
    "QualityReport": "melanet.metrics.quality",
    "ScreeningReport": "melanet.metrics.screening",
    "diversity_ratio": "melanet.metrics.distances",
    "kernel_inception_distance": "melanet.metrics.synthesis",
    "manifold_scores": "melanet.metrics.synthesis",
    "nearest_samples": "melanet.metrics.distances",
    "paper_table_1": "melanet.metrics.paper",
    "quality_report": "melanet.metrics.quality",
    "screening_report": "melanet.metrics.screening",
    "two_sample_test": "melanet.metrics.synthesis",
}

__all__ = [*_HOME]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'melanet.metrics' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
