"""The strength of edits after a training: less where they are told from the class."""

import numpy as np

from melanet.gan import CycleGAN
from melanet.gan.networks import set_edit_strength
from melanet.metrics._translation_measures import FEWEST, realism
from melanet.over_sampling._guard import GuardFeatures
from melanet.over_sampling._presets import Recipe
from melanet.over_sampling._translator import translate
from melanet.preprocessing import SampleSource
from melanet.utils._chunks import evenly_spaced, samples_that_fit

# As much as can be without being told from the class in nine of ten comparisons. Where classes
# hardly overlap, full edits go beyond the class: see docs/recipe.md.
_TOLD = 0.9
_MAX_COMPARED = 200
_SHARES = (1.0, 0.85, 0.7, 0.55, 0.4)  # of the recipe's strength, tried in turn


def temper(
    cyclegan: CycleGAN,
    samples: SampleSource,
    source_rows: np.ndarray,
    target_rows: np.ndarray,
    recipe: Recipe,
) -> None:
    """Reduce the strength of edits until translations are not told from the class.

    Does nothing to a CycleGAN that redraws, to one without a guard, and with fewer than ten
    images of either kind, which say too little.

    Parameters
    ----------
    cyclegan : CycleGAN
        Trained model into the class.
    samples : SampleSource
        Real images in [-1, 1].
    source_rows, target_rows : ndarray of int
        Rows of the images to translate, and of the class; at most 200 of each are compared.
    recipe : Recipe
        Settings.
    """
    few = min(len(source_rows), len(target_rows)) < FEWEST
    if recipe.generator != "edit" or not recipe.guard or few:
        return
    most = min(_MAX_COMPARED, samples_that_fit(samples.shape[1:]))
    sources, real = (samples[evenly_spaced(rows, most)] for rows in (source_rows, target_rows))
    features = GuardFeatures(sources, real)
    told = {}
    for strength in recipe.edit_strength * np.array(_SHARES):
        set_edit_strength(cyclegan.generator_ab, strength)
        made = features(translate(cyclegan, sources, recipe))
        if not np.isfinite(made).all():
            return  # the guard rejects them
        rows = np.arange(len(made))
        data = (features.real, features.sources, made, rows)
        told[strength] = realism(*data, random_state=0)["told"]
        if told[strength] <= _TOLD:
            return
    set_edit_strength(cyclegan.generator_ab, min(told, key=lambda s: (told[s], s)))
