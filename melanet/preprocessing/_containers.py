"""Containers of the user's samples: arrays, sequences, sparse matrices, pandas DataFrames.

pandas is imported only if a DataFrame is given.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from scipy import sparse

from melanet.preprocessing._sequences import is_sequence, is_series, like_samples, like_sequence


def is_frame(X: Any) -> bool:
    """Return whether X is a pandas DataFrame."""
    return hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2


def dense(X: Any) -> np.ndarray:
    """Convert X, sparse, a DataFrame or not, to an ndarray."""
    if is_frame(X):
        # A nullable or sparse column has a NumPy dtype, too; objects are checked numbers.
        common = np.result_type(*(_numpy_dtype(dtype) for dtype in set(X.dtypes)))
        return X.to_numpy(dtype="float64" if common.kind == "O" else common)
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def _numpy_dtype(dtype):
    return np.dtype(getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype)))


def column(X: Any, j: int) -> Any:
    """Return column j of a DataFrame as a Series, of an array as an array."""
    return X.iloc[:, j] if is_frame(X) else X[:, j]


def column_name(X: Any, j: int) -> str:
    """Return the name of column j for a message: its label, or its index in an array."""
    return repr(X.columns[j]) if is_frame(X) else str(j)


def align_columns(name: str, X: Any, like: Any) -> Any:
    """Return X with its columns in the order of another DataFrame; anything else unchanged.

    Parameters
    ----------
    name : str
        Name of X, for the message.
    X, like : array-like
        Samples. If both are DataFrames, columns are matched by name.

    Raises
    ------
    ValueError
        If the names differ.
    """
    if not is_frame(X) or not is_frame(like) or X.columns.equals(like.columns):
        return X
    names, wanted = list(X.columns), list(like.columns)
    if len(set(names)) < len(names) or set(names) != set(wanted):
        raise ValueError(
            f"{name} must have the columns {wanted[:20]}, each once. Received: {names[:20]}"
        )
    return X[wanted]


def take(X: Any, rows: Any) -> Any:
    """Return rows of X in its container; rows of a sparse matrix are returned as an ndarray."""
    return X.iloc[rows] if is_frame(X) else dense(X[rows])


def same_kind(X: Any, values: np.ndarray) -> Any:
    """Convert values to the container of X.

    Parameters
    ----------
    X : DataFrame, sparse matrix, sequence or ndarray of n samples
        Samples whose container, column names, dtypes and index are used; of a sequence, the
        type of its samples as well.
    values : ndarray of shape (n, ...)
        Samples to convert, one for each sample of X.

    Returns
    -------
    object of the type of X
    """
    if is_frame(X):
        return _to_frame(X, values).set_index(X.index)
    if sparse.issparse(X):
        return X.__class__(values)
    if is_sequence(X):
        return like_sequence(X, like_samples(X, values), X.index if is_series(X) else None)
    return values


def append_samples(X: Any, values: np.ndarray, sources: np.ndarray) -> Any:
    """Return the samples of a sequence, the same objects, followed by new ones of their type.

    Parameters
    ----------
    X : list, tuple, ndarray of objects or Series of n samples
        Original samples.
    values : ndarray of shape (m, ...)
        New samples.
    sources : ndarray of int of shape (m,)
        Sample of X that each was made from, for the index of a Series; see `extend_index`.

    Returns
    -------
    object of the type of X

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._containers import append_samples
    >>> pictures = [np.zeros((1, 2), "uint8")]
    >>> append_samples(pictures, np.array([[[7, 8]]]), np.array([0]))[1]
    array([[7, 8]], dtype=uint8)
    """
    index = extend_index(X.index, sources) if is_series(X) else None
    return like_sequence(X, [*X, *like_samples(X, values)], index)


def extend_index(index: Any, sources: np.ndarray) -> Any:
    """Return an index with labels for new rows.

    An index that numbers its rows is continued. Of any other, each new row gets the label of the
    row that it was made from.
    """
    import pandas as pd

    if not index.equals(pd.RangeIndex(len(index))):
        return index.append(index.take(sources))
    return pd.RangeIndex(len(index) + len(sources), name=index.name)


def _to_frame(X, values):
    """Convert values to a DataFrame with the column names and dtypes of X, numbered from 0."""
    import pandas as pd

    dtypes = set(X.dtypes)
    if dtypes == {values.dtype}:
        frame = pd.DataFrame(values)
    else:
        # Column by column, since a common dtype may not represent all values exactly.
        series = {j: _to_series(values[:, j], dtype) for j, dtype in enumerate(X.dtypes)}
        frame = pd.DataFrame(series, index=pd.RangeIndex(len(values)))
    frame.columns = X.columns
    return frame


def _to_series(values, dtype):
    import pandas as pd

    whole = pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    if values.dtype.kind == "f" and whole:
        values = np.rint(values)
    return pd.Series(values.tolist(), dtype=dtype)


class Extended:
    """X with preallocated space for new rows, so that those are held in memory only once.

    Parameters
    ----------
    X : DataFrame, sparse matrix or ndarray
        Original rows.
    n : int
        Number of new rows.
    dtype : dtype
        Dtype of the new rows. An ndarray X determines its own.

    Attributes
    ----------
    room : ndarray of shape (n, ...)
        Space for the new rows, to be written by the caller.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._containers import Extended
    >>> result = Extended(np.array([[1], [2]]), 1, "int64")
    >>> result.room[0] = 7
    >>> result.filled(np.array([0])).tolist()
    [[1], [2], [7]]
    """

    def __init__(self, X: Any, n: int, dtype: DTypeLike):
        self._X = X
        self._array: np.ndarray | None = None
        shape = X.shape[1:]
        if isinstance(X, np.ndarray):
            self._array = np.empty((len(X) + n, *shape), X.dtype)
            self.room = self._array[len(X) :]
        else:
            self.room = np.empty((n, *shape), dtype)

    def filled(self, sources: np.ndarray) -> Any:
        """Return X, unchanged, with the rows in `room` appended.

        Parameters
        ----------
        sources : ndarray of int of shape (n,)
            Row of X that each new row was made from. A new row of a DataFrame gets that row's
            index label, unless the index of X numbers its rows: then the numbering continues.

        Returns
        -------
        object of the type of X
        """
        X = self._X
        if self._array is not None:
            self._array[: len(X)] = X
            return self._array
        if sparse.issparse(X):
            return sparse.vstack([X, X.__class__(self.room)], format=X.format)
        import pandas as pd

        if not len(self.room):
            return X.copy()
        result = pd.concat([X, _to_frame(X, self.room)], ignore_index=True)
        result.index = extend_index(X.index, sources)
        return result
