"""The guide of an edit GAN, as a recipe asks for it."""

from dataclasses import replace
from typing import Any

from melanet.features import DEFAULT_STEPS, ClassGuide, fit_guide
from melanet.over_sampling._presets import Recipe


def guide_for(
    recipe: Recipe, A: Any, B: Any, features: Any = "auto", seed: int = 0
) -> ClassGuide | None:
    """Fit the guide that a recipe's training needs; None if it needs none.

    Parameters
    ----------
    recipe : Recipe
        Settings.
    A, B : sources of images in [-1, 1]
        The images to edit, and those of the class.
    features : {"auto", "imagenet"}, path-like, keras.Model or None, default="auto"
        See `melanet.features.find_features`.
    seed : int, default=0
        Seed.

    Returns
    -------
    ClassGuide or None
    """
    if recipe.generator != "edit":
        if features is not None and not (isinstance(features, str) and features == "auto"):
            raise ValueError(
                "features guide the default recipe's edits of images of 32 pixels or more. "
                f"Received: features={features!r}, but generator={recipe.generator!r}. Leave "
                "features out"
            )
        return None
    options: dict[str, Any] = {"features": features, "flip": recipe.flip, "seed": seed}
    if recipe.edit_side is not None:
        options["side"] = recipe.edit_side
    if recipe.steps is not None:  # a trial of a few steps should not wait for the guide
        options["steps"] = min(DEFAULT_STEPS, recipe.steps)
    return fit_guide(A, B, **options)


def with_features(recipe: Recipe, guide: ClassGuide | None) -> Recipe:
    """Return the recipe with the network that guided the training."""
    if guide is None:
        return recipe
    return replace(recipe, features=guide.network.name, features_sha256=guide.network.sha256)
