"""Give translations the sharpness and the pixel values of real images."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft

from melanet.utils._parallel import thread_map

_MIN_GAIN, _MAX_GAIN = 0.5, 2.0  # of a frequency; more would amplify noise
_LEVELS = 257  # quantiles that describe a channel's values
_MAX_PIXELS = 250_000  # of a set; enough for the quantiles
_AT_ONCE = 32  # images that are transformed together


class Matching:
    """Give generated images the spectrum and the values of a real set.

    Generators leave traces that have nothing to do with a class: images a little too smooth, a
    background that is nearly black. A classifier mistakes such a trace for the class that was
    filled up, and finds it in no real image of that class. Two corrections, the same for every
    image, remove the coarsest traces: the power at each spatial frequency, averaged over
    directions and images, and the distribution of each channel's values over all pixels become
    those of the real set. docs/does-it-help.md shows the effect.

    Parameters
    ----------
    gains : ndarray of shape (n_frequencies, channels)
        Factor at each radial frequency, evenly spaced from 0 to the highest, of a diagonal.
    made_levels, real_levels : ndarray of shape (channels, 257)
        Quantiles of the generated set, after the gains, and of the real set.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.over_sampling import Matching
    >>> real = np.random.default_rng(0).uniform(-1, 1, (20, 8, 8, 1))
    >>> dim = (real / 2).astype("float32")
    >>> round(float(Matching.between(dim, real)(dim).std() / real.std()), 1)
    1.0
    """

    def __init__(self, gains: Any, made_levels: Any, real_levels: Any):
        self.gains = np.asarray(gains, "float64")
        self.made_levels = np.asarray(made_levels, "float64")
        self.real_levels = np.asarray(real_levels, "float64")

    @classmethod
    def between(cls, made: np.ndarray, real: np.ndarray) -> Matching:
        """Measure the corrections between a generated and a real set.

        Parameters
        ----------
        made, real : ndarray of shape (n, height, width, channels) and (m, height, width, channels)
            Images in [-1, 1].

        Returns
        -------
        Matching
        """
        made_power, real_power = _radial_power(made), _radial_power(real)
        # Where a set has no detail, nothing can be measured or sharpened.
        known = (made_power > 1e-12) & (real_power > 1e-12)
        ratio = np.divide(real_power, made_power, out=np.ones_like(made_power), where=known)
        gains = np.clip(np.sqrt(ratio), _MIN_GAIN, _MAX_GAIN)
        gains[0] = 1.0  # the mean is corrected by the levels
        return cls(gains, _levels(_filtered(made, gains)), _levels(real))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Correct images.

        Parameters
        ----------
        images : ndarray of shape (n, height, width, channels), float32
            Images generated as those that were measured; left unchanged.

        Returns
        -------
        ndarray of the same shape, float32
            Corrected images in [-1, 1].
        """
        corrected = np.empty(np.shape(images), "float32")
        levels = [_rising(*both) for both in zip(self.made_levels, self.real_levels)]

        def match_values(row):
            for c, (made, real) in enumerate(levels):
                corrected[row, ..., c] = np.interp(corrected[row, ..., c], made, real)

        for start in range(0, len(corrected), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(corrected)))
            part = corrected[rows.start : rows.stop]
            part[:] = _filtered(images[rows.start : rows.stop], self.gains)
            thread_map(match_values, rows, part.size)
        return np.clip(corrected, -1, 1, out=corrected)

    def to_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON can hold them."""
        return {name: value.tolist() for name, value in vars(self).items()}


def _frequencies(height, width):
    """Return the radial frequency of each coefficient, 1 at the highest of the longer axis."""
    y, x = (np.arange(n) / n for n in (height, width))
    return np.hypot(y[:, None], x[None, :])


def _bins(height, width):
    """Return the bin of each coefficient among the radial frequencies, and their number."""
    n = max(1, min(height, width) // 2)
    return _frequencies(height, width) * n, int(np.ceil(np.sqrt(2) * n)) + 1


def _radial_power(images):
    """Return the mean power at each radial frequency, shape (n_frequencies, channels)."""
    # The cosine transform reflects an image at its border, so that opposite sides do not mix.
    power = np.zeros(images.shape[1:])
    for start in range(0, len(images), _AT_ONCE):
        part = np.array(images[start : start + _AT_ONCE], "float64")  # a copy to overwrite
        part = fft.dctn(part, axes=(1, 2), norm="ortho", workers=-1, overwrite_x=True)
        power += np.sum(np.square(part, out=part), axis=0)
    power /= len(images)
    place, n = _bins(*power.shape[:2])
    place = np.rint(place).astype(int).ravel()
    count = np.maximum(np.bincount(place, minlength=n), 1)
    flat = power.reshape(-1, power.shape[-1])
    return np.stack([np.bincount(place, column, n) / count for column in flat.T], axis=-1)


def _filtered(images, gains):
    place, n = _bins(*images.shape[1:3])
    factors = np.stack([np.interp(place, np.arange(n), column) for column in gains.T], axis=-1)
    factors = factors.astype("float32")
    filtered = np.empty(images.shape, "float32")
    for start in range(0, len(images), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        waves = fft.dctn(np.asarray(images[part], "float32"), axes=(1, 2), workers=-1)
        waves *= factors
        filtered[part] = fft.idctn(waves, axes=(1, 2), workers=-1, overwrite_x=True)
    return filtered


def _levels(images):
    """Return quantiles of each channel, shape (channels, 257)."""
    pixels = images.reshape(-1, images.shape[-1])
    if len(pixels) > _MAX_PIXELS:
        pixels = pixels[np.random.default_rng(0).integers(len(pixels), size=_MAX_PIXELS)]
    return np.quantile(pixels, np.linspace(0, 1, _LEVELS), axis=0).T


def _rising(made, real):
    """Return levels for `numpy.interp`; a value that fills several quantiles takes the middle."""
    values, first, counts = np.unique(made, return_index=True, return_counts=True)
    shares = (first + (counts - 1) / 2) / (len(made) - 1)
    return values, np.interp(shares, np.linspace(0, 1, len(real)), real)
