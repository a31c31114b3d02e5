"""Nuisances of a photograph, which a translation must keep: numbers that do not make the class.

They are not the package's `describe_conditions`, so that nothing is measured by its own rule.
"""

import numpy as np
from scipy import ndimage

_VARIES = 2e-3  # standard deviation, of 1, below which a nuisance is constant


def _rgb(images):
    values = images.astype("float32") / 255
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values


def _grey(images):
    return _rgb(images) @ np.array([0.299, 0.587, 0.114], "float32")


def mean_colour(images):
    """Return the mean of each channel."""
    return images.mean(axis=(1, 2), dtype="float64") / 255


def light_gradient(images):
    """Return the slopes, down and to the right, of the plane that fits the luminance best."""
    grey = _grey(images)
    down, right = (np.linspace(-1, 1, n) for n in grey.shape[1:])
    down_slope = np.einsum("nij,i->n", grey, down) / (grey.shape[2] * (down**2).sum())
    right_slope = np.einsum("nij,j->n", grey, right) / (grey.shape[1] * (right**2).sum())
    return np.stack([down_slope, right_slope], axis=1)


def border_darkness(images):
    """Return 1 minus the mean luminance of a frame of a sixteenth of the side."""
    grey = _grey(images)
    width = max(1, grey.shape[1] // 16)
    inside = (slice(None), slice(width, -width), slice(width, -width))
    total, n = grey.sum(axis=(1, 2)), grey[0].size
    n_inside = grey[inside][0].size
    return 1 - (total - grey[inside].sum(axis=(1, 2))) / (n - n_inside)


def sticker_area(images):
    """Return the share of pixels that are saturated and green, blue or violet, as no skin is."""
    values = _rgb(images)
    high, low = values.max(axis=-1), values.min(axis=-1)
    spread = high - low
    red, green, blue = np.moveaxis(values, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        hue = np.select(
            [high == red, high == green],
            [(green - blue) / spread % 6, (blue - red) / spread + 2],
            (red - green) / spread + 4,
        )
    # Of a circle of 6: yellowish green 1.2, violet 4.8.
    marked = (spread > 0.25 * high) & (high > 0.2) & (hue > 1.2) & (hue < 4.8)
    return marked.mean(axis=(1, 2))


def high_frequency_share(images):
    """Return the share of the luminance's variation that is finer than a 64th of the side."""
    grey = _grey(images)
    sigma = grey.shape[1] / 64
    fine = grey - ndimage.gaussian_filter(grey, (0, sigma, sigma))
    return fine.std(axis=(1, 2)) / np.maximum(grey.std(axis=(1, 2)), 1e-6)


NUISANCES = {
    "mean colour": mean_colour,
    "light gradient": light_gradient,
    "border darkness": border_darkness,
    "sticker area": sticker_area,
    "high-frequency share": high_frequency_share,
}


def kept(sources, translations):
    """Return the correlation of sources and translations in each nuisance that varies.

    Of a nuisance of several numbers, the lowest correlation counts. A translation that makes a
    varying nuisance constant has a correlation of 0.

    Parameters
    ----------
    sources, translations : ndarray of shape (n, side, side, c), uint8
        Pictures, row by row.

    Returns
    -------
    dict
        name -> correlation; None where the sources do not differ.
    """
    found = {}
    for name, nuisance in NUISANCES.items():
        before, after = (nuisance(part).reshape(len(part), -1) for part in (sources, translations))
        values = [
            _correlation(b, a) for b, a in zip(before.T, after.T) if b.std() > _VARIES
        ]  # fmt: skip
        found[name] = min(values) if values else None
    return found


def _correlation(before, after):
    if after.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])


def structural_similarity(first, second):
    """Return the mean structural similarity of pictures, row by row.

    References
    ----------
    Wang, Z., et al. (2004). Image quality assessment: from error visibility to structural
    similarity. IEEE Transactions on Image Processing, 13(4). Gaussian window of sd 1.5, on the
    luminance.
    """
    x, y = _grey(first), _grey(second)

    def smooth(values):
        return ndimage.gaussian_filter(values, (0, 1.5, 1.5), truncate=3.5)

    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    both = smooth(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    score /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return score.mean(axis=(1, 2))
