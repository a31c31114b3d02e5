"""The guide of an edit GAN, as a recipe asks for it."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from melanet.exceptions import TranslationWarning
from melanet.features import (
    DEFAULT_STEPS,
    WORKING_SIDE,
    ClassGuide,
    FeatureNetwork,
    find_features,
    fit_guide,
)
from melanet.over_sampling._presets import Recipe, names_features


def with_features(
    recipe: Recipe, shape: Sequence[int], features: Any = "auto", stacklevel: int = 2
) -> tuple[Recipe, FeatureNetwork | None]:
    """Find the frozen network that guides a recipe's training, and record it in the recipe.

    Parameters
    ----------
    recipe : Recipe
        Settings.
    shape : tuple of int
        Shape of a sample.
    features : {"auto", "imagenet"}, path-like, keras.Model or None, default="auto"
        See `melanet.features.find_features`.
    stacklevel : int, default=2
        As in `warnings.warn`; 1 is the caller's line.

    Returns
    -------
    recipe : Recipe
        With the network's name and checksum; "small" if small networks are to be trained.
    network : FeatureNetwork or None
        None for small networks, and if the recipe needs no guide.

    Raises
    ------
    ValueError
        If the recipe needs no guide and features are given, or they do not fit the images.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    TranslationWarning
        If "auto" finds no pretrained network, without which edits are less like the class.
    """
    if recipe.generator != "edit":
        if names_features(features):
            raise ValueError(
                "features guide the default recipe's edits of images of 32 pixels or more. "
                f"Received: features={features!r}, but generator={recipe.generator!r}. Leave "
                "features out"
            )
        return recipe, None
    network = find_features(features, shape, recipe.edit_side or WORKING_SIDE)
    if network is None:
        if features is not None and shape[-1] in (1, 3):  # others have no such network
            warnings.warn(
                "No ImageNet weights lie in Keras' cache, and features='auto' never downloads: "
                "small networks that are trained on these images guide the edits, which are then "
                "less like real images of the class. Pass features='imagenet' to download VGG16's "
                "weights once (59 MB), or features=None to do without them",
                TranslationWarning,
                stacklevel=stacklevel + 1,
            )
        return replace(recipe, features="small"), None
    return replace(recipe, features=network.name, features_sha256=network.sha256), network


def guide_for(
    recipe: Recipe,
    A: Any,
    B: Any,
    network: FeatureNetwork | None = None,
    seed: int = 0,
    *,
    verbose: int = 0,
) -> ClassGuide | None:
    """Fit the guide that a recipe's training needs; None if it needs none.

    Parameters
    ----------
    recipe : Recipe
        Settings.
    A, B : sources of images in [-1, 1]
        The images to edit, and those of the class.
    network : FeatureNetwork or None, default=None
        Frozen network, as `with_features` found it; None trains small ones.
    seed : int, default=0
        Seed.
    verbose : int, default=0
        1 prints a line before a guide is fitted, which takes longest with small networks.

    Returns
    -------
    ClassGuide or None
    """
    if recipe.generator != "edit":
        return None
    if verbose:
        print("Preparing the network that guides the training", flush=True)
    options: dict[str, Any] = {"features": network, "flip": recipe.flip, "seed": seed}
    if recipe.edit_side is not None:
        options["side"] = recipe.edit_side
    if recipe.steps is not None:  # a trial of a few steps should not wait for the guide
        options["steps"] = min(DEFAULT_STEPS, recipe.steps)
    return fit_guide(A, B, **options)
