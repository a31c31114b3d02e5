"""Keras models of the user's as classifiers of images or rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from melanet.utils._keras import keras_scope

_WRAPPER = "keras.wrappers.SKLearnClassifier(model, fit_kwargs={...})"


class KerasClassifier(ClassifierMixin, BaseEstimator):
    """The model in a ``keras.wrappers.SKLearnClassifier``, trained as it asks.

    The wrapper itself takes no images, loses ``fit_kwargs`` when it is cloned, and teaches a model
    of one output nothing, as its targets have two columns.

    Parameters
    ----------
    model : keras.Model or callable
        Compiled model, which is cloned; or a function of ``X``, ``y`` (one-hot) and
        `model_kwargs` that returns one.
    model_kwargs, fit_kwargs : dict or None, default=None
        Further arguments of that function, and of ``Model.fit``.
    random_state : int, default=0
        Seed of the initial weights.
    """

    def __init__(
        self,
        model: Any,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ):
        self.model = model
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    def __sklearn_clone__(self) -> KerasClassifier:
        # Models are copied when they are trained.
        return type(self)(**self.get_params(deep=False))

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> KerasClassifier:
        """Train a new copy of the model.

        Raises
        ------
        ValueError
            If the model is not compiled, or has another number of outputs than there are classes.
        """
        X = np.asarray(X)
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        one_hot = np.eye(len(self.classes_), dtype="float32")[codes]
        with keras_scope(self.random_state):
            if isinstance(self.model, keras.Model):
                model = keras.models.clone_model(self.model)
                if self.model.compiled and not model.compiled:
                    model.compile_from_config(self.model.get_compile_config())
            else:
                model = self.model(X=X, y=one_hot, **(self.model_kwargs or {}))
        if not model.compiled or not model.loss:
            raise ValueError(f"A Keras model must be compiled with a loss: {_WRAPPER}")
        n_outputs = model.output_shape[-1] if model.built else len(self.classes_)
        if n_outputs not in (len(self.classes_), 1) or (n_outputs == 1 and len(one_hot[0]) > 2):
            raise ValueError(
                f"A Keras model must have an output for each of the {len(self.classes_)} classes, "
                f"or one for the second of two. Received: {n_outputs} outputs"
            )
        target = one_hot if n_outputs > 1 else one_hot[:, 1:]
        if "sparse" in _name_of(model.loss):
            target = codes
        options = {"verbose": 0, **(self.fit_kwargs or {})}
        weights = None if sample_weight is None else np.asarray(sample_weight)
        model.fit(X, target, sample_weight=weights, **options)
        self.model_ = model
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities of shape (n, n_classes)."""
        values = np.asarray(self.model_.predict(np.asarray(X), verbose=0), float)
        if values.ndim == 1 or values.shape[1] == 1:
            values = np.stack([1 - values.reshape(-1), values.reshape(-1)], axis=1)
        return values


def _name_of(loss):
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))
