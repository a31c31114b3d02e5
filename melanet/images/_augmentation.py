"""Random geometric and colour changes, for training sets and for copies."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from melanet.utils._parallel import thread_map
from melanet.utils._validation import check_scaled

FLIPS = ("horizontal", "vertical", "both")


def flip_images(images: np.ndarray, flip: str | None, rng: np.random.Generator) -> np.ndarray:
    """Mirror each image with probability 0.5 in each permitted direction.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images; they are not modified.
    flip : {"horizontal", "vertical", "both"} or None
        Permitted directions; None returns `images`.
    rng : numpy.random.Generator
        Random generator.

    Returns
    -------
    ndarray
        A new array if flips are permitted, otherwise `images` itself.
    """
    for direction, axis in (("horizontal", 1), ("vertical", 0)):
        if flip in (direction, "both"):
            flipped = rng.random(len(images)) < 0.5
            # `axis` counts from an image's own first axis.
            images = np.where(flipped[:, None, None, None], np.flip(images, axis + 1), images)
    return images


@dataclass(frozen=True)
class Augmentation:
    """Mild random changes of images in [-1, 1]: rotation, shift, zoom, colour, flips.

    Images are interpolated by cubic splines, because a GAN that is trained on images blurred by
    bilinear interpolation learns to blur. Pixels outside the image repeat its border.

    Parameters
    ----------
    rotation : float, default=10.0
        Largest rotation, in degrees, in either direction.
    shift : float, default=0.08
        Largest shift, as a fraction of the side.
    zoom : float, default=0.1
        Largest relative change of scale.
    colour : float, default=0.05
        Largest relative change of contrast, and largest offset of each channel, in the units of
        the image. Grey images, in one channel or in equal ones, keep their grey levels, since
        their black is often an empty background.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Directions in which images may be mirrored. Permit those in which a mirrored image still
        belongs to its class.
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

    def __call__(
        self, images: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Change each image independently, or a random share of the images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            Images in [-1, 1]; they are not modified.
        rng : numpy.random.Generator
            Random generator.

        Returns
        -------
        ndarray of the same shape, float32
            Changed images, in [-1, 1].
        """
        check_scaled("images", images)
        if self.share < 1:
            result, chosen = images.copy(), rng.random(len(images)) < self.share
            if chosen.any():
                result[chosen] = replace(self, share=1.0)(images[chosen], rng)
            return result
        flipped = flip_images(images, self.flip, rng)
        shape = flipped.shape[1:3]
        warps = [(image, *self._draw_warp(shape, rng)) for image in flipped]
        changed: np.ndarray = np.stack(thread_map(_warp, warps, flipped.size))
        if self.colour and changed.shape[-1] > 1:
            n, channels = len(changed), changed.shape[-1]
            gain = 1 + rng.uniform(-self.colour, self.colour, (n, 1, 1, 1))
            offset = rng.uniform(-self.colour, self.colour, (n, 1, 1, channels))
            changed = np.where(_are_grey(flipped), changed, changed * gain + offset)
        return np.clip(changed, -1, 1).astype("float32")

    def _draw_warp(self, shape, rng):
        """Draw the matrix and the offset of an affine map of pixel coordinates."""
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        scale = 1 / (1 + rng.uniform(-self.zoom, self.zoom))
        size = np.array(shape)
        centre = (size - 1) / 2
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])
        return matrix, centre - matrix @ centre + rng.uniform(-self.shift, self.shift, 2) * size


@dataclass(frozen=True)
class Jitter:
    """Cheap random changes of images in [-1, 1]: shift by whole pixels, flips, light, tint, noise.

    Unlike `Augmentation`, it does not interpolate. Pixels from outside the image are mirrored.

    Parameters
    ----------
    shift : float, default=0.125
        Largest shift, as a fraction of the side.
    light : float, default=0.1
        Standard deviation of the relative change of contrast.
    tint : float, default=0.05
        Standard deviation of the offset of each channel; grey images have one offset.
    noise : float, default=0.03
        Standard deviation of the noise of each value.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Directions in which images may be mirrored.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import Jitter
    >>> image = np.linspace(-1, 1, 8, dtype="float32")[None, None, :, None].repeat(8, 1)
    >>> moved = Jitter(light=0, tint=0, noise=0)(image, np.random.default_rng(0))
    >>> moved.shape, set(moved.ravel()) <= set(image.ravel())
    ((1, 8, 8, 1), True)
    """

    shift: float = 0.125
    light: float = 0.1
    tint: float = 0.05
    noise: float = 0.03
    flip: str | None = None

    def __call__(
        self, images: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Change each image independently.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            Images in [-1, 1]; they are not modified.
        rng : numpy.random.Generator
            Random generator.

        Returns
        -------
        ndarray of the same shape, float32
            Changed images, in [-1, 1].
        """
        changed = _shift(flip_images(images, self.flip, rng), self.shift, rng)
        n, channels = len(changed), changed.shape[-1]
        if self.light:
            changed = changed * (1 + rng.normal(0, self.light, (n, 1, 1, 1)))
        if self.tint:
            tint = rng.normal(0, self.tint, (n, 1, 1, channels))
            changed = changed + np.where(_are_grey(images), tint[..., :1], tint)
        if self.noise:
            changed = changed + rng.normal(0, self.noise, changed.shape)
        return np.clip(changed, -1, 1).astype("float32")


def _are_grey(images):
    """Return whether the channels of each image are equal, of shape (n, 1, 1, 1)."""
    return (images == images[..., :1]).all(axis=(1, 2, 3), keepdims=True)


def _shift(images, share, rng):
    """Shift each image by up to a share of its side, mirroring what comes into view."""
    sides = images.shape[1:3]
    most = [min(int(share * side), side - 1) for side in sides]
    padding = ((0, 0), *((m, m) for m in most), (0, 0))
    padded = np.pad(images, padding, mode="reflect")
    starts = [rng.integers(0, 2 * m + 1, len(images)) for m in most]
    height, width = sides
    return np.stack(
        [image[i : i + height, j : j + width] for image, i, j in zip(padded, *starts, strict=True)]
    )


def _warp(task):
    image, matrix, offset = task
    warped = np.empty_like(image)
    for c in range(image.shape[-1]):
        warped[..., c] = ndimage.affine_transform(
            image[..., c], matrix, offset, order=3, mode="nearest"
        )
    return warped
