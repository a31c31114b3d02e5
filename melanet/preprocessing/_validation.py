"""Input validation: samples, columns of a table, image shapes and value ranges."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from melanet.preprocessing._containers import column, column_name, is_frame
from melanet.preprocessing._sequences import check_samples_alike, is_sequence
from melanet.utils._validation import check_unmasked, join_names, to_python

_MOST_NAMED = 10  # columns that a message lists
# As pandas infers the type of a column of objects; all but the first row are rejected later.
_NOT_CATEGORIES = {
    *("integer", "floating", "mixed-integer-float", "empty"),
    *("decimal", "complex", "date", "time", "datetime", "datetime64", "timedelta", "timedelta64"),
}


def check_samples(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Validate X and return it as an ndarray, a sparse matrix or a DataFrame.

    Parameters
    ----------
    estimator : GANOversampler
        Estimator that stores the number and names of the columns.
    X : array-like
        Samples in any form.
    reset : bool
        Whether to store the columns (in fit) or to compare them with the stored ones.

    Returns
    -------
    ndarray, sparse matrix or DataFrame

    Raises
    ------
    TypeError
        If X is a DataFrame of another library than pandas.
    ValueError
        If X is empty, or has missing or infinite values, or columns that are neither numeric nor
        categorical.
    """
    if type(X).__name__ in ("DataFrame", "LazyFrame") and not is_frame(X):
        raise TypeError(
            f"X must be a pandas DataFrame or an array. Received: {type(X).__module__}."
            f"{type(X).__name__}. Convert it, for instance with X.to_pandas()"
        )
    X = as_numbers(X)
    if not is_frame(X) and X.dtype == object and (X.ndim > 2 or estimator.image_shape is not None):
        raise ValueError(
            "X must hold images of one numeric dtype. Received: dtype object. Convert it, for "
            'instance with X.astype("float32")'
        )
    if X.ndim == 2:
        if estimator.image_shape is None:
            return _check_table(estimator, X, reset)
        pixels = validate_data(estimator, X=X, reset=reset, accept_sparse=["csr", "csc"])
        return X if is_frame(X) else pixels
    X = check_array(X, allow_nd=True, input_name="X", estimator=estimator)
    if reset:
        validate_data(estimator, X=X, reset=True, skip_check_array=True)
    return X


def _check_table(estimator, X, reset):
    categorical = set(categorical_columns(X, estimator.categorical_features))
    if is_frame(X) or X.dtype == object:
        if is_frame(X):
            _check_unique_names(X)
        validate_data(estimator, X=X, reset=reset, skip_check_array=True)
        if not all(X.shape):
            raise ValueError(
                f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
                f"(shape={X.shape}) while a minimum of 1 is required."
            )
        _check_numeric(X, categorical)
        _check_distinct(X, categorical)
    else:
        X = validate_data(
            estimator, X=X, reset=reset, accept_sparse=["csr", "csc"], ensure_all_finite=False
        )
    _check_finite(X, categorical)
    return X


def _check_unique_names(X: Any) -> None:
    """Raise ValueError for columns of equal names, which scikit-learn 1.6 accepts."""
    counts = X.columns.value_counts()
    repeated = [f"{name!r} {n} times" for name, n in counts.items() if n > 1]
    if repeated:
        raise ValueError(f"X must have unique column names. Received: {', '.join(repeated)}")


def categorical_columns(X: Any, categorical_features: Any = "auto") -> list[int]:
    """Find the columns of a table that hold categories.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
        Table.
    categorical_features : "auto" or array-like of int, str or bool
        Indices, names or a mask of columns that hold categories. Text, pandas categories and
        booleans in a DataFrame are categories in any case.

    Returns
    -------
    list of int
        Indices of the columns, in ascending order.

    Raises
    ------
    ValueError
        If `categorical_features` does not match the columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._validation import categorical_columns
    >>> categorical_columns(np.zeros((5, 3)), [False, True, True])
    [1, 2]
    """
    found = set(_requested_columns(X, categorical_features))
    if is_frame(X):
        found |= {j for j in range(X.shape[1]) if _holds_categories(X.iloc[:, j])}
    return sorted(found)


def _requested_columns(X, categorical_features):
    if isinstance(categorical_features, str):
        if categorical_features == "auto":
            return []
        categorical_features = [categorical_features]
    n = X.shape[1]
    names = list(X.columns) if is_frame(X) else []
    requested = np.asarray(categorical_features)
    if requested.dtype == bool and requested.shape == (n,):
        return np.flatnonzero(requested).tolist()
    if requested.ndim == 1:
        if requested.dtype.kind in "iu" and ((-n <= requested) & (requested < n)).all():
            _check_not_names(names, (requested % n).tolist(), categorical_features)
            return (requested % n).tolist()
        listed = list(categorical_features)
        if not listed:
            return []
        if requested.dtype.kind not in "biuf" and all(name in names for name in listed):
            return [names.index(name) for name in listed]
    raise ValueError(
        f'categorical_features must be "auto" or a list of columns of X: indices below {n}, a '
        f"mask of {n} booleans"
        + (f", or names among {join_names(map(repr, names), _MOST_NAMED)}" if names else "")
        + f". Received: categorical_features={categorical_features!r}"
    )


def _check_not_names(names, indices, categorical_features):
    """Raise ValueError if indices are also the names of other columns."""
    ambiguous = [j for j in indices if j in names and names.index(j) != j]
    if ambiguous:
        raise ValueError(
            "categorical_features as integers are positions, but columns of X have such names at "
            f"other positions. Received: categorical_features={categorical_features!r} for the "
            f"columns {names[:_MOST_NAMED]}. Give a mask of {len(names)} booleans"
        )


def _holds_categories(values):
    import pandas as pd

    kind = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype) or kind.is_bool_dtype(values.dtype):
        return True
    if kind.is_object_dtype(values.dtype):
        # As in scikit-learn, numbers stored as objects are numeric.
        return kind.infer_dtype(values, skipna=True) not in _NOT_CATEGORIES
    return kind.is_string_dtype(values.dtype)


def _check_numeric(X, categorical):
    unsupported = []
    for j in set(range(X.shape[1])) - categorical:
        values = column(X, j)
        kind = str(values.dtype)
        numeric = values.dtype.kind in "biuf"
        if values.dtype.kind == "O":
            others = {
                type(value).__name__ for value in values[~_missing(values)] if not _is_number(value)
            }
            numeric = not others
            kind = ", ".join([kind, *sorted(others)])
        if not numeric:
            unsupported.append(f"{column_name(X, j)} ({kind})")
    if unsupported:
        raise ValueError(
            "The columns of X must be numeric or categorical: text, booleans, pandas categories "
            "or columns listed in categorical_features. Received: "
            f"{join_names(unsupported, _MOST_NAMED)}. Convert dates, decimals and similar types to "
            "numbers, for instance to days or floats"
        )


def _is_number(value):
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _check_distinct(X, categorical):
    """Raise ValueError for categories that are equal but differ in type, such as True and 1."""
    for j in sorted(categorical):
        values = column(X, j)
        if values.dtype != object:
            continue
        first: dict[Any, Any] = {}
        for value in map(to_python, values):
            try:
                other = first.setdefault(value, value)
            except TypeError as error:
                raise ValueError(
                    f"Column {column_name(X, j)} of X must hold numbers, text or other hashable "
                    f"categories. Received: {value!r}"
                ) from error
            if type(other) is not type(value):
                raise ValueError(
                    f"Column {column_name(X, j)} of X must not mix values that are equal but of "
                    f"different types, which would become one category. Received: {other!r} and "
                    f"{value!r}. Convert the column to one type, for instance to str"
                )


def _check_finite(X, categorical):
    missing: list[str] = []
    infinite: list[str] = []
    if sparse.issparse(X):
        # Only the stored entries of a sparse matrix are checked.
        entries = X.tocoo()
        for j in np.unique(entries.col[~np.isfinite(entries.data)]):
            values = entries.data[entries.col == j]
            (missing if np.isnan(values).any() else infinite).append(str(j))
    else:
        for j in range(X.shape[1]):
            values = column(X, j)
            n = int(np.sum(_missing(values)))
            if n:
                missing.append(f"{column_name(X, j)} ({n} of {len(X)})")
            elif j not in categorical and not np.isfinite(_as_floats(values)).all():
                infinite.append(column_name(X, j))
    if missing:
        raise ValueError(
            "Input X contains NaN: missing values in the columns "
            f"{join_names(missing, _MOST_NAMED)}. Impute them, for instance with "
            "sklearn.impute.SimpleImputer, or leave these rows out"
        )
    if infinite:
        raise ValueError(
            "Input X contains infinity or a value too large in the columns "
            f"{join_names(infinite, _MOST_NAMED)}. Replace these values, or leave these rows out"
        )


def _missing(values):
    if hasattr(values, "isna"):
        return values.isna().to_numpy()
    if values.dtype == object:
        return np.array([value is None or value != value for value in values], dtype=bool)
    return np.isnan(values) if values.dtype.kind in "fc" else np.zeros(len(values), bool)


def _as_floats(values):
    if hasattr(values, "to_numpy"):
        return values.to_numpy(dtype="float64")
    return np.asarray(values, dtype="float64")


def as_numbers(X: Any) -> Any:
    """Convert X to an ndarray, unless it is a DataFrame or a sparse matrix.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix
        Samples; a sequence of arrays or PIL images of one shape is stacked.

    Returns
    -------
    ndarray, DataFrame or sparse matrix

    Raises
    ------
    ValueError
        If samples differ in shape, dtype or mode, are text or dates, or are masked, or X is a
        single image.
    """
    check_unmasked("X", X)
    if isinstance(X, Image.Image):
        raise ValueError(
            "X must be a sequence of images; put a single one into a list. "
            f"Received: a PIL image of mode {X.mode}"
        )
    if is_sequence(X):
        check_samples_alike(X)
    if sparse.issparse(X) or is_frame(X):
        return X
    try:
        X = np.asarray(X)
    except ValueError:  # ragged
        X = np.fromiter(X, dtype=object)
    if X.dtype == object and X.ndim == 1 and len(X):
        shapes = {_shape(x) for x in X}
        if len(shapes) > 1 or None in shapes:
            raise ValueError(
                "X must hold samples of one shape, but is ragged. Received: samples of shapes "
                f"such as {sorted(shapes, key=str)[:3]}. Resize or crop images to one size first"
            )
        X = np.stack(X)
    if X.dtype.kind in "USMm":
        raise ValueError(
            f"X must be numeric. Received: dtype {X.dtype}. Convert it, for instance with "
            "X.astype(float)"
        )
    return X


def _shape(x):
    try:
        return np.shape(x)
    except ValueError:  # the sample itself is ragged
        return None


def check_channels_last(shape: tuple[int, ...], remedy: str) -> None:
    """Raise ValueError, with a remedy, if an image shape looks like (C, H, W)."""
    if shape[0] in (1, 3, 4) and shape[2] not in (1, 2, 3, 4):
        raise ValueError(
            f"X looks channels-first: its images have the shape {shape}. Move the channels last, "
            f"for instance with {remedy}"
        )


def check_image_shape(image_shape: Iterable[int]) -> tuple[int, ...]:
    """Return image_shape as (H, W, C)."""
    try:
        sizes = tuple(int(n) for n in image_shape)
        whole = all(a == b and a > 0 for a, b in zip(sizes, image_shape))
    except (TypeError, ValueError):
        sizes, whole = (), False
    if not whole or len(sizes) not in (2, 3):
        raise ValueError(
            "image_shape must be (height, width) or (height, width, channels), positive "
            f"integers. Received: image_shape={image_shape!r}"
        )
    return sizes if len(sizes) == 3 else (*sizes, 1)
