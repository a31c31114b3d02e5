"""What X may be: arrays of numbers, sparse matrices, and DataFrames of numbers and categories."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, validate_data

from melanet.preprocessing._containers import column, column_name, is_frame

_MOST_NAMED = 10


def check_samples(estimator, X, *, reset):
    """Return X checked: an array, a sparse matrix, or for a table the DataFrame that it is.

    Parameters
    ----------
    estimator : GANOversampler
        Learns, or compares, the number and names of the columns.
    X : array-like
        Samples in any form.
    reset : bool
        Whether to learn or to compare.

    Raises
    ------
    TypeError
        If X is a DataFrame of another library than pandas.
    ValueError
        If X has no samples, missing or infinite values, or columns that are no numbers and no
        categories.
    """
    if type(X).__name__ in ("DataFrame", "LazyFrame") and not is_frame(X):
        raise TypeError(
            f"X must be a pandas DataFrame or an array. Received: {type(X).__module__}."
            f"{type(X).__name__}. Convert it, for instance by X.to_pandas()"
        )
    X = as_numbers(X)
    if X.ndim == 2:
        if estimator.image_shape is None:
            return _check_table(estimator, X, reset)
        return validate_data(estimator, X=X, reset=reset, accept_sparse=["csr", "csc"])
    X = check_array(X, allow_nd=True, input_name="X", estimator=estimator)
    if reset:
        validate_data(estimator, X=X, reset=True, skip_check_array=True)
    return X


def _check_table(estimator, X, reset):
    listed = categorical_columns(X, estimator.categorical_features)
    if is_frame(X) or (X.dtype == object and listed):
        validate_data(estimator, X=X, reset=reset, skip_check_array=True)
        if not all(X.shape):
            raise ValueError(
                f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) "
                f"(shape={X.shape}) while a minimum of 1 is required."
            )
        _refuse_what_is_no_number(X, set(listed))
    else:
        X = validate_data(
            estimator, X=X, reset=reset, accept_sparse=["csr", "csc"], ensure_all_finite=False
        )
    _refuse_missing(X, set(listed))
    return X


def categorical_columns(X, categorical_features="auto"):
    """Tell which columns of a table hold categories.

    Parameters
    ----------
    X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
        The table.
    categorical_features : "auto" or array-like of int, str or bool
        Indices, names or a mask of columns that hold categories, besides columns of a DataFrame
        that hold no numbers: text, pandas' categories and booleans.

    Returns
    -------
    list of int
        In order.

    Raises
    ------
    ValueError
        If a column is named that X has not.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._validation import categorical_columns
    >>> categorical_columns(np.zeros((5, 3)), [False, True, True])
    [1, 2]
    """
    found = set(_asked(X, categorical_features))
    if is_frame(X):
        found |= {j for j in range(X.shape[1]) if _holds_categories(X.iloc[:, j])}
    return sorted(found)


def _asked(X, categorical_features):
    if isinstance(categorical_features, str):
        if categorical_features == "auto":
            return []
        categorical_features = [categorical_features]
    n = X.shape[1]
    names = list(X.columns) if is_frame(X) else []
    asked = np.asarray(categorical_features)
    if asked.dtype == bool and asked.shape == (n,):
        return np.flatnonzero(asked).tolist()
    if asked.ndim == 1 and asked.dtype.kind in "iu" and ((-n <= asked) & (asked < n)).all():
        return (asked % n).tolist()
    asked = [] if asked.ndim != 1 or asked.dtype.kind in "biuf" else list(categorical_features)
    if asked and all(name in names for name in asked):
        return [names.index(name) for name in asked]
    if len(categorical_features) == 0:
        return []
    raise ValueError(
        f'categorical_features must be "auto" or a list of columns of X: indices below {n}, a '
        f"mask of {n} booleans"
        + (f", or names among {_listed(map(repr, names))}" if names else "")
        + f". Received: categorical_features={categorical_features!r}"
    )


def _holds_categories(values):
    import pandas as pd

    kind = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype) or kind.is_bool_dtype(values.dtype):
        return True
    if kind.is_object_dtype(values.dtype):
        # Numbers that were stored as objects are numbers, as for scikit-learn.
        numbers = ("integer", "floating", "mixed-integer-float", "decimal", "empty")
        return kind.infer_dtype(values, skipna=True) not in numbers
    return kind.is_string_dtype(values.dtype)


def _refuse_what_is_no_number(X, categorical):
    unfit = []
    for j in set(range(X.shape[1])) - categorical:
        values = column(X, j)
        numeric = values.dtype.kind in "biufO" or "Decimal" in type(values.iloc[0]).__name__
        if numeric and values.dtype == object:
            try:
                np.asarray(values[~_missing(values)], dtype="float64")
            except (TypeError, ValueError):
                numeric = False
        if not numeric:
            unfit.append(f"{column_name(X, j)} ({values.dtype})")
    if unfit:
        raise ValueError(
            "The columns of X must be numeric, or categories: text, booleans, pandas' categories "
            f"or what categorical_features names. Received: {_listed(unfit)}. Convert dates and "
            "the like to numbers, for instance to days"
        )


def _refuse_missing(X, categorical):
    missing, infinite = [], []
    if sparse.issparse(X):
        # A sparse matrix has no columns to name cheaply but those where something is amiss.
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
            f"Input X contains NaN: missing values in the columns {_listed(missing)}. Fill them "
            "in, for instance by sklearn.impute.SimpleImputer, or leave these rows out"
        )
    if infinite:
        raise ValueError(
            f"Input X contains infinity or a value too large in the columns {_listed(infinite)}. "
            "Replace or leave out these values"
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


def _listed(names):
    names = list(names)
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def as_numbers(X):
    """Return X as an array, or the DataFrame or sparse matrix it is; refuse what has no numbers."""
    if sparse.issparse(X) or (hasattr(X, "iloc") and X.ndim == 2):
        return X
    try:
        X = np.asarray(X)
    except ValueError:  # NumPy's word for ragged
        X = np.fromiter(X, dtype=object)
    if X.dtype == object and X.ndim == 1 and len(X):
        shapes = {_shape(x) for x in X}
        if len(shapes) > 1 or None in shapes:
            raise ValueError(
                "X must be one array of samples of one shape; these are ragged. Received: samples "
                f"of shapes such as {sorted(shapes, key=str)[:3]}. Resize or crop images to one "
                "size first"
            )
        X = np.stack(X)
    if X.dtype.kind in "USMm":
        raise ValueError(
            f"X must be numeric. Received: dtype {X.dtype}. Convert it, for instance by "
            "X.astype(float)"
        )
    return X


def _shape(x):
    try:
        return np.shape(x)
    except ValueError:  # ragged inside
        return None


def refuse_channels_first(shape, remedy):
    """Raise if (H, W, C) looks like (C, H, W); say how to mend it."""
    if shape[0] in (1, 3, 4) and shape[2] not in (1, 2, 3, 4):
        raise ValueError(
            f"X looks channels-first: its images are {shape}. Move the channels last, for "
            f"instance by {remedy}"
        )


def check_image_shape(image_shape):
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


def check_value_range(value_range):
    """Return value_range as (low, high), two floats."""
    try:
        low, high = (float(v) for v in value_range)
        valid = np.isfinite(low) and np.isfinite(high) and low < high
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "value_range must be (low, high), two finite numbers with low < high. "
            f"Received: value_range={value_range!r}"
        )
    return low, high
