"""Measures that say what they are, loaded on first use as the package's other names are."""

import importlib

_HOME = {
    "PatchFeatures": "melanet.metrics._patch_features",
    "QualityReport": "melanet.metrics._quality_report",
    "ScreeningReport": "melanet.metrics._screening",
    "diversity_ratio": "melanet.metrics._distances",
    "judge_class": "melanet.metrics._verdict",
    "kernel_inception_distance": "melanet.metrics._fidelity",
    "manifold_scores": "melanet.metrics._fidelity",
    "nearest_samples": "melanet.metrics._distances",
    "paper_table_1": "melanet.metrics._paper_table",
    "quality_report": "melanet.metrics._quality_report",
    "screening_report": "melanet.metrics._screening",
    "two_sample_test": "melanet.metrics._fidelity",
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
