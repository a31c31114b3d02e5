"""Recipes: the presets, and a user's choices merged into them."""

from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np

from melanet.gan._recipe import TrainingRecipe


@dataclass(frozen=True, kw_only=True)
class Recipe(TrainingRecipe):
    """Settings of over-sampling one class: how its CycleGAN trains, and how it is used.

    Parameters
    ----------
    generator, filters, discriminator_filters, steps, epochs, batch_size, learning_rate, decay, \
identity_weight, augment, flip, shift, class_weight, edit_weight, edit_strength, edit_side, \
max_seconds : object
        The settings of the training, see `melanet.gan.TrainingRecipe`.
    stretch : bool
        Whether each translation is stretched to the full range of values, as in the paper.
    match : bool
        Whether translations get the sharpness and the pixel values of the class's real images.
    copies : float
        Share of the synthetic samples, in [0, 1], planned as copies of real samples. With 1
        nothing is trained.
    reject : bool
        Whether translations must pass a judge.
    guard : bool
        Whether unchanged, constant and collapsed translations are replaced by copies.
    move : bool, default=False
        Whether changed copies take over the colour, light and low frequencies of the sources,
        instead of being rotated, shifted and zoomed a little.
    max_translations : float or None, default=None
        Greatest number of translations for each real sample of the class.
    conditional : bool, default=False
        Whether the classes that share their sources are trained together.
    reason : str, default=""
        Why the settings are these, where the size of the samples decided.
    features : str or None, default=None
        Name of the frozen network that guided the training: "vgg16", or "small" for networks
        trained on the data. None if there was none.
    features_sha256 : str or None, default=None
        Checksum of its pretrained weights.
    """

    stretch: bool
    match: bool
    copies: float
    reject: bool
    guard: bool
    move: bool = False
    max_translations: float | None = None
    conditional: bool = False
    reason: str = ""
    features: str | None = None
    features_sha256: str | None = None


# Values are those of the paper's released code, or were measured: see docs/recipe.md.
PRESETS: dict[str, Recipe] = {
    "default": Recipe(
        generator="resnet",
        filters=16,
        discriminator_filters=32,
        steps=600,
        epochs=None,
        batch_size=4,
        learning_rate=1e-3,
        decay=True,
        identity_weight=1.0,
        augment=0.25,
        flip=None,
        stretch=False,
        match=True,
        copies=0.5,
        move=True,
        reject=True,
        guard=True,
    ),
    "paper": Recipe(
        generator="unet",
        filters=32,
        discriminator_filters=64,
        steps=None,
        epochs=100,
        batch_size=1,
        learning_rate=2e-4,
        decay=False,
        identity_weight=1.0,
        augment=0.0,
        flip="horizontal",
        stretch=True,
        match=False,
        copies=0.0,
        reject=False,
        guard=False,
    ),
}

MIN_EDITED = 32  # pixels; smaller images are redrawn, larger ones edited
QUALITIES = ("draft", "default", "high")
# See docs/recipe.md.
_EDIT: dict[str, Any] = {
    "generator": "edit",
    "filters": 32,
    "discriminator_filters": 64,
    "steps": 600,
    "batch_size": 8,
    "learning_rate": 5e-4,
    "identity_weight": 0.0,
    "augment": 0.0,
    "shift": 0.125,
    "class_weight": 1.0,
    "edit_weight": 0.7,
    "edit_strength": 1.3,
    "edit_side": 64,
    "match": False,
    "copies": 0.25,
    "move": False,  # photographs lose colours that belong to the class
}
_STEPS = {"edit": {"draft": 150, "high": 1000}, "resnet": {"draft": 200, "high": 1500}}
_HIGH_SIDE = 128

# Rows of a table have no geometry, and a dense step is cheap: both presets differ there.
_IMAGES_ONLY: dict[str, Any] = {
    "generator": None,
    "augment": 0.0,
    "flip": None,
    "stretch": False,
    "match": False,
}
# In a table a GAN shows no gain over rows between real rows (docs/tables.md), so it is trained only
# if one of these is chosen.
_OF_A_GAN = {"steps", "epochs", "max_seconds", "batch_size", "learning_rate", "max_translations"}
_FOR_TABLES: dict[str, dict[str, Any]] = {
    "default": {
        **_IMAGES_ONLY,
        "filters": 128,
        "discriminator_filters": 128,
        "steps": 300,
        "batch_size": 64,
        "copies": 1.0,
        "move": False,
    },
    "paper": {**_IMAGES_ONLY, "filters": 128, "discriminator_filters": 128},
}


def resolve_recipe(
    preset: str, shape: tuple[int, ...], quality: str = "default", **overrides: Any
) -> Recipe:
    """Merge a user's choices into a preset.

    The default edits images whose shorter side has 32 pixels or more, and redraws smaller ones:
    see `Recipe.reason` of the result.

    Parameters
    ----------
    preset : {"default", "paper"}
        Preset to start from.
    shape : tuple of int
        Shape of a sample: (H, W, C), or (n_features,) for rows of a table.
    quality : {"draft", "default", "high"}, default="default"
        Length of the default's training for images; "high" also edits at 128 pixels instead of
        64.
    **overrides
        Fields of `Recipe`; None keeps the preset's value.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If preset or quality is unknown, both steps and epochs are given, a choice for images is
        made for a table, max_translations is no finite number of 0 or more, or images are to be
        edited by conditional networks.

    Examples
    --------
    >>> from melanet.over_sampling import resolve_recipe
    >>> recipe = resolve_recipe("paper", (256, 256, 3), epochs=20)
    >>> recipe.epochs, recipe.learning_rate
    (20, 0.0002)
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}. Received: preset={preset!r}")
    if quality not in QUALITIES:
        raise ValueError(f"quality must be one of {QUALITIES}. Received: quality={quality!r}")
    if quality != "default" and (preset != "default" or len(shape) == 1):
        raise ValueError(
            'quality is for images and preset="default". '
            f"Received: quality={quality!r}, preset={preset!r}, samples of shape {tuple(shape)}"
        )
    chosen = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in overrides.items()
        if value is not None
    }
    if {"steps", "epochs"} <= chosen.keys():
        raise ValueError(
            "Give steps or epochs, not both. "
            f"Received: steps={chosen['steps']}, epochs={chosen['epochs']}"
        )
    most = chosen.get("max_translations", 0)
    if not (isinstance(most, Real) and 0 <= float(most) < np.inf):
        raise ValueError(
            "max_translations must be a number of translations for each real sample, 0 or more, or "
            f"None. Received: max_translations={most!r}"
        )
    if chosen.get("flip") is True:
        raise ValueError(
            'flip must be "horizontal", "vertical", "both", False or None. Received: flip=True'
        )
    changes: dict[str, Any] = {}
    if len(shape) == 1:
        changes = dict(_FOR_TABLES[preset])
        if _OF_A_GAN & chosen.keys() or chosen.get("conditional"):
            changes["copies"] = 0.0
        unfit = {name: value for name, value in chosen.items() if name in _IMAGES_ONLY and value}
        if unfit:
            raise ValueError(
                f"{', '.join(unfit)} can be used with images only. Received: {unfit} and rows of "
                f"{shape[0]} columns; for rows that are images give image_shape"
            )
    elif preset == "default":
        changes = _for_images(shape, chosen.get("generator"), quality)
    if "steps" in chosen or "epochs" in chosen:
        changes.update(steps=None, epochs=None)
    changes.update(chosen)
    recipe = replace(PRESETS[preset], **changes)
    if recipe.conditional and recipe.generator == "edit":
        raise ValueError(
            "conditional is for samples that are redrawn; edits are learnt class by class. "
            f"Received: conditional=True and images of shape {tuple(shape)}, which are edited "
            f'({recipe.reason}). Leave conditional out, or give generator="resnet"'
        )
    return replace(recipe, flip=recipe.flip or None, augment=float(recipe.augment))


def names_features(features: Any) -> bool:
    """Return whether `features` asks for a certain network."""
    return features is not None and not (isinstance(features, str) and features == "auto")


def _for_images(shape, generator, quality):
    """Return the changes to the default for images of a shape."""
    side = min(shape[:2])
    if generator is None:
        generator = "edit" if side >= MIN_EDITED else "resnet"
        reason = (
            f"generator={generator!r} because the shorter side has {side} pixels: from "
            f"{MIN_EDITED} on images are edited, below they are redrawn"
        )
    else:
        reason = f"generator={generator!r} as given"
    changes = dict(_EDIT) if generator == "edit" else {"move": side < MIN_EDITED}
    budget = _STEPS["edit" if generator == "edit" else "resnet"]
    if quality in budget:
        changes["steps"] = budget[quality]
    if quality == "high" and generator == "edit":
        changes["edit_side"] = _HIGH_SIDE
    return {**changes, "reason": reason}


def recipe_from_dict(settings: dict[str, Any]) -> Recipe:
    """Create a recipe from the dict that `Recipe.as_dict` returned, or an older file holds."""
    names = {field.name for field in fields(Recipe)}
    return Recipe(**{name: value for name, value in settings.items() if name in names})
