"""Conversion between the rows of a table, numeric and categorical, and tensors in [-1, 1]."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.preprocessing import QuantileTransformer

from melanet.exceptions import CostWarning
from melanet.preprocessing._containers import column, column_name, dense, is_frame
from melanet.utils._memory import check_memory, format_bytes
from melanet.utils._validation import to_python

_EXACT = 2**53  # up to here, float64 represents all integers exactly
_MANY = 100  # different values; fewer cost little


class TableForm:
    """Columns of the user's table, and how each is scaled.

    Each numeric column is mapped to [-1, 1] by its empirical distribution
    (`sklearn.preprocessing.QuantileTransformer`), which is insensitive to outliers and skew.
    Decoding interpolates between values seen in fit, so decoded values stay within the column's
    range, and integer columns stay integer. A categorical column is encoded as one number for
    each category, 1 for the row's own and -1 for the others; decoding takes the category with
    the largest number.

    Parameters
    ----------
    quantiles : array-like of shape (n_quantiles, n_numeric)
        Values of each numeric column at equally spaced quantiles.
    whole : array-like of bool of shape (n_numeric,)
        Whether each numeric column holds integers only.
    dtype : dtype
        Dtype of decoded rows; "object" if columns differ.
    categories : list of (list or None) or None, default=None
        Categories of each column, None for a numeric column. None if all columns are numeric.
    limits : list of ((int, int) or None) or None, default=None
        Smallest and largest value of each numeric column of integers that float64 or the dtype
        cannot represent exactly, None for other numeric columns.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import TableForm
    >>> X = np.array([[1, "yes"], [4, "no"], [9, "no"]], dtype=object)
    >>> form = TableForm.of(X, categorical=[1])
    >>> form.tensor_shape
    (3,)
    >>> form.decode(form.encode(X)).tolist()
    [[1, 'yes'], [4, 'no'], [9, 'no']]
    """

    kind = "table"

    def __init__(
        self,
        quantiles: ArrayLike,
        whole: ArrayLike,
        dtype: DTypeLike,
        categories: Sequence[list[Any] | None] | None = None,
        limits: Sequence[tuple[int, int] | None] | None = None,
    ):
        self.quantiles = np.asarray(quantiles, "float64")
        self.whole = np.asarray(whole, bool)
        self.dtype = np.dtype(dtype)
        self.categories = list(categories or [None] * len(self.whole))
        self.limits = list(limits or [None] * len(self.whole))
        self._numeric = [j for j, names in enumerate(self.categories) if names is None]
        self._codes = [
            names and {name: i for i, name in enumerate(names)} for names in self.categories
        ]
        scaler = QuantileTransformer(n_quantiles=len(self.quantiles))
        scaler.n_features_in_ = self.quantiles.shape[1]
        scaler.n_quantiles_ = len(self.quantiles)
        scaler.quantiles_ = self.quantiles
        scaler.references_ = np.linspace(0, 1, len(self.quantiles))
        self._scaler = scaler

    @classmethod
    def of(cls, X: Any, categorical: Iterable[int] = (), max_quantiles: int = 256) -> "TableForm":
        """Determine the form of a table.

        Parameters
        ----------
        X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
            Rows without missing values.
        categorical : iterable of int, default=()
            Columns that hold categories.
        max_quantiles : int, default=256
            Largest number of quantiles that describe a column's distribution.

        Returns
        -------
        TableForm
        """
        X = X if is_frame(X) else dense(X)
        categorical = set(categorical)
        numeric = [j for j in range(X.shape[1]) if j not in categorical]
        values = _numbers(X, numeric)
        levels = np.linspace(0, 1, min(max_quantiles, len(values)))
        whole = (values == np.rint(values)).all(axis=0)
        limits = [_limits(column(X, j)) if w else None for j, w in zip(numeric, whole)]
        names = [_distinct(column(X, j)) if j in categorical else None for j in range(X.shape[1])]
        _check_width(X, names)
        mixed = is_frame(X) and (categorical or any(limits))
        dtype = "object" if mixed else "float64" if is_frame(X) else X.dtype
        return cls(np.quantile(values, levels, axis=0), whole, dtype, names, limits)

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one encoded sample."""
        return (sum(1 if names is None else len(names) for names in self.categories),)

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Scale rows to [-1, 1].

        Parameters
        ----------
        X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
            Rows in this form.

        Returns
        -------
        ndarray of shape (n, *tensor_shape), float32
            Numeric columns, followed by the categorical ones.

        Raises
        ------
        ValueError
            If the number of columns differs, or a category was not seen in fit.
        """
        X = X if is_frame(X) else dense(X)
        if X.shape[1:] != (len(self.categories),):
            raise ValueError(
                f"X must have {len(self.categories)} columns, as in fit. Received: shape {X.shape}"
            )
        encoded = np.full((X.shape[0], *self.tensor_shape), -1, dtype="float32")
        if self._numeric:
            unit = self._scaler.transform(_numbers(X, self._numeric))
            encoded[:, : len(self._numeric)] = unit * 2 - 1
        start = len(self._numeric)
        for j, codes in enumerate(self._codes):
            if codes is not None:
                encoded[np.arange(len(encoded)), start + self._encode_column(X, j)] = 1
                start += len(codes)
        return encoded

    def _encode_column(self, X, j):
        codes, values = self._codes[j], np.asarray(column(X, j), dtype=object)
        unknown = list(dict.fromkeys(value for value in values if value not in codes))
        if unknown:
            raise ValueError(
                f"Column {column_name(X, j)} must hold categories seen in fit, such as "
                f"{list(codes)[:5]}. Received: {unknown[:5]}"
            )
        return np.array([codes[value] for value in values], dtype=int)

    def decode(self, tensor: np.ndarray) -> np.ndarray:
        """Convert tensors in [-1, 1] to rows in the user's dtype."""
        tensor = np.clip(tensor, -1.0, 1.0)
        n_numeric = len(self._numeric)
        numbers = np.zeros((len(tensor), n_numeric))
        if numbers.size:  # scikit-learn's scaler rejects empty arrays
            unit = (tensor[:, :n_numeric].astype("float64") + 1) / 2
            numbers = self._scaler.inverse_transform(unit)
        codes, start = {}, n_numeric
        for j, names in enumerate(self.categories):
            if names is not None:
                codes[j] = tensor[:, start : start + len(names)].argmax(axis=1)
                start += len(names)
        return self._assemble(numbers, codes)

    def between(self, first: Any, second: Any, share: np.ndarray) -> np.ndarray:
        """Interpolate between pairs of rows.

        Parameters
        ----------
        first, second : DataFrame or ndarray of shape (n, n_columns)
            Rows in the user's form.
        share : ndarray of shape (n,)
            Position between the two rows: 0 is `first`, 1 is `second`. Categories are taken from
            the nearer row.

        Returns
        -------
        ndarray of shape (n, n_columns)
            Rows in the user's dtype, as `decode` returns them.
        """
        start, stop = (_numbers(X, self._numeric) for X in (first, second))
        # Not start + share * (stop - start): the difference may overflow.
        numbers = start * (1 - share[:, None]) + stop * share[:, None]
        codes = {
            j: np.where(share < 0.5, self._encode_column(first, j), self._encode_column(second, j))
            for j, known in enumerate(self._codes)
            if known is not None
        }
        return self._assemble(np.clip(numbers, *self._range), codes)

    @property
    def _range(self):
        return self.quantiles[0], self.quantiles[-1]

    def _assemble(self, numbers, codes):
        """Combine numeric columns and category codes in the user's order and dtype."""
        numbers[:, self.whole] = np.rint(numbers[:, self.whole])
        if not codes and not any(self.limits) and self.dtype != object:
            return numbers.astype(self.dtype)
        rows = np.empty((len(numbers), len(self.categories)), dtype=object)
        for i, j in enumerate(self._numeric):
            rows[:, j] = numbers[:, i]
            limits = self.limits[i]
            if limits:
                low, high = limits
                rows[:, j] = [min(max(int(value), low), high) for value in numbers[:, i]]
            elif self.whole[i]:
                rows[:, j] = [int(value) for value in numbers[:, i]]
        for j, column_codes in codes.items():
            names = self.categories[j] or []
            lookup = np.empty(len(names), dtype=object)
            lookup[:] = names
            rows[:, j] = lookup[column_codes]
        return rows.astype(self.dtype)

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-serializable dict, for `form_from_config`.

        Raises
        ------
        ValueError
            If a category is neither text, a number nor a boolean.
        """
        for j, names in enumerate(self.categories):
            unsupported = [v for v in names or () if not isinstance(v, (str, int, float))]
            if unsupported:
                raise ValueError(
                    f"Categories must be text, numbers or booleans to be saved to a file. "
                    f"Received: {unsupported[0]!r} in column {j}"
                )
        return {
            "kind": self.kind,
            "quantiles": self.quantiles.tolist(),
            "whole": self.whole.tolist(),
            "dtype": self.dtype.str,
            "categories": self.categories,
            "limits": self.limits,
        }


def _check_width(X, names):
    """Warn of columns of identifiers, and raise if the encoded table does not fit into memory.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n, n_columns)
        Table.
    names : list of (list or None)
        Categories of each column, None for a numeric column.
    """
    n = X.shape[0]
    widths = {j: len(found) for j, found in enumerate(names) if found is not None}
    for j, width in widths.items():
        if width >= _MANY and width > n / 2:
            warnings.warn(
                f"Column {column_name(X, j)} has {width} different values in {n} rows, so it seems "
                f"to identify rows. Encoded, it is {width} numbers a row, "
                f"{format_bytes(4 * n * width)} in all, and the networks grow as well. Drop it "
                "unless its values are categories",
                CostWarning,
                stacklevel=2,
            )
    if widths:
        widest = max(widths, key=lambda j: widths[j])
        check_memory(
            4 * n * (len(names) - len(widths) + sum(widths.values())),
            f"The {n} rows of X with a number for each category",
            f"Column {column_name(X, widest)} has {widths[widest]} different values: drop it, or "
            "merge its values",
        )


def _numbers(X, columns):
    """Return columns of X as float64."""
    if not is_frame(X):
        return np.asarray(X[:, columns], dtype="float64")
    values = np.empty((len(X), len(columns)))
    for i, j in enumerate(columns):
        values[:, i] = X.iloc[:, j].to_numpy(dtype="float64")
    return values


def _distinct(values):
    """Return distinct values, sorted if they can be, otherwise in order of appearance."""
    found = [to_python(value) for value in dict.fromkeys(np.asarray(values, dtype=object))]
    try:
        return sorted(found)
    except TypeError:
        return found


def _limits(values):
    """Return the extremes of an integer column that float64 cannot represent, otherwise None."""
    if values.dtype == object:
        if all(isinstance(value, (int, np.integer)) for value in values):
            return int(min(values)), int(max(values))
        return None
    low, high = values.min(), values.max()
    if isinstance(to_python(low), int) and max(abs(int(low)), abs(int(high))) > _EXACT:
        return int(low), int(high)
    return None
