"""Pictures from files or uploads on the scale of a classifier's training data."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from melanet.classifier._base import FittedNetwork

_LUMA = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601, as in Pillow


def n_picture_channels(model: "FittedNetwork") -> int:
    """Return the number of channels, 1 or 3, of the images that a classifier was fitted on.

    Raises
    ------
    ValueError
        If it is another number, which no picture has.
    """
    channels = model.model_.input_shape[-1]
    if model.form_ is not None:  # grey images are repeated for networks of three channels
        channels = model.form_.image_shape[-1]
    check_picture_channels("model", channels)
    return channels


def check_picture_channels(name: str, channels: int) -> None:
    """Raise ValueError unless `channels` is 1 or 3."""
    if channels not in (1, 3):
        raise ValueError(f"{name} must take images of 1 or 3 channels. Received: {channels}")


def convert_channels(pictures: ArrayLike, channels: int) -> NDArray[Any]:
    """Return RGB pictures of shape (..., 3) with 3 channels or, as their luma, 1."""
    pixels = np.asarray(pictures)
    if channels == 3:
        return pixels
    return np.rint(pixels @ _LUMA).astype("uint8")[..., None]


def picture_samples(model: "FittedNetwork", pictures: ArrayLike) -> NDArray[Any]:
    """Convert pictures to samples for a classifier's methods.

    Black and white become the limits of the range of pixels in fit: 0 and 255 become 0 and 1
    for a classifier that was fitted on floats in [0, 1].

    Parameters
    ----------
    model : MelaNet
        Fitted classifier of images of 1 or 3 channels.
    pictures : array-like of shape (..., height, width, 3), uint8
        RGB pictures.

    Returns
    -------
    ndarray of shape (..., height, width, channels)
        Samples, in the dtype of fit if that is an integer; uint8 if the range is [0, 255], and
        float32 otherwise.
    """
    pixels = convert_channels(pictures, n_picture_channels(model))
    low, high = model.value_range_ or (0, 255)
    if (low, high) == (0, 255):
        return pixels
    scaled = low + (high - low) * (pixels.astype("float32") / 255)
    dtype = model.dtype_
    if dtype is not None and dtype.kind in "iu":
        return np.rint(scaled).astype(dtype)
    return scaled
