"""Features: the maps that a pretrained or a small network computes from an image."""

from melanet.features._guide import ClassGuide, fit_guide
from melanet.features._networks import WORKING_SIDE, FeatureNetwork, find_features
from melanet.features._small_networks import DEFAULT_STEPS, train_small_networks

__all__ = [
    "DEFAULT_STEPS",
    "WORKING_SIDE",
    "ClassGuide",
    "FeatureNetwork",
    "find_features",
    "fit_guide",
    "train_small_networks",
]
