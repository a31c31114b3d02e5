"""Between the user's form of the data (dtype, range, layout) and float32 samples in [-1, 1].

Nothing else in the package knows about the user's forms.
"""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import QuantileTransformer

from melanet.input_checks import check_image_shape, check_value_range, refuse_channels_first

_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_SLACK = 1e-3  # of a range's width, by which rounding may leave it


def infer_value_range(X):
    """Tell the range that an array's values were scaled to, from its dtype and limits.

    Booleans span [0, 1] and integers of 8 or 16 bits their dtype's range. Floats that lie within
    [0, 1], [-1, 1] or [0, 255], but for rounding, take that range, in this order. Integers of 32
    or 64 bits, whose dtype's range no picture fills, take [0, 255] if they lie within. The data's
    own minimum and maximum are never used: a model that is trained on one set must see the next
    one on the same scale.

    Parameters
    ----------
    X : ndarray
        Images of any shape, not empty.

    Returns
    -------
    tuple of float
        (low, high).

    Raises
    ------
    ValueError
        If the values fit none of the ranges: the user has to say.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import infer_value_range
    >>> infer_value_range(np.zeros((1, 8, 8), "uint8"))
    (0.0, 255.0)
    >>> infer_value_range(np.array([[-0.5, 0.5]]))
    (-1.0, 1.0)
    """
    if X.dtype == bool:
        return 0.0, 1.0
    if X.dtype.kind in "iu" and X.dtype.itemsize <= 2:
        limits = np.iinfo(X.dtype)
        return float(limits.min), float(limits.max)
    low, high = X.min(), X.max()
    candidates = _FLOAT_RANGES if X.dtype.kind == "f" else _FLOAT_RANGES[-1:]
    for start, stop in candidates:
        slack = _SLACK * (stop - start)
        if start - slack <= low and high <= stop + slack:
            return start, stop
    raise ValueError(
        "value_range cannot be told from X: its values lie within none of "
        f"{', '.join(f'[{a:g}, {b:g}]' for a, b in candidates)}. Received: dtype {X.dtype}, "
        f"values from {low:g} to {high:g}. Give value_range=(low, high), the limits that "
        "pixels can take."
    )


class ImageForm:
    """Images as the user holds them: layout, dtype and value range.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample in the user's array: (H, W), (H, W, C), or (H * W * C,) for rows.
    image_shape : tuple of int
        (H, W, C).
    dtype : str
        The user's dtype.
    value_range : (float, float)
        Limits that pixels can take.
    """

    kind = "images"

    def __init__(self, sample_shape, image_shape, dtype, value_range):
        self.sample_shape = tuple(sample_shape)
        self.image_shape = tuple(image_shape)
        self.dtype = np.dtype(dtype)
        self.value_range = tuple(float(v) for v in value_range)

    @property
    def tensor_shape(self):
        """Tuple of int: shape of one encoded sample."""
        return self.image_shape

    def encode(self, X):
        """Return ``(n, H, W, C)`` float32 in [-1, 1]; X must be of this form.

        Raises
        ------
        ValueError
            If the samples' shape differs or a value is outside the value range.
        """
        X = _dense(X)
        if X.shape[1:] != self.sample_shape:
            shape = ", ".join(map(str, self.sample_shape))
            raise ValueError(
                f"X must have the shape (n, {shape}), n samples as in fit; one alone is X[None]. "
                f"Received: shape {X.shape}"
            )
        if (X.dtype.kind == "f") != (self.dtype.kind == "f"):
            raise ValueError(
                f"X must hold the kind of numbers that were given to fit, {self.dtype}, on the "
                f"same scale. Received: {X.dtype}"
            )
        low, high = self.value_range
        slack = _SLACK * (high - low) if X.dtype.kind == "f" else 0.0
        if X.size and not (X.min() >= low - slack and X.max() <= high + slack):
            raise ValueError(
                f"X has values outside value_range=({low:g}, {high:g}). "
                f"Received: values from {X.min():g} to {X.max():g}"
            )
        scaled = (X.astype(self._precision) - low) * (2.0 / (high - low)) - 1.0
        return np.clip(scaled, -1.0, 1.0).astype("float32").reshape(-1, *self.image_shape)

    @property
    def _precision(self):
        # Float32 does not hold the ends of wide integers.
        return "float64" if self.dtype.itemsize > 2 and self.dtype.kind in "iu" else "float32"

    def decode(self, tensor):
        """Return samples in the user's layout, dtype and range; floats in between are rounded."""
        low, high = self.value_range
        X = np.clip(tensor, -1.0, 1.0).astype(self._precision)
        X = (X + 1.0) * ((high - low) / 2.0) + low
        if self.dtype == bool:
            X = X > 0.5
        elif self.dtype.kind in "iu":
            X = np.rint(X)
        return np.clip(X, low, high).astype(self.dtype).reshape(-1, *self.sample_shape)

    def to_config(self):
        """Return what JSON can hold of it."""
        return {
            "kind": self.kind,
            "sample_shape": self.sample_shape,
            "image_shape": self.image_shape,
            "dtype": self.dtype.str,
            "value_range": self.value_range,
        }


class TableForm:
    """Rows of a numeric table, scaled by column.

    Each column goes to [-1, 1] by its empirical distribution
    (`sklearn.preprocessing.QuantileTransformer`), which outliers and skew do not disturb. The
    way back interpolates between values seen in fit, so synthetic values stay within a column's
    range; whole-number columns stay whole.

    Parameters
    ----------
    quantiles : array-like of shape (n_quantiles, n_features)
        Values of each column at equally spaced quantiles.
    whole : array-like of shape (n_features,)
        Columns that hold whole numbers only.
    dtype : str
        The user's dtype.
    """

    kind = "table"

    def __init__(self, quantiles, whole, dtype):
        self.quantiles = np.asarray(quantiles, "float64")
        self.whole = np.asarray(whole, bool)
        self.dtype = np.dtype(dtype)
        scaler = QuantileTransformer(n_quantiles=len(self.quantiles))
        scaler.n_features_in_ = self.quantiles.shape[1]
        scaler.n_quantiles_ = len(self.quantiles)
        scaler.quantiles_ = self.quantiles
        scaler.references_ = np.linspace(0, 1, len(self.quantiles))
        self._scaler = scaler

    @classmethod
    def of(cls, X, max_quantiles=256):
        """Read the form off a table."""
        X = _dense(X)
        values = X.astype("float64")
        levels = np.linspace(0, 1, min(max_quantiles, len(values)))
        quantiles = np.quantile(values, levels, axis=0)
        return cls(quantiles, (values == np.rint(values)).all(axis=0), X.dtype)

    @property
    def tensor_shape(self):
        """Tuple of int: shape of one encoded sample."""
        return (self.quantiles.shape[1],)

    def encode(self, X):
        """Return ``(n, n_features)`` float32 in [-1, 1].

        Raises
        ------
        ValueError
            If the number of columns differs.
        """
        X = _dense(X)
        if X.shape[1:] != self.tensor_shape:
            raise ValueError(
                f"X must have {self.tensor_shape[0]} columns, as in fit. Received: shape {X.shape}"
            )
        return (self._scaler.transform(X.astype("float64")) * 2 - 1).astype("float32")

    def decode(self, tensor):
        """Return rows in the user's dtype."""
        if not len(tensor):  # scikit-learn's scaler refuses
            return np.zeros((0, *self.tensor_shape), self.dtype)
        unit = (np.clip(tensor, -1.0, 1.0).astype("float64") + 1) / 2
        X = self._scaler.inverse_transform(unit)
        X[:, self.whole] = np.rint(X[:, self.whole])
        return X.astype(self.dtype)

    def to_config(self):
        """Return what JSON can hold of it."""
        return {
            "kind": self.kind,
            "quantiles": self.quantiles.tolist(),
            "whole": self.whole.tolist(),
            "dtype": self.dtype.str,
        }


def form_from_config(config):
    """Make a form from ``to_config``'s answer."""
    kinds = {form.kind: form for form in (ImageForm, TableForm)}
    options = dict(config)
    return kinds[options.pop("kind")](**options)


def read_form(X, image_shape=None, value_range=None):
    """Tell what form X has.

    Parameters
    ----------
    X : ndarray or sparse matrix
        (n, H, W) or (n, H, W, C) images; rows of images if `image_shape` is given; otherwise
        rows of a table.
    image_shape : tuple of int or None
        (H, W) or (H, W, C).
    value_range : (float, float) or None
        Limits that pixels can take; None infers them, see `infer_value_range`.

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
        return TableForm.of(X)
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
    values = _dense(X)
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


def _dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)
