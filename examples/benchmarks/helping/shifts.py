"""Nuisances that only the majority shows in training, and every class in the test.

They and the expected results were written before the first run (docs/does-it-help.md). In training
a share of the majority shows the nuisance and no rare image does; in the test half of the images
of every class do. A classifier can mistake the nuisance for the class. Copies and SMOTE cannot
prevent that, since no rare image has it; translations can if they keep it from their sources.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

SHARE_AT_TEST = 0.5
_STICKERS = np.array(  # colours of the stickers on ISIC's pictures
    [[70, 160, 90], [60, 100, 180], [225, 195, 70], [225, 130, 60], [190, 70, 80]], "float32"
)


@dataclass(frozen=True)
class Shift:
    """A nuisance, and the expected result.

    Parameters
    ----------
    draw : callable
        Function ``draw(values, rng)`` of float32 images (n, h, w, c) in [0, 255].
    expected : {"win", "lose"}
        Expected result of the default against random over-sampling.
    reason : str
        Reason for the expectation.
    colour : bool
        Whether the images must have three channels.
    """

    draw: Callable
    expected: str
    reason: str
    colour: bool = False


def _tint(values, rng):
    strength = rng.uniform(0.3, 0.5, (len(values), 1, 1, 1))
    return values * (1 - strength) + np.array([255, 120, 40], "float32") * strength


def _blur(values, rng):
    widths = rng.uniform(0.05, 0.07, len(values)) * values.shape[1]
    return np.stack([ndimage.gaussian_filter(v, (s, s, 0)) for v, s in zip(values, widths)])


def _along(values, rng):
    """Return a coordinate, in about [-.5, .5], along a random direction of each image."""
    angle = rng.uniform(0, 2 * np.pi, (len(values), 1, 1, 1))
    y, x = (np.linspace(-0.5, 0.5, k) for k in values.shape[1:3])
    return np.cos(angle) * x[None, None, :, None] + np.sin(angle) * y[None, :, None, None]


def _lighting(values, rng):
    return values + 120 * (_along(values, rng) + 0.5)


def _texture(values, rng):
    phase = rng.uniform(0, 6, (len(values), 1, 1, 1))
    return np.maximum(values, 110 * (0.5 + 0.5 * np.sin(8 * np.pi * _along(values, rng) + phase)))


def _grid(values):
    """Return the pixels' positions down and to the right, in [-.5, .5]."""
    return (
        axis[None] for axis in np.meshgrid(*(np.linspace(-0.5, 0.5, k) for k in values.shape[1:3]),
                                           indexing="ij")
    )  # fmt: skip


def _sticker(values, rng):
    """Draw a coloured ellipse that an edge of the picture may cut."""
    n, one = len(values), (len(values), 1, 1)
    y, x = _grid(values)
    angle, turn = rng.uniform(0, 2 * np.pi, one), rng.uniform(0, np.pi, one)
    distance = rng.uniform(0.38, 0.48, one)
    y, x = y - distance * np.sin(angle), x - distance * np.cos(angle)
    long, short = rng.uniform(0.14, 0.2, one), rng.uniform(0.11, 0.14, one)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    outside = np.hypot(along / long, across / short) - 1
    opacity = np.clip(0.5 - outside * short * values.shape[1], 0, 1)[..., None]  # one soft pixel
    colour = _STICKERS[rng.integers(len(_STICKERS), size=n)] + rng.normal(0, 8, (n, 3))
    return values * (1 - opacity) + colour[:, None, None] * opacity


def _corners(values, rng):
    """Darken all that lies outside a circle, as at the rim of a dermatoscope."""
    y, x = _grid(values)
    centre = rng.uniform(-0.03, 0.03, (2, len(values), 1, 1))
    radius = rng.uniform(0.48, 0.56, (len(values), 1, 1))
    outside = np.hypot(y - centre[0], x - centre[1]) - radius
    return values * (1 - 0.95 * np.clip(outside / 0.04, 0, 1)[..., None])


def _letter(values, rng):
    """Draw a bright L of two strokes in the upper left corner."""
    y, x = (axis + 0.5 for axis in _grid(values))
    top, left = rng.uniform(0.04, 0.1, (2, len(values), 1, 1))
    y, x = y - top, x - left
    height, width, stroke = 0.17, 0.12, 0.045
    inside = (y >= 0) & (y <= height) & (x >= 0) & (x <= width)
    inside &= (x <= stroke) | (y >= height - stroke)
    return np.where(inside[..., None], 235, values)


SHIFTS = {
    "tint": Shift(
        _tint,
        "win",
        "Reconstructing the source (the cycle) needs the tint, the discriminator of the rare "
        "class rejects it: some of it should stay.",
        colour=True,
    ),
    "blur": Shift(
        _blur,
        "win",
        "A translation of a blurred source can hardly be sharp, so that blur no longer indicates "
        "the majority.",
    ),
    "lighting": Shift(
        _lighting,
        "win",
        "A gradient of light is smooth and spans the image; a small generator changes details "
        "more easily than the whole.",
    ),
    "texture": Shift(
        _texture,
        "lose",
        "The majority has a striped background. The shortest way from one set to the other is to "
        "remove the stripes and to keep the shape: the result is an image of the majority's shape "
        "with the rare label. The judge, which knows the same training images, cannot tell.",
    ),
    "sticker": Shift(
        _sticker,
        "win",
        "An edit of the lesion leaves the sticker alone: it costs edits and is not the class.",
        colour=True,
    ),
    "corners": Shift(
        _corners,
        "win",
        "To brighten whole corners costs more edits than to change the lesion.",
    ),
    "letter": Shift(
        _letter,
        "win",
        "The letter is far from the lungs; to remove it costs edits.",
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
        Random generator of strength, direction and place.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    values = SHIFTS[name].draw(images.astype("float32"), rng)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def spread(name, images, share, rng):
    """Add a nuisance to a random share of the images.

    Returns
    -------
    images : ndarray, uint8
        New images, of three channels if the nuisance has a colour.
    marked : ndarray of bool of shape (n,)
        Whether each shows it.
    """
    if SHIFTS[name].colour and images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    images, marked = images.copy(), np.zeros(len(images), bool)
    marked[rng.permutation(len(images))[: round(share * len(images))]] = True
    if marked.any():
        images[marked] = apply(name, images[marked], rng)
    return images, marked
