"""What holds the user's rows: NumPy arrays, sparse matrices, pandas DataFrames.

pandas is imported only where a DataFrame was given.
"""

import numpy as np
from imblearn.utils._validation import ArraysTransformer
from scipy import sparse


def is_frame(X):
    """Tell whether X is a pandas DataFrame."""
    return hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2


def dense(X):
    """Return X as an array."""
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def column(X, j):
    """Return column j of a DataFrame or an array, as a Series or an array."""
    return X.iloc[:, j] if is_frame(X) else X[:, j]


def column_name(X, j):
    """Return what to call column j in a message."""
    return repr(X.columns[j]) if is_frame(X) else str(j)


def take(X, rows):
    """Return rows of X, in its container; of a sparse matrix as an array."""
    return X.iloc[rows] if is_frame(X) else dense(X[rows])


def same_kind(X, values):
    """Return values, one row for each of X, in the container of X.

    Parameters
    ----------
    X : DataFrame, sparse matrix, list or ndarray of n samples
        Whose container, column names, dtypes and index are meant.
    values : ndarray of shape (n, ...)
        The samples.

    Returns
    -------
    object of the type of X
    """
    if is_frame(X):
        return _frame(X, values).set_index(X.index)
    if sparse.issparse(X):
        return X.__class__(values)
    return ArraysTransformer(X, X).transform(values, values)[0]


def _frame(X, values):
    """Return values as a DataFrame with the names and dtypes of X, numbered from 0."""
    import pandas as pd

    # Column by column: no common dtype would hold them all unchanged.
    series = {j: pd.Series(values[:, j].tolist(), dtype=dtype) for j, dtype in enumerate(X.dtypes)}
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(values)))
    frame.columns = X.columns
    return frame


def append_rows(X, made, sources):
    """Return X with rows appended, every value of X as it was.

    Parameters
    ----------
    X : DataFrame, sparse matrix or ndarray
        The original rows.
    made : ndarray of shape (n, n_columns)
        The new ones.
    sources : ndarray of int of shape (n,)
        For each, the row of X that it was made from. In a DataFrame it takes that row's label,
        unless X is merely numbered: then the numbers go on.

    Returns
    -------
    object of the type of X
    """
    if is_frame(X):
        import pandas as pd

        if not len(made):
            return X.copy()
        result = pd.concat([X, _frame(X, made)], ignore_index=True)
        if not X.index.equals(pd.RangeIndex(len(X))):
            result.index = X.index.append(X.index.take(sources))
        elif X.index.name is not None:
            result.index.name = X.index.name
        return result
    if sparse.issparse(X):
        return sparse.vstack([X, X.__class__(made)], format=X.format)
    return np.concatenate([X, made])
