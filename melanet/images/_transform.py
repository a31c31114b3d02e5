"""Pictures as arrays: resized, turned into RGB, laid out in a grid."""

import numpy as np
from PIL import Image


def picture_grid(rows, pad=2, background=255):
    """Lay pictures out in a grid.

    Parameters
    ----------
    rows : sequence of arrays of shape (n, H, W, C)
        One array for each row, in [-1, 1]; C is 1 or 3 (of more, the first three are shown).
    pad : int, default=2
        Pixels between the pictures.
    background : int, default=255
        Grey level between them.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import picture_grid
    >>> picture_grid([np.zeros((3, 8, 8, 1))] * 2).shape
    (22, 32, 3)
    """
    rows = [np.asarray(row) for row in rows]
    height, width, channels = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    size = (len(rows) * (height + pad) + pad, columns * (width + pad) + pad, 3)
    grid = np.full(size, background, "uint8")
    for i, row in enumerate(rows):
        pixels = np.rint((np.clip(row, -1, 1) + 1) * 127.5).astype("uint8")
        pixels = pixels[..., :3] if channels >= 3 else pixels[..., :1].repeat(3, axis=-1)
        for j, picture in enumerate(pixels):
            top, left = pad + i * (height + pad), pad + j * (width + pad)
            grid[top : top + height, left : left + width] = picture
    return grid


def resize(images, size):
    """Resize images, with anti-aliasing where they shrink.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Left unchanged.
    size : (int, int)
        New height and width.

    Returns
    -------
    ndarray of shape (n, *size, channels), float32
        Bilinear interpolation by Pillow, the same under every backend; `images` itself if it has
        that size.
    """
    if images.shape[1:3] == tuple(size):
        return images
    resized = np.empty((len(images), *size, images.shape[-1]), "float32")
    for i, image in enumerate(images):
        for c in range(image.shape[-1]):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c]))
            resized[i, ..., c] = channel.resize(size[::-1], Image.Resampling.BILINEAR)
    return resized


def to_rgb(samples):
    """Turn images in [-1, 1], of any number of channels, into (n, height, width, 3) uint8."""
    pixels = np.rint((samples + 1) * 127.5).astype("uint8")
    return pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1].repeat(3, axis=-1)
