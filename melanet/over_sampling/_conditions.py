"""Conditions under which an image was taken: numbers that describe them, and how to move them.

The nuisances of examples/benchmarks/measuring are defined apart from these, as a yardstick.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LOWEST = 3  # cycles per image whose amplitude is moved
_PARTS = 8  # of a side, for the colour of a small part
_TINY = 1e-6


def describe_conditions(images: np.ndarray) -> dict[str, NDArray[np.float64]]:
    """Describe colour, light, contrast, sharpness, corners and foreign colours of images.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C)
        Images in [-1, 1].

    Returns
    -------
    dict
        Name -> number of each image, ndarray of shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.over_sampling._conditions import describe_conditions
    >>> ramp = np.linspace(-1, 1, 8)[:, None, None] * np.ones((1, 8, 8, 1))
    >>> round(float(describe_conditions(ramp)["light downwards"][0]), 6)
    1.0
    """
    values = images.astype("float64")
    grey, channels = values.mean(axis=-1), values.shape[-1]
    mean, down, across = _planes(values)
    found = {f"mean of channel {c}": mean[:, c] for c in range(channels)}
    found |= {f"channel 0 minus {c}": mean[:, 0] - mean[:, c] for c in range(1, channels)}
    down, across = down.mean(axis=1), across.mean(axis=1)
    found["light downwards"], found["light to the right"] = down, across
    found["gradient of light"] = np.hypot(down, across)
    found["contrast"] = grey.std(axis=(1, 2))
    found["darkest"], found["brightest"] = np.quantile(grey, (0.02, 0.98), axis=(1, 2))
    fine = grey - ndimage.uniform_filter(grey, (0, 3, 3))
    found["fine detail"] = fine.std(axis=(1, 2)) / np.maximum(found["contrast"], _TINY)
    corners = list(_corners(grey))
    means = [corner.mean(axis=(1, 2)) for _, corner in corners]
    found["corners"] = np.mean(means, axis=0)
    for (name, corner), corner_mean in zip(corners, means):
        found[f"{name} corner"] = corner_mean
        found[f"brightest of the {name} corner"] = corner.max(axis=(1, 2))
    if channels > 1:
        found["strangest colour"] = _strangest_colour(values - grey[..., None])
    return found


def move_conditions(images: np.ndarray, conditions: np.ndarray) -> NDArray[np.float32]:
    """Give images the colour, the light and the low frequencies of other images.

    The plane that fits each channel best (mean and slopes) is replaced by the other image's, and
    so is the amplitude of all frequencies of up to three cycles per image; phases are kept [1]_.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C)
        Images in [-1, 1] whose content is kept.
    conditions : ndarray of the same shape
        Images whose conditions are taken over.

    Returns
    -------
    ndarray of the same shape, float32
        In [-1, 1].

    References
    ----------
    .. [1] Yang, Y., & Soatto, S. (2020). FDA: Fourier domain adaptation for semantic
       segmentation. CVPR 2020.
    """
    return np.clip(moved_values(images, conditions), -1, 1).astype("float32")


def moved_values(images: np.ndarray, conditions: np.ndarray) -> NDArray[np.float64]:
    """Return `move_conditions` of images of any range, neither clipped nor rounded."""
    values, others = images.astype("float64"), conditions.astype("float64")
    plane = _draw(_planes(others), others.shape)
    spectra = [
        np.fft.fft2(part, axes=(1, 2))
        for part in (values - _draw(_planes(values), values.shape), others - plane)
    ]
    cycles = (np.fft.fftfreq(size, 1 / size) for size in values.shape[1:3])
    low = np.hypot(*np.meshgrid(*cycles, indexing="ij")) <= _LOWEST
    factor = np.abs(spectra[1]) / np.maximum(np.abs(spectra[0]), _TINY)
    spectrum = np.where(low[..., None], spectra[0] * factor, spectra[0])
    return np.fft.ifft2(spectrum, axes=(1, 2)).real + plane


def _axes(shape):
    return (np.linspace(-1, 1, size) for size in shape[1:3])


def _planes(values):
    """Return mean, slope downwards and slope to the right of each channel, of shape (n, C)."""
    down, right = _axes(values.shape)
    height, width = values.shape[1:3]
    return (
        values.mean(axis=(1, 2)),
        np.einsum("nijc,i->nc", values, down) / (width * (down**2).sum()),
        np.einsum("nijc,j->nc", values, right) / (height * (right**2).sum()),
    )


def _draw(planes, shape):
    mean, slope, across = (part[:, None, None] for part in planes)
    down, right = _axes(shape)
    return mean + slope * down[:, None, None] + across * right[:, None]


def _corners(grey: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Return name and pixels of the four corners, a quarter of each side long."""
    height, width = (max(1, size // 4) for size in grey.shape[1:])
    for row, rows in (("upper", slice(height)), ("lower", slice(-height, None))):
        for column, columns in (("left", slice(width)), ("right", slice(-width, None))):
            yield f"{row} {column}", grey[:, rows, columns]


def _strangest_colour(colours):
    """Return the distance of the part whose colour is farthest from the image's usual one."""
    usual = np.median(colours, axis=(1, 2))
    starts = [np.unique(np.linspace(0, n, _PARTS + 1).astype(int)[:-1]) for n in colours.shape[1:3]]
    sums, counts = colours, np.ones((1, *colours.shape[1:3], 1))
    for axis, start in enumerate(starts, 1):
        sums, counts = (np.add.reduceat(part, start, axis=axis) for part in (sums, counts))
    distances = np.linalg.norm(sums / counts - usual[:, None, None], axis=-1)
    return distances.max(axis=(1, 2))
