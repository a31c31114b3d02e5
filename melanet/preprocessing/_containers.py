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


class Extended:
    """X with room for rows at its end, so that what fills it is held once.

    Parameters
    ----------
    X : DataFrame, sparse matrix or ndarray
        The original rows.
    n : int
        Rows to come.
    dtype : dtype
        Of these.

    Attributes
    ----------
    room : ndarray of shape (n, ...)
        To be written into.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._containers import Extended
    >>> result = Extended(np.array([[1], [2]]), 1, "int64")
    >>> result.room[0] = 7
    >>> result.filled(np.array([0])).tolist()
    [[1], [2], [7]]
    """

    def __init__(self, X, n, dtype):
        self._X, self._whole = X, None
        shape = X.shape[1:]
        if isinstance(X, np.ndarray):
            self._whole = np.empty((len(X) + n, *shape), X.dtype)
            self.room = self._whole[len(X) :]
        else:
            self.room = np.empty((n, *shape), dtype)

    def filled(self, sources):
        """Return X with the rows in `room` appended, every value of X as it was.

        Parameters
        ----------
        sources : ndarray of int of shape (n,)
            For each new row, the row of X that it was made from. In a DataFrame it takes that row's
            label, unless X is merely numbered: then the numbers go on.

        Returns
        -------
        object of the type of X
        """
        X = self._X
        if self._whole is not None:
            self._whole[: len(X)] = X
            return self._whole
        if sparse.issparse(X):
            return sparse.vstack([X, X.__class__(self.room)], format=X.format)
        import pandas as pd

        if not len(self.room):
            return X.copy()
        result = pd.concat([X, _frame(X, self.room)], ignore_index=True)
        if not X.index.equals(pd.RangeIndex(len(X))):
            result.index = X.index.append(X.index.take(sources))
        elif X.index.name is not None:
            result.index.name = X.index.name
        return result
