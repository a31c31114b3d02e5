"""Images as arrays: resizing, conversion to RGB pixels, and grids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from melanet.utils._validation import check_scaled


def picture_grid(
    rows: Sequence[ArrayLike], pad: int = 2, background: int = 255
) -> NDArray[np.uint8]:
    """Arrange images in a grid.

    Parameters
    ----------
    rows : sequence of array-like of shape (n, height, width, channels)
        Images of each row of the grid, in [-1, 1]; see `to_rgb` for other channels than RGB.
    pad : int, default=2
        Pixels between the images.
    background : int, default=255
        Grey level between the images.

    Returns
    -------
    ndarray of shape (grid height, grid width, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import picture_grid
    >>> picture_grid([np.zeros((3, 8, 8, 1))] * 2).shape
    (22, 32, 3)
    """
    pixels = [to_rgb(row) for row in rows]
    height, width = pixels[0].shape[1:3]
    columns = max(len(row) for row in pixels)
    size = (len(pixels) * (height + pad) + pad, columns * (width + pad) + pad, 3)
    grid = np.full(size, background, "uint8")
    for i, row in enumerate(pixels):
        for j, image in enumerate(row):
            top, left = pad + i * (height + pad), pad + j * (width + pad)
            grid[top : top + height, left : left + width] = image
    return grid


def resize(images: NDArray[np.float32], size: Sequence[int]) -> NDArray[np.float32]:
    """Resize images by Pillow's bilinear filter, which averages where it shrinks.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Images in any range; they are not modified.
    size : (int, int)
        New height and width.

    Returns
    -------
    ndarray of shape (n, *size, channels), float32
        The same under every Keras backend. `images` itself if it already has this size.
    """
    height, width = size
    if images.shape[1:3] == (height, width):
        return images
    resized = np.empty((len(images), height, width, images.shape[-1]), "float32")
    for i, image in enumerate(images):
        for c in range(image.shape[-1]):
            channel = Image.fromarray(np.ascontiguousarray(image[..., c]))
            resized[i, ..., c] = channel.resize((width, height), Image.Resampling.BILINEAR)
    return resized


def fit_cells(images: NDArray[np.float32], cell: int, largest: int) -> NDArray[np.float32]:
    """Enlarge small images by a whole factor, and reduce large ones, to be looked at.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Images in any range.
    cell : int
        Pixels to which the shorter side is enlarged, about.
    largest : int
        Pixels to which the longer side is reduced.

    Returns
    -------
    ndarray of shape (n, new height, new width, channels), float32

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import fit_cells
    >>> fit_cells(np.zeros((1, 8, 8, 1), "float32"), 64, 128).shape
    (1, 64, 64, 1)
    >>> fit_cells(np.zeros((1, 128, 256, 1), "float32"), 64, 128).shape
    (1, 64, 128, 1)
    """
    height, width = images.shape[1:3]
    if max(height, width) > largest:
        factor = largest / max(height, width)
        return resize(images, (max(1, round(height * factor)), max(1, round(width * factor))))
    scale = max(1, round(cell / min(height, width)))
    return images.repeat(scale, 1).repeat(scale, 2)


def downscale(samples: np.ndarray, side: int = 64) -> np.ndarray:
    """Return large images at a smaller size for comparison; others, and rows of a table, as is."""
    large = samples.ndim == 4 and min(samples.shape[1:3]) > side
    return resize(samples, (side, side)) if large else samples


def difference_map(first: ArrayLike, second: ArrayLike) -> NDArray[np.float32]:
    """Draw where images differ: red where the second is brighter, blue where it is darker.

    Parameters
    ----------
    first, second : array-like of shape (n, height, width, channels)
        Images on the same scale.

    Returns
    -------
    ndarray of shape (n, height, width, 3), float32
        Images in [-1, 1], white where nothing differs. The largest difference of all, averaged
        over channels, has the full colour.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import difference_map
    >>> difference_map(np.zeros((1, 1, 2, 1)), [[[[0.0], [0.5]]]]).tolist()
    [[[[1.0, 1.0, 1.0], [1.0, -1.0, -1.0]]]]
    """
    change = np.mean(np.asarray(second, "float32") - np.asarray(first, "float32"), axis=-1)
    share = change / max(np.abs(change).max(initial=0), np.finfo("float32").tiny)
    fade = 1 - 2 * np.abs(share)
    red, blue = np.where(share < 0, fade, 1), np.where(share > 0, fade, 1)
    return np.stack([red, fade, blue], axis=-1)


def to_rgb(samples: ArrayLike) -> NDArray[np.uint8]:
    """Convert images in [-1, 1] to 8-bit RGB.

    Parameters
    ----------
    samples : array-like of shape (n, height, width, channels)
        Images; values outside [-1, 1] are clipped. Of three or more channels the first three are
        used, otherwise the first is repeated.

    Returns
    -------
    ndarray of shape (n, height, width, 3), uint8

    Raises
    ------
    ValueError
        If `samples` are integers.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.images import to_rgb
    >>> to_rgb(np.full((1, 1, 1, 1), -1.0)).tolist()
    [[[[0, 0, 0]]]]
    """
    samples = np.asarray(samples)
    check_scaled("samples", samples)
    pixels = np.rint((np.clip(samples, -1, 1) + 1) * 127.5).astype("uint8")
    return pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1].repeat(3, axis=-1)
