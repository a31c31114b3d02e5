"""Over-sample with translations: in memory, from files, and batch by batch."""

from melanet.over_sampling._balanced_batches import BalancedBatches
from melanet.over_sampling._files import oversample_files
from melanet.over_sampling._gan_oversampler import GANOversampler
from melanet.over_sampling._generation import ClassReport
from melanet.over_sampling._guidance import guide_for, with_features
from melanet.over_sampling._manifest import load_synthetic
from melanet.over_sampling._matching import Matching
from melanet.over_sampling._presets import PRESETS, Recipe, resolve_recipe

__all__ = [
    "PRESETS",
    "BalancedBatches",
    "ClassReport",
    "GANOversampler",
    "Matching",
    "Recipe",
    "guide_for",
    "load_synthetic",
    "oversample_files",
    "resolve_recipe",
    "with_features",
]
