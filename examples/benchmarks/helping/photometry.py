"""Colour, light and low frequencies: an augmentation, and a transfer between images."""

import numpy as np
from scipy import ndimage

LOWEST = 3  # cycles per image whose amplitude is moved


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

    The plane that fits each channel best (mean and slopes) is replaced by the other image's, and
    so is the amplitude of all frequencies of up to three cycles per image; phases are kept, as in
    Yang & Soatto (2020), FDA: Fourier domain adaptation for semantic segmentation.

    Parameters
    ----------
    images : ndarray of shape (n, side, side, c), uint8
        Images whose content is kept.
    conditions : ndarray of the same shape
        Images whose conditions are taken over.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    (rest, _), (other, plane) = (_without_plane(part) for part in (images, conditions))
    spectra = [np.fft.fft2(part, axes=(1, 2)) for part in (rest, other)]
    cycles = np.fft.fftfreq(images.shape[1], 1 / images.shape[1])
    low = np.hypot(cycles[:, None], cycles) <= LOWEST
    amplitudes = np.abs(spectra[0])
    factor = np.abs(spectra[1]) / np.maximum(amplitudes, 1e-6)
    spectrum = np.where(low[..., None], spectra[0] * factor, spectra[0])
    values = np.fft.ifft2(spectrum, axes=(1, 2)).real + plane
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _without_plane(images):
    values = images.astype("float64")
    down, right = (np.linspace(-1, 1, k) for k in values.shape[1:3])
    mean = values.mean(axis=(1, 2), keepdims=True)
    slope = np.einsum("nijc,i->nc", values, down) / (values.shape[2] * (down**2).sum())
    across = np.einsum("nijc,j->nc", values, right) / (values.shape[1] * (right**2).sum())
    plane = mean + slope[:, None, None] * down[None, :, None, None]
    plane = plane + across[:, None, None] * right[None, None, :, None]
    return values - plane, plane
