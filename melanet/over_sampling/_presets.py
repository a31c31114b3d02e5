"""What a training is made of: the presets, and an oversampler's settings resolved against them."""

import numpy as np

# Values are those of the paper's released code, or were measured: see docs/recipe.md.
PRESETS = {
    "default": {
        "generator": "resnet",
        "filters": 16,
        "discriminator_filters": 32,
        "steps": 600,
        "epochs": None,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "decay": True,
        "identity_weight": 1.0,
        "augment": 0.25,
        "flip": None,
        "stretch": False,
        "match": True,
        "copies": 0.5,
        "reject": True,
        "guard": True,
    },
    "paper": {
        "generator": "unet",
        "filters": 32,
        "discriminator_filters": 64,
        "steps": None,
        "epochs": 100,
        "batch_size": 1,
        "learning_rate": 2e-4,
        "decay": False,
        "identity_weight": 1.0,
        "augment": 0.0,
        "flip": "horizontal",
        "stretch": True,
        "match": False,
        "copies": 0.0,
        "reject": False,
        "guard": False,
    },
}
# Rows of a table have no geometry, and a dense step is cheap: both presets differ there.
_TABLE = {
    "default": {
        "filters": 128,
        "discriminator_filters": 128,
        "steps": 300,
        "batch_size": 64,
        "copies": 0.0,
    },
    "paper": {"filters": 128, "discriminator_filters": 128},
}
_IMAGES_ONLY = {"generator": None, "augment": 0.0, "flip": None, "stretch": False, "match": False}
_CHOICES = (
    "generator",
    "steps",
    "epochs",
    "batch_size",
    "learning_rate",
    "augment",
    "flip",
    "match",
    "copies",
    "reject",
    "guard",
)


def resolve(choices, shape):
    """Merge a user's choices into a preset.

    Parameters
    ----------
    choices : object
        Has `preset` and, as attributes that may be None, the parameters of GANOversampler that
        a recipe holds.
    shape : tuple of int
        Shape of a sample: (H, W, C), or (n_features,) for rows of a table.

    Returns
    -------
    dict
        The recipe, complete.

    Raises
    ------
    ValueError
        If both steps and epochs are given, or a choice needs images and the data is a table.
    """
    recipe = dict(PRESETS[choices.preset])
    table = len(shape) == 1
    if table:
        recipe.update(_TABLE[choices.preset], **_IMAGES_ONLY)
    chosen = {name: getattr(choices, name) for name in _CHOICES}
    chosen = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in chosen.items()
        if value is not None
    }
    if {"steps", "epochs"} <= chosen.keys():
        raise ValueError(
            "Give steps or epochs, not both. "
            f"Received: steps={chosen['steps']}, epochs={chosen['epochs']}"
        )
    if "steps" in chosen or "epochs" in chosen:
        recipe.update(steps=None, epochs=None)
    if chosen.get("flip") is True:
        raise ValueError(
            'flip must be "horizontal", "vertical", "both", False or None. Received: flip=True'
        )
    if table:
        unfit = {n: v for n, v in chosen.items() if n in _IMAGES_ONLY and v}
        if unfit:
            raise ValueError(
                f"{', '.join(unfit)} can be used with images only. Received: {unfit} and rows of "
                f"{shape[0]} columns; for rows that are images give image_shape"
            )
    recipe.update(chosen)
    recipe["flip"] = recipe["flip"] or None
    return recipe
