"""Rows of a table, numeric and categorical, as the user holds them."""

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from melanet.preprocessing._containers import column, column_name, dense, is_frame
from melanet.utils._validation import to_python

_EXACT = 2**53  # float64 holds all whole numbers up to here


class TableForm:
    """Rows of a table, scaled by column.

    Each numeric column goes to [-1, 1] by its empirical distribution
    (`sklearn.preprocessing.QuantileTransformer`), which outliers and skew do not disturb. The
    way back interpolates between values seen in fit, so synthetic values stay within a column's
    range; whole-number columns stay whole. A categorical column becomes as many numbers as it
    has categories, 1 for the row's own and -1 for the others; on the way back the largest wins,
    so only categories seen in fit come out.

    Parameters
    ----------
    quantiles : array-like of shape (n_quantiles, n_numeric)
        Values of each numeric column at equally spaced quantiles.
    whole : array-like of shape (n_numeric,)
        Numeric columns that hold whole numbers only.
    dtype : str
        The user's dtype; "object" where columns differ.
    categories : list of (list or None) or None, default=None
        For each column its categories, None for a numeric one. None if all are numeric.
    limits : list of ((int, int) or None) or None, default=None
        For each numeric column of whole numbers that float64 or the dtype does not keep, its
        smallest and largest value.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing._table_form import TableForm
    >>> X = np.array([[1, "yes"], [4, "no"], [9, "no"]], dtype=object)
    >>> form = TableForm.of(X, categorical=[1])
    >>> form.tensor_shape
    (3,)
    >>> form.decode(form.encode(X)).tolist()
    [[1, 'yes'], [4, 'no'], [9, 'no']]
    """

    kind = "table"

    def __init__(self, quantiles, whole, dtype, categories=None, limits=None):
        self.quantiles = np.asarray(quantiles, "float64")
        self.whole = np.asarray(whole, bool)
        self.dtype = np.dtype(dtype)
        self.categories = list(categories or [None] * len(self.whole))
        self.limits = list(limits or [None] * len(self.whole))
        self._numeric = [j for j, known in enumerate(self.categories) if known is None]
        self._codes = [
            known and {value: i for i, value in enumerate(known)} for known in self.categories
        ]
        scaler = QuantileTransformer(n_quantiles=len(self.quantiles))
        scaler.n_features_in_ = self.quantiles.shape[1]
        scaler.n_quantiles_ = len(self.quantiles)
        scaler.quantiles_ = self.quantiles
        scaler.references_ = np.linspace(0, 1, len(self.quantiles))
        self._scaler = scaler

    @classmethod
    def of(cls, X, categorical=(), max_quantiles=256):
        """Read the form off a table.

        Parameters
        ----------
        X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
            The rows, without missing values.
        categorical : sequence of int, default=()
            Columns that hold categories.
        max_quantiles : int, default=256
            The most values by which a column's distribution is remembered.

        Returns
        -------
        TableForm
        """
        X = X if is_frame(X) else dense(X)
        chosen = set(categorical)
        numeric = [j for j in range(X.shape[1]) if j not in chosen]
        values = _numbers(X, numeric)
        levels = np.linspace(0, 1, min(max_quantiles, len(values)))
        whole = (values == np.rint(values)).all(axis=0)
        limits = [_limits(column(X, j)) if w else None for j, w in zip(numeric, whole)]
        categories = [_distinct(column(X, j)) if j in chosen else None for j in range(X.shape[1])]
        mixed = is_frame(X) and (chosen or any(limits))
        dtype = "object" if mixed else "float64" if is_frame(X) else X.dtype
        return cls(np.quantile(values, levels, axis=0), whole, dtype, categories, limits)

    @property
    def tensor_shape(self):
        """Tuple of int: shape of one encoded sample."""
        return (sum(1 if known is None else len(known) for known in self.categories),)

    def encode(self, X):
        """Return ``(n, width)`` float32 in [-1, 1]: numeric columns first, then categories.

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
        blocks = []
        if self._numeric:
            blocks.append(self._scaler.transform(_numbers(X, self._numeric)) * 2 - 1)
        for j, codes in enumerate(self._codes):
            if codes is not None:
                blocks.append(np.eye(len(codes))[self._encode_column(X, j)] * 2 - 1)
        return np.concatenate(blocks, axis=1).astype("float32")

    def _encode_column(self, X, j):
        codes, values = self._codes[j], np.asarray(column(X, j), dtype=object)
        unknown = list(dict.fromkeys(value for value in values if value not in codes))
        if unknown:
            raise ValueError(
                f"Column {column_name(X, j)} must hold categories that were seen in fit, such as "
                f"{list(codes)[:5]}. Received: {unknown[:5]}"
            )
        return np.array([codes[value] for value in values], dtype=int)

    def decode(self, tensor):
        """Return rows in the user's dtype."""
        tensor = np.clip(tensor, -1.0, 1.0)
        n_numeric = len(self._numeric)
        numbers = np.zeros((len(tensor), n_numeric))
        if numbers.size:  # scikit-learn's scaler refuses what is empty
            unit = (tensor[:, :n_numeric].astype("float64") + 1) / 2
            numbers = self._scaler.inverse_transform(unit)
        chosen, start = {}, n_numeric
        for j, known in enumerate(self.categories):
            if known is not None:
                chosen[j] = tensor[:, start : start + len(known)].argmax(axis=1)
                start += len(known)
        return self._assemble(numbers, chosen)

    def between(self, first, second, share):
        """Return rows on the line from one row to another.

        Parameters
        ----------
        first, second : DataFrame or ndarray of shape (n, n_columns)
            Rows in the user's form.
        share : ndarray of shape (n,)
            Part of the way, in [0, 1]. A category is that of the nearer end.

        Returns
        -------
        ndarray of shape (n, n_columns)
            As `decode` returns.
        """
        start, stop = (_numbers(X, self._numeric) for X in (first, second))
        # Weighted, not start + share * (stop - start): the difference of two may overflow.
        numbers = start * (1 - share[:, None]) + stop * share[:, None]
        chosen = {
            j: np.where(share < 0.5, self._encode_column(first, j), self._encode_column(second, j))
            for j, codes in enumerate(self._codes)
            if codes is not None
        }
        return self._assemble(np.clip(numbers, *self._range), chosen)

    @property
    def _range(self):
        return self.quantiles[0], self.quantiles[-1]

    def _assemble(self, numbers, chosen):
        """Join numeric columns and the numbers of categories, in the user's order and dtype."""
        numbers[:, self.whole] = np.rint(numbers[:, self.whole])
        if not chosen and not any(self.limits):
            return numbers.astype(self.dtype)
        rows = np.empty((len(numbers), len(self.categories)), dtype=object)
        for i, j in enumerate(self._numeric):
            rows[:, j] = numbers[:, i]
            if self.limits[i]:
                low, high = self.limits[i]
                rows[:, j] = [min(max(int(value), low), high) for value in numbers[:, i]]
            elif self.whole[i]:
                rows[:, j] = [int(value) for value in numbers[:, i]]
        for j, codes in chosen.items():
            known = np.empty(len(self.categories[j]), dtype=object)
            known[:] = self.categories[j]
            rows[:, j] = known[codes]
        return rows.astype(self.dtype)

    def to_config(self):
        """Return what JSON can hold of it.

        Raises
        ------
        ValueError
            If a category is neither text, a number nor a truth value.
        """
        for j, known in enumerate(self.categories):
            unfit = [v for v in known or () if not isinstance(v, (str, int, float))]
            if unfit:
                raise ValueError(
                    f"Categories must be text, numbers or booleans to be written to a file. "
                    f"Received: {unfit[0]!r} in column {j}"
                )
        return {
            "kind": self.kind,
            "quantiles": self.quantiles.tolist(),
            "whole": self.whole.tolist(),
            "dtype": self.dtype.str,
            "categories": self.categories,
            "limits": self.limits,
        }


def _numbers(X, columns):
    """Return numeric columns as float64."""
    if not is_frame(X):
        return np.asarray(X[:, columns], dtype="float64")
    values = np.empty((len(X), len(columns)))
    for i, j in enumerate(columns):
        values[:, i] = X.iloc[:, j].to_numpy(dtype="float64")
    return values


def _distinct(values):
    """Return the distinct values in order; where they have no order, as they first come."""
    found = [to_python(value) for value in dict.fromkeys(np.asarray(values, dtype=object))]
    try:
        return sorted(found)
    except TypeError:
        return found


def _limits(values):
    """Return the ends of a column of whole numbers, where float64 or the dtype loses them."""
    if values.dtype == object:
        if all(isinstance(value, (int, np.integer)) for value in values):
            return int(min(values)), int(max(values))
        return None
    low, high = values.min(), values.max()
    if isinstance(to_python(low), int) and max(abs(int(low)), abs(int(high))) > _EXACT:
        return int(low), int(high)
    return None
