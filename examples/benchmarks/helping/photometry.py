"""Colour, light and low frequencies: an augmentation, and a transfer between images."""

import numpy as np
from scipy import ndimage


def augment(images, rng):
    """Change tint, light and sharpness of every image at random.

    Each image gets a factor per channel in [.8, 1.2] (all channels of a grey image share one), a
    gradient of light of up to 40 grey levels in a random direction, and one image in three is
    blurred by up to 3 % of the side.

    Parameters
    ----------
    images : ndarray of shape (n, side, side, c), uint8
        Images; they are not changed in place.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    n, side, _, channels = images.shape
    values = images * rng.uniform(0.8, 1.2, (n, 1, 1, channels)).astype("float32")
    slopes = (rng.uniform(-20, 20, (2, n, 1, 1, 1))).astype("float32")
    line = np.linspace(-1, 1, side, dtype="float32")
    values += slopes[0] * line[None, :, None, None] + slopes[1] * line[None, None, :, None]
    # Few widths, so that the images of each are blurred in one call.
    widths = np.where(rng.random(n) < 1 / 3, rng.integers(1, 4, n), 0)
    for width in (1, 2, 3):
        chosen = widths == width
        if chosen.any():
            sigma = 0.01 * width * side
            values[chosen] = ndimage.gaussian_filter(values[chosen], (0, sigma, sigma, 0))
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def transfer(images, conditions):
    """Give images the colour, the light and the low frequencies of others.

    Parameters
    ----------
    images : ndarray of shape (n, side, side, c), uint8
        Images whose content is kept.
    conditions : ndarray of the same shape
        Images whose conditions are taken over, see `move_conditions`.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    from melanet.over_sampling._conditions import moved_values

    return np.rint(np.clip(moved_values(images, conditions), 0, 255)).astype(np.uint8)
