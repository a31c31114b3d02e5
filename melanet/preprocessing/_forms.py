"""Between the user's form of the data (dtype, range, layout) and float32 samples in [-1, 1].

`image_form` and `table_form` hold the two forms; this module tells which one the data has.
"""

import numpy as np

from melanet.preprocessing._containers import dense
from melanet.preprocessing._image_form import EncodedImages, ImageForm, infer_value_range
from melanet.preprocessing._table_form import TableForm
from melanet.preprocessing._validation import (
    check_image_shape,
    check_value_range,
    refuse_channels_first,
)


def form_from_config(config):
    """Make a form from ``to_config``'s answer."""
    kinds = {form.kind: form for form in (ImageForm, TableForm)}
    options = dict(config)
    return kinds[options.pop("kind")](**options)


def read_form(X, image_shape=None, value_range=None, categorical=()):
    """Tell what form X has.

    Parameters
    ----------
    X : ndarray, sparse matrix or DataFrame
        (n, H, W) or (n, H, W, C) images; rows of images if `image_shape` is given; otherwise
        rows of a table.
    image_shape : tuple of int or None
        (H, W) or (H, W, C).
    value_range : (float, float) or None
        Limits that pixels can take; None infers them, see `infer_value_range`.
    categorical : sequence of int
        Columns of a table that hold categories.

    Returns
    -------
    ImageForm or TableForm

    Raises
    ------
    ValueError
        If X has another rank, looks channels-first, or does not fit the parameters.
    """
    shape = X.shape
    if image_shape is not None:
        image_shape = check_image_shape(image_shape)
    if len(shape) == 2 and image_shape is None:
        if value_range is not None:
            raise ValueError(
                "value_range is for images; a table is scaled by column. Received: "
                f"value_range={value_range!r} and X of shape {shape}. For rows that are images "
                "give image_shape, too"
            )
        return TableForm.of(X, categorical)
    if len(shape) == 2:
        if np.prod(image_shape) != shape[1]:
            raise ValueError(
                f"image_shape={image_shape} has {np.prod(image_shape)} values, but the rows of X "
                f"have {shape[1]}. Received: X of shape {shape}"
            )
        remedy = "np.moveaxis(X.reshape(-1, C, H, W), 1, -1), which needs no image_shape"
        refuse_channels_first(image_shape, remedy)
    elif len(shape) in (3, 4):
        own = shape[1:] if len(shape) == 4 else (*shape[1:], 1)
        refuse_channels_first(own, "np.moveaxis(X, 1, -1)")
        if image_shape is not None and image_shape != own:
            raise ValueError(
                f"image_shape={image_shape} does not fit X, whose images are {own}. Leave "
                "image_shape out: it is for rows"
            )
        image_shape = own
    else:
        raise ValueError(
            "X must be images of shape (n, height, width) or (n, height, width, channels), or "
            f"rows of shape (n, n_features). Received: {len(shape)} dimensions, shape {shape}"
        )
    values = dense(X)
    if value_range is None:
        value_range = infer_value_range(values)
    else:
        value_range = check_value_range(value_range)
        if values.dtype.kind in "iu":
            limits = np.iinfo(values.dtype)
            if value_range[0] < limits.min or value_range[1] > limits.max:
                raise ValueError(
                    f"value_range must fit X's dtype {values.dtype}, which holds {limits.min} to "
                    f"{limits.max}. Received: value_range={value_range!r}"
                )
    return ImageForm(shape[1:], image_shape, X.dtype, value_range)


def as_samples(form, X):
    """Return samples as tensors in [-1, 1]: a table's at once, images when they are asked for.

    Parameters
    ----------
    form : ImageForm or TableForm
        Of the samples.
    X : array-like of shape (n, ...)
        The samples, in that form.

    Returns
    -------
    ndarray or EncodedImages of shape (n, *form.tensor_shape), float32

    Raises
    ------
    ValueError
        If X is not of the form.
    """
    return form.encode(X) if form.kind == "table" else EncodedImages(form, X)
