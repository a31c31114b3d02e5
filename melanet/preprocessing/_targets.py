"""Labels in any container: a vector, a column or one-hot columns."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from melanet.preprocessing._containers import is_frame
from melanet.utils._validation import check_unmasked, join_names

_MOST_NAMED = 10  # rows that a message lists


class Targets:
    """Labels of fit, and a way to return others in their container.

    Parameters
    ----------
    y : array-like of shape (n,), (n, 1) or (n, n_classes)
        Labels, or one-hot columns with a single 1 in each row.

    Attributes
    ----------
    labels : array-like of shape (n,)
        The labels; of one-hot columns, the positions of the ones.

    Raises
    ------
    ValueError
        If y is masked, or the rows of zeros and ones are not one-hot.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import Targets
    >>> targets = Targets(np.array([[1, 0], [0, 1]]))
    >>> targets.labels.tolist(), targets.restore(np.array([0, 1, 1])).tolist()
    ([0, 1], [[1, 0], [0, 1], [0, 1]])
    """

    def __init__(self, y: Any):
        check_unmasked("y", y)
        self._y, self.labels = y, y
        columns = y.toarray() if sparse.issparse(y) else y
        columns = np.asarray(columns) if is_two_dimensional(columns) else np.zeros(0)
        self._n_columns = columns.shape[1] if columns.ndim == 2 else 0
        if self._n_columns == 1 and not is_frame(y):
            check_classification_targets(columns[:, 0])
            self.labels = columns[:, 0]
        elif self._n_columns > 1 and np.isin(columns, (0, 1)).all():
            ones = columns.astype(bool).sum(axis=1)
            if (ones != 1).any():
                rows = join_names(np.flatnonzero(ones != 1).tolist(), _MOST_NAMED)
                raise ValueError(
                    "y with several columns must be one-hot, with a single 1 in each row; "
                    "multilabel targets are not supported. Received: none or several in the "
                    f"rows {rows}"
                )
            self.labels = columns.astype(bool).argmax(axis=1)
        else:
            self._n_columns = 0

    def restore(self, labels: Any, index: Any = None) -> Any:
        """Return labels in the container of y.

        Parameters
        ----------
        labels : array-like of shape (n,)
            Labels as in `labels`; imbalanced-learn has already made a Series or list of a vector.
        index : pandas.Index or None, default=None
            Index of a DataFrame.
        """
        y = self._y
        if not self._n_columns:
            return tuple(np.asarray(labels).tolist()) if isinstance(y, tuple) else labels
        if is_frame(y):
            if self._n_columns == 1:
                return labels
            import pandas as pd

            ones = np.eye(self._n_columns, dtype=int)[np.asarray(labels)]
            return pd.DataFrame(ones, index=index, columns=y.columns).astype(y.dtypes)
        if self._n_columns == 1:
            result = np.asarray(labels)[:, None]
        else:
            dtype = y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype
            result = np.eye(self._n_columns, dtype=dtype)[np.asarray(labels)]
        if sparse.issparse(y):
            return type(y)(result)
        return type(y)(result.tolist()) if isinstance(y, (list, tuple)) else result


def is_two_dimensional(y: Any) -> bool:
    """Return whether y has rows, not labels; ragged rows are left to a later check."""
    try:
        return np.ndim(y) == 2
    except ValueError:
        return False
