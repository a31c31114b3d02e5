"""The user's samples, labels and groups, checked once for all fits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from melanet.over_sampling import GANOversampler
from melanet.preprocessing import (
    ImageForm,
    TableForm,
    Targets,
    categorical_columns,
    check_samples,
    dense,
    is_frame,
    read_form,
    take,
)
from melanet.utils._labels import check_spelling, label_texts
from melanet.utils._validation import to_python


class Data:
    """Samples, labels and groups.

    Parameters
    ----------
    X : array-like of n samples
        Images or rows of a table, in any container that `melanet.GANOversampler` takes.
    y : array-like of shape (n,)
        Labels.
    groups : array-like of shape (n,) or None
        Group of each sample.
    value_range : (float, float) or None
        Limits of the pixel values.

    Attributes
    ----------
    X : ndarray or DataFrame
        Samples.
    labels, classes, codes : ndarray
        Labels of the samples; each label once, sorted; and positions in `classes`.
    positive : int or None
        Position of the rarer of two classes; None for more classes.
    groups : ndarray of str or None
        Texts of the groups.
    form : ImageForm or TableForm
        Form of X.
    categorical : list of int
        Categorical columns of a table.

    Raises
    ------
    ValueError
        If X, y or groups are invalid, or there is one class only.
    """

    def __init__(self, X: Any, y: Any, groups: ArrayLike | None = None, value_range: Any = None):
        targets = Targets(y)
        labels = np.asarray(targets.labels)
        if labels.ndim != 1:
            raise ValueError(
                f"y must have shape (n,), or be one-hot columns. Received: shape {labels.shape}"
            )
        check_spelling("y", labels)
        self.X = check_samples(GANOversampler(), X, reset=True)
        self.X = self.X if is_frame(self.X) else dense(self.X)
        check_consistent_length(self.X, labels)
        self.labels = labels
        self.classes, codes = np.unique(labels, return_inverse=True)
        self.codes = codes.reshape(-1)
        if len(self.classes) < 2:
            raise ValueError(
                "y must hold two classes or more. Received: only "
                f"{to_python(self.classes[0])!r}, {len(labels)} times"
            )
        counts = np.bincount(self.codes)
        self.positive = None
        if len(counts) == 2:
            # Of two equally large classes the second, as usual.
            self.positive = int(counts[1] <= counts[0])
        self.groups: NDArray[Any] | None = None
        if groups is not None:
            if np.shape(groups) != (len(labels),):
                raise ValueError(
                    f"groups must have one entry for each of the {len(labels)} samples. Received: "
                    f"shape {np.shape(groups)}"
                )
            self.groups = np.array(label_texts("groups", np.asarray(groups)))
        is_table = len(self.X.shape) == 2
        self.categorical = categorical_columns(self.X) if is_table else []
        self.form: ImageForm | TableForm = read_form(
            self.X, None, value_range, categorical=self.categorical
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_images(self) -> bool:
        """Whether the samples are images."""
        return isinstance(self.form, ImageForm)

    def counts(self) -> dict[Any, int]:
        """Return label -> number of samples."""
        return dict(zip(self.classes.tolist(), np.bincount(self.codes).tolist()))

    def rarest(self) -> int:
        """Return the code of the rarest class."""
        return int(np.bincount(self.codes).argmin())

    def take(self, rows: NDArray[np.intp]) -> Any:
        """Return samples in the container of X."""
        return take(self.X, rows)


def join(first: Any, second: Any) -> Any:
    """Return samples followed by others of the same container."""
    if is_frame(first):
        import pandas as pd

        return pd.concat([first, second], ignore_index=True)
    if len(second) == 0:
        return first
    return np.concatenate([first, np.asarray(second)])


def flatten(X: Any) -> Any:
    """Return images as rows of pixels; rows of a table as they are."""
    return X if len(X.shape) == 2 else np.asarray(X).reshape(len(X), -1)
