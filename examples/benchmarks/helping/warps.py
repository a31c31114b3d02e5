"""The arms' augmentation: flips, small affine warps and noise, for many images at once.

A warp is a sparse matrix over pixels (Keys' cubic convolution, a = -1/2, with a repeated border).
A cached bank of warps augments tens of thousands of images per second. It does not use melanet's
code, since every arm uses it.
"""

from functools import cache

import numpy as np
from scipy import sparse

_BANK = 256
ROTATION, SHIFT, ZOOM, NOISE = 10.0, 0.08, 0.1, 5.0  # degrees, of the side, of 1, sd of 255


def _cubic(t):
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def _taps(position, side):
    """Return the four neighbours of each position on an axis, and their weights."""
    base = np.floor(position).astype(int)
    neighbours = base[..., None] + np.arange(-1, 3)
    return np.clip(neighbours, 0, side - 1), _cubic(position[..., None] - neighbours)


def warp(side, angle=0.0, scale=1.0, shift=(0.0, 0.0)):
    """Return the matrix (side**2, side**2) that rotates, zooms and shifts an image.

    Parameters
    ----------
    side : int
        Side of the image in pixels.
    angle : float
        Angle in degrees.
    scale : float
        Zoom factor; above 1 the object grows.
    shift : (float, float)
        Shift down and to the right, in pixels.
    """
    centre = (side - 1) / 2
    y, x = (axis.ravel() - centre for axis in np.mgrid[:side, :side].astype(float))
    y, x = y - shift[0], x - shift[1]
    cos, sin = np.cos(np.deg2rad(angle)) / scale, np.sin(np.deg2rad(angle)) / scale
    rows, row_weights = _taps(cos * y + sin * x + centre, side)
    columns, column_weights = _taps(cos * x - sin * y + centre, side)
    source = rows[:, :, None] * side + columns[:, None, :]
    weights = row_weights[:, :, None] * column_weights[:, None, :]
    target = np.repeat(np.arange(side**2), 16)
    matrix = (weights.ravel().astype("float32"), (target, source.ravel()))
    return sparse.csr_array(matrix, shape=(side**2, side**2))


@cache
def _bank(side):
    rng = np.random.default_rng(side)
    return [
        warp(
            side,
            rng.uniform(-ROTATION, ROTATION),
            1 + rng.uniform(-ZOOM, ZOOM),
            rng.uniform(-SHIFT, SHIFT, 2) * side,
        )
        for _ in range(_BANK)
    ]


def augment(images, rng, *, flip=None, noise=0.0):
    """Augment every image independently.

    Parameters
    ----------
    images : ndarray of shape (n, side, side, c), uint8
        Images; they are not changed in place.
    rng : numpy.random.Generator
        Random generator.
    flip : {"horizontal", "both"} or None
        "horizontal" mirrors half of the images, "both" also turns half of them upside down.
    noise : float, default=0
        Standard deviation of Gaussian noise, in grey levels.

    Returns
    -------
    ndarray of the same shape, uint8
    """
    n, side, _, channels = images.shape
    values = images.astype("float32")
    if flip in ("horizontal", "both"):
        toss = rng.random(n) < 0.5
        values[toss] = values[toss, :, ::-1]
    if flip == "both":
        toss = rng.random(n) < 0.5
        values[toss] = values[toss, ::-1]
    warp_ids = rng.integers(_BANK, size=n)
    order = np.argsort(warp_ids, kind="stable")
    ends = np.searchsorted(warp_ids[order], np.arange(_BANK + 1))
    bank = _bank(side)
    for i in range(_BANK):
        rows = order[ends[i] : ends[i + 1]]
        if len(rows):
            pixels = values[rows].transpose(1, 2, 0, 3).reshape(side**2, -1)
            warped = (bank[i] @ pixels).reshape(side, side, len(rows), channels)
            values[rows] = warped.transpose(2, 0, 1, 3)
    if channels > 1:  # in grey-scale images, black is often the background
        values *= rng.uniform(0.95, 1.05, (n, 1, 1, 1)).astype("float32")
        values += rng.uniform(-13, 13, (n, 1, 1, channels)).astype("float32")
    if noise:
        values += rng.normal(0, noise, values.shape).astype("float32")
    return np.rint(np.clip(values, 0, 255, out=values)).astype(np.uint8)
