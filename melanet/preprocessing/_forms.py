"""Detection of the user's form of the data: images or a table."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from melanet.preprocessing._containers import dense
from melanet.preprocessing._image_form import ImageForm
from melanet.preprocessing._scale import Scale
from melanet.preprocessing._sources import EncodedImages, SampleSource
from melanet.preprocessing._table_form import TableForm
from melanet.preprocessing._validation import (
    check_channels_last,
    check_image_shape,
)


def form_from_config(config: Mapping[str, Any]) -> ImageForm | TableForm:
    """Create a form from the dict that its ``to_config`` returned."""
    options = dict(config)
    kind = options.pop("kind")
    return ImageForm(**options) if kind == ImageForm.kind else TableForm(**options)


def read_form(
    X: Any,
    image_shape: Iterable[int] | None = None,
    value_range: Iterable[float] | Scale | None = None,
    categorical: Iterable[int] = (),
) -> ImageForm | TableForm:
    """Determine the form of X.

    Parameters
    ----------
    X : ndarray, sparse matrix or DataFrame
        Images of shape (n, H, W) or (n, H, W, C); rows of pixels if `image_shape` is given;
        otherwise rows of a table.
    image_shape : tuple of int or None
        (H, W) or (H, W, C).
    value_range : (float, float), Scale or None
        Smallest and largest value that a pixel can have; None infers them, see
        `infer_value_range`. With the `Scale` of other images, X must be on that scale.
    categorical : sequence of int
        Columns of a table that hold categories.

    Returns
    -------
    ImageForm or TableForm

    Raises
    ------
    ValueError
        If X has an unsupported number of dimensions, looks channels-first, or does not fit the
        parameters.
    """
    shape = X.shape
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    if len(shape) == 2 and image_shape is None:
        if value_range is not None:
            raise ValueError(
                "value_range is for images; the columns of a table are scaled one by one. "
                f"Received: value_range={value_range!r} and X of shape {shape}. If the rows are "
                "images, set image_shape too"
            )
        return TableForm.of(X, categorical)
    image_shape = _find_image_shape(shape, image_shape)
    values = dense(X)
    if isinstance(value_range, Scale):
        scale = value_range
        scale.check(values)
    else:
        scale = Scale.of(values, value_range)
    limits, extremes = scale.value_range, scale.seen
    return ImageForm(shape[1:], image_shape, values.dtype, limits, extremes, scale.declared)


def _find_image_shape(shape, image_shape):
    """Return (H, W, C) of images in an array of a shape; raise ValueError if that is impossible."""
    if len(shape) == 2:
        if np.prod(image_shape) != shape[1]:
            raise ValueError(
                f"image_shape={image_shape} has {np.prod(image_shape)} values, but the rows of X "
                f"have {shape[1]}. Received: X of shape {shape}"
            )
        remedy = "np.moveaxis(X.reshape(-1, C, H, W), 1, -1), without image_shape"
        check_channels_last(image_shape, remedy)
        return image_shape
    if len(shape) not in (3, 4):
        raise ValueError(
            "X must be images of shape (n, height, width) or (n, height, width, channels), or "
            f"rows of shape (n, n_features). Received: {len(shape)} dimensions, shape {shape}"
        )
    found = shape[1:] if len(shape) == 4 else (*shape[1:], 1)
    check_channels_last(found, "np.moveaxis(X, 1, -1)")
    if image_shape not in (None, found):
        raise ValueError(
            f"image_shape={image_shape} does not fit X, whose images have the shape {found}. "
            "Leave image_shape out: it is only for rows of pixels"
        )
    return found


def as_samples(form: ImageForm | TableForm, X: Any) -> SampleSource:
    """Return samples in [-1, 1]: a table is encoded at once, images when they are read.

    Parameters
    ----------
    form : ImageForm or TableForm
        Form of the samples.
    X : array-like of shape (n, ...)
        Samples in that form.

    Returns
    -------
    SampleSource of shape (n, *form.tensor_shape)
        An ndarray for a table, `EncodedImages` for images.

    Raises
    ------
    ValueError
        If X does not have this form.
    """
    return EncodedImages(form, X) if isinstance(form, ImageForm) else form.encode(X)
