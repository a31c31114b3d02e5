"""Mild geometric and colour changes, seeded, for training sets and for copies."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from melanet.utils._parallel import thread_map

FLIPS = ("horizontal", "vertical", "both")


def flip_images(images, flip, rng):
    """Mirror each image with probability one half along every permitted direction.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Left unchanged.
    flip : {"horizontal", "vertical", "both"} or None
        What is permitted; None changes nothing.
    rng : numpy.random.Generator
        Source of the coin tosses.

    Returns
    -------
    ndarray
        A new array where something was flipped, otherwise `images` itself.
    """
    for direction, axis in (("horizontal", 1), ("vertical", 0)):
        if flip in (direction, "both"):
            toss = rng.random(len(images)) < 0.5
            # The axes of one image are those of the stack without its first.
            images = np.where(toss[:, None, None, None], np.flip(images, axis + 1), images)
    return images


@dataclass(frozen=True)
class Augmentation:
    """Small random changes of images in [-1, 1]: rotation, shift, zoom, colour, flips.

    Interpolation is by cubic splines: bilinear interpolation blurs, and a GAN that is trained
    on blurred images learns to blur. Pixels from outside repeat the border.

    Parameters
    ----------
    rotation : float, default=10.0
        Largest rotation in degrees, to either side.
    shift : float, default=0.08
        Largest shift as a fraction of the side.
    zoom : float, default=0.1
        Largest change of scale, to either side.
    colour : float, default=0.05
        Largest change of contrast and, for each channel, of brightness, as fractions of the
        value range. Images of one channel are left alone: there, black is often "nothing".
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror images that stand for the same class; left out unless permitted.
    share : float, default=1.0
        Probability that an image is changed at all.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import Augmentation
    >>> images = np.zeros((2, 8, 8, 1), "float32")
    >>> Augmentation()(images, np.random.default_rng(0)).shape
    (2, 8, 8, 1)
    """

    rotation: float = 10.0
    shift: float = 0.08
    zoom: float = 0.1
    colour: float = 0.05
    flip: str | None = None
    share: float = 1.0

    def __call__(self, images, rng):
        """Change every image, or the share that is to be, in its own way.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            In [-1, 1]; left unchanged.
        rng : numpy.random.Generator
            Source of the changes.

        Returns
        -------
        ndarray of the same shape, float32
            In [-1, 1].
        """
        if self.share < 1:
            changed, chosen = images.copy(), rng.random(len(images)) < self.share
            if chosen.any():
                changed[chosen] = replace(self, share=1.0)(images[chosen], rng)
            return changed
        flipped = flip_images(images, self.flip, rng)
        shape = flipped.shape[1:3]
        warps = [(image, *self._draw_warp(shape, rng)) for image in flipped]
        changed = np.stack(thread_map(_warped, warps, flipped.size))
        if self.colour and changed.shape[-1] > 1:
            n, channels = len(changed), changed.shape[-1]
            gain = 1 + rng.uniform(-self.colour, self.colour, (n, 1, 1, 1))
            offset = rng.uniform(-self.colour, self.colour, (n, 1, 1, channels))
            changed = changed * gain + offset
        return np.clip(changed, -1, 1).astype("float32")

    def _draw_warp(self, shape, rng):
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        scale = 1 / (1 + rng.uniform(-self.zoom, self.zoom))
        size = np.array(shape)
        centre = (size - 1) / 2
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])
        return matrix, centre - matrix @ centre + rng.uniform(-self.shift, self.shift, 2) * size


def _warped(warp):
    image, matrix, offset = warp
    warped = np.empty_like(image)
    for c in range(image.shape[-1]):
        warped[..., c] = ndimage.affine_transform(
            image[..., c], matrix, offset, order=3, mode="nearest"
        )
    return warped
