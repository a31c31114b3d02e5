"""Nuisances that only the majority shows in training, and every class in the test.

They and the expected results were written before the first run. In training a share of the
majority shows the nuisance and no rare image does; in the test half of the images of every class
do. A classifier can mistake the nuisance for the class. Copies and SMOTE cannot prevent that,
since no rare image has it; translations can if they keep it from their sources.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SHARE_AT_TEST = 0.5


@dataclass(frozen=True)
class Shift:
    """A nuisance, the share of the majority that shows it, and the expected result.

    Parameters
    ----------
    share : float
        Share of the majority's training images that show it.
    channels : int
        Channels of the images under this shift.
    expected : {"win", "lose"}
        Expected result of the default against random over-sampling, both with classifier
        augmentation.
    reason : str
        Reason for the expectation.
    """

    share: float
    channels: int
    expected: str
    reason: str


SHIFTS = {
    "tint": Shift(
        0.5,
        3,
        "win",
        "Half of the majority is tinted. Reconstructing the source (the cycle) needs the tint, "
        "the discriminator of the rare class rejects it: some of it should stay.",
    ),
    "blur": Shift(
        0.5,
        1,
        "win",
        "Half of the majority is blurred. A translation of a blurred source can hardly be sharp, "
        "so that blur no longer indicates the majority.",
    ),
    "lighting": Shift(
        0.5,
        1,
        "win",
        "Half of the majority has a gradient of light. It is smooth and spans the image; a small "
        "generator changes details more easily than the whole.",
    ),
    "texture": Shift(
        1.0,
        1,
        "lose",
        "All of the majority has a striped background and no rare image has. The shortest way "
        "from one set to the other is to remove the stripes and to keep the shape: the result "
        "is an image of the majority's shape with the rare label. The judge, which knows the "
        "same training images, cannot tell. Random copies teach the stripes too, but no wrong "
        "shapes.",
    ),
}


def apply(name, images, rng):
    """Add a nuisance to every image.

    Parameters
    ----------
    name : str
        Key of `SHIFTS`.
    images : ndarray of shape (n, h, w, c), uint8
        Images; they are not changed in place.
    rng : numpy.random.Generator
        Random generator of strength, direction and phase.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    n, height, width = images.shape[:3]
    values = images.astype("float32")
    one = (n, 1, 1, 1)
    if name == "tint":
        strength = rng.uniform(0.3, 0.5, one)
        colour = np.array([255, 120, 40], "float32")
        values = values * (1 - strength) + colour * strength
    elif name == "blur":
        widths = rng.uniform(0.05, 0.07, n) * height
        values = np.stack([ndimage.gaussian_filter(v, (s, s, 0)) for v, s in zip(values, widths)])
    else:
        angle = rng.uniform(0, 2 * np.pi, one)
        y, x = (np.linspace(-0.5, 0.5, k) for k in (height, width))
        along = np.cos(angle) * x[None, None, :, None] + np.sin(angle) * y[None, :, None, None]
        if name == "lighting":
            values = values + 120 * (along + 0.5)
        else:
            stripes = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * along + rng.uniform(0, 6, one))
            values = np.maximum(values, 110 * stripes)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def spread(name, images, share, rng):
    """Add a nuisance to a random share of the images; return new images."""
    images = np.repeat(images, SHIFTS[name].channels // images.shape[-1], axis=-1)
    chosen = rng.permutation(len(images))[: round(share * len(images))]
    if len(chosen):
        images[chosen] = apply(name, images[chosen], rng)
    return images
