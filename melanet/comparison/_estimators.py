"""Classifiers of a comparison, and how each gets its samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import ThreadpoolController

from melanet.comparison._data import Data, flatten, join
from melanet.comparison._keras_classifier import KerasClassifier
from melanet.comparison._remedies import NotApplicable, TrainingSet, seeded, smote
from melanet.preprocessing import ImageForm, take
from melanet.utils._labels import match_labels

FEATURES, NETWORK = "frozen features", "small network"
BOOSTING, REGRESSION = "gradient boosting", "logistic regression"
_SIDE = 64  # pixels; larger images are reduced for the small network
_SMALL = 1_000_000  # values of a training set on which one thread works
_CHUNK = 256  # images whose features are computed at a time
# Of standardised features; as for the guide, a weak regression suits a few hundred images.
_STRENGTH = 1e-2


@dataclass
class Model:
    """A classifier under comparison.

    Parameters
    ----------
    name : str
        Its name in the results.
    estimator : object
        Unfitted classifier.
    prepare : callable
        From samples in the form of X to the classifier's input.
    uses_features : bool, default=False
        Whether that input are features of a frozen network.
    in_process : bool, default=False
        Whether it must run in the caller's process, as networks do.
    """

    name: str
    estimator: Any
    prepare: Callable[[Any], Any]
    uses_features: bool = False
    in_process: bool = False

    def predict(
        self,
        data: Data,
        base: Any,
        training: TrainingSet,
        prepared: Any,
        parts: tuple[NDArray[np.intp], NDArray[np.intp]],
        seed: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fit the classifier and return its probabilities for the rows of two parts.

        Parameters
        ----------
        data : Data
            All samples.
        base : array
            All samples, prepared.
        training : TrainingSet
            The training set; `prepared` are its new samples, prepared, or None.
        parts : (ndarray of int, ndarray of int)
            Rows for thresholds, and for testing.
        seed : int
            Seed of the classifier.

        Returns
        -------
        threshold, test : ndarray of shape (n, n_classes)
            Probabilities in the order of ``data.classes``.
        """
        X, y = take(base, training.rows), data.labels[training.rows]
        if training.in_features:
            if not self.uses_features:
                raise NotApplicable("the estimator uses no features of images")
            made, codes = smote(X, data.codes[training.rows], seed, [])
            X, y = join(X, made), np.concatenate([y, data.classes[codes]])
        elif prepared is not None:
            X, y = join(X, prepared), np.concatenate([y, training.labels])
        estimator = seeded(self.estimator, seed)
        options: dict[str, Any] = {}
        if training.balanced:
            options = _weight_classes(estimator, y)
        if _takes_validation(estimator) and len(parts[0]):
            # Real samples decide when to stop, not copies of the training samples.
            options["validation_data"] = (take(base, parts[0]), data.labels[parts[0]])
        # Threads that wait for each other take longer than the work on a small set.
        alone = _thread_pools().limit(limits=1) if _is_small(X) else nullcontext()
        with alone:
            estimator.fit(X, y, **options)
            found = [_probabilities(estimator, take(base, rows), data.classes) for rows in parts]
        return found[0], found[1]


def make_models(estimator: Any, data: Data) -> list[Model]:
    """Return the classifiers to compare.

    Parameters
    ----------
    estimator : object, str, list, dict or None
        A classifier; a name of a built-in one, such as "small network"; several of these; or
        name -> classifier. None takes the default for the data.
    data : Data
        The samples.

    Raises
    ------
    ValueError
        If an estimator gives no probabilities, or names collide.
    """
    if estimator is None:
        names = [BOOSTING, REGRESSION]
        if data.is_images:
            found = _frozen_features(data)
            return [found or _small_network(data)]
        return [_built_in(name, data) for name in names]
    if isinstance(estimator, Mapping):
        pairs = list(estimator.items())
    else:
        listed = list(estimator) if isinstance(estimator, (list, tuple)) else [estimator]
        pairs = [(one if isinstance(one, str) else _name_of(one), one) for one in listed]
    if not pairs:
        raise ValueError("estimator must hold one classifier or more. Received: none")
    keys = [str(name).casefold() for name, _ in pairs]
    twice = [str(name) for name, _ in pairs if keys.count(str(name).casefold()) > 1]
    if twice:
        raise ValueError(
            f"estimator must have names that differ. Received: {twice[0]!r} twice. Pass a dict, "
            "name -> classifier"
        )
    return [
        _built_in(one, data) if isinstance(one, str) else _of_user(str(name), one, data)
        for name, one in pairs
    ]


def _name_of(estimator):
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__


def _built_in(name, data):
    if data.is_images and name == NETWORK:
        return _small_network(data)
    if data.is_images and name == FEATURES:
        found = _frozen_features(data)
        if found is None:
            raise ValueError(
                f"estimator={name!r} needs ImageNet weights of VGG16 in Keras' cache, and images "
                "of one channel or three. melanet.features.find_features('imagenet', shape) "
                f"downloads them; or use {NETWORK!r}"
            )
        return found
    if not data.is_images and name in (BOOSTING, REGRESSION):
        return _of_table(name, data)
    known = (FEATURES, NETWORK) if data.is_images else (BOOSTING, REGRESSION)
    raise ValueError(
        f"estimator must be a classifier or one of {' and '.join(map(repr, known))}. "
        f"Received: {name!r}"
    )


def _of_user(name, estimator, data):
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise ValueError(
            "estimator must be a classifier as scikit-learn has them. Received: "
            f"{estimator!r} for {name!r}"
        )
    keras_model = _is_keras_model(estimator)
    wrapped = type(estimator).__module__.startswith("keras") and not keras_model
    if keras_model:
        raise ValueError(
            "estimator must be fitted anew in every fold: wrap a Keras model as "
            f"keras.wrappers.SKLearnClassifier(model, fit_kwargs={{...}}). Received: {name!r}"
        )
    if wrapped and is_classifier(estimator):
        estimator = KerasClassifier(estimator.model, estimator.model_kwargs, estimator.fit_kwargs)
        return Model(name, estimator, _unchanged, in_process=True)
    if not wrapped and not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"estimator must have predict_proba, since ranks and thresholds need it. Received: "
            f"{name!r}, which has none. Wrap it in sklearn.calibration.CalibratedClassifierCV"
        )
    if not is_classifier(estimator):
        raise ValueError(f"estimator must be a classifier. Received: {name!r}, {estimator!r}")
    as_rows = data.is_images and not _takes_images(estimator)
    network = hasattr(estimator, "from_pretrained")
    return Model(name, estimator, flatten if as_rows else _unchanged, in_process=network)


def _is_keras_model(estimator):
    return any(cls.__module__.startswith("keras.src.models") for cls in type(estimator).__mro__)


def _takes_images(estimator):
    try:
        return bool(get_tags(estimator).input_tags.three_d_array)
    except Exception:  # any classifier may be given
        return False


def _unchanged(X):
    return X


def _frozen_features(data):
    from melanet.features import find_features

    assert isinstance(data.form, ImageForm)
    form = data.form
    network = find_features("auto", form.image_shape)
    if network is None:
        return None

    def prepare(X):
        parts = [
            network.pooled(form.encode(X[start : start + _CHUNK]))
            for start in range(0, len(X), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 1), "float32")

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=1000))
    return Model(FEATURES, classifier, prepare, uses_features=True, in_process=True)


def _small_network(data):
    from melanet.classifier import MelaNet

    height, width = data.form.image_shape[:2]
    factor = max(1.0, min(height, width) / _SIDE)
    size = max(8, round(height / factor)), max(8, round(width / factor))
    network = MelaNet(
        backbone="small",
        input_size=size,
        value_range=data.form.value_range,
        augment=True,
        epochs=40,
        random_state=0,
    )
    return Model(NETWORK, network, _unchanged, in_process=True)


def _of_table(name, data):
    columns = data.categorical
    if name == BOOSTING:
        boosting = HistGradientBoostingClassifier(random_state=0)
        if not columns:
            return Model(name, boosting, _unchanged)
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=math.nan, encoded_missing_value=-1
        )
        encode = make_column_transformer((ordinal, columns), remainder="passthrough")
        boosting.set_params(categorical_features=list(range(len(columns))))
        return Model(name, make_pipeline(encode, boosting), _unchanged)
    regression = LogisticRegression(max_iter=1000)
    if not columns:
        return Model(name, make_pipeline(StandardScaler(), regression), _unchanged)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), columns), remainder=StandardScaler()
    )
    return Model(name, make_pipeline(encode, regression), _unchanged)


@cache
def _thread_pools():
    return ThreadpoolController()  # looks through all loaded libraries


def _is_small(X):
    return len(X.shape) == 2 and X.shape[0] * X.shape[1] < _SMALL


def _takes_validation(estimator):
    return has_fit_parameter(estimator, "validation_data")


def _weight_classes(estimator, y):
    """Let an estimator weight classes; return further arguments of its fit."""
    params = estimator.get_params(deep=True)
    last = getattr(estimator, "steps", [("", estimator)])[-1]
    name = f"{last[0]}__class_weight" if last[0] else "class_weight"
    if name in params:
        estimator.set_params(**{name: "balanced"})
        return {}
    if not last[0] and has_fit_parameter(estimator, "sample_weight"):
        from sklearn.utils.class_weight import compute_sample_weight

        return {"sample_weight": compute_sample_weight("balanced", y)}
    raise NotApplicable("the estimator takes neither class_weight nor sample_weight")


def _probabilities(estimator, X, classes):
    if not len(X):
        return np.zeros((0, len(classes)))
    values = np.asarray(estimator.predict_proba(X), float)
    if not np.isfinite(values).all():
        raise ValueError("predict_proba returned values that are not finite")
    own = getattr(estimator, "classes_", classes)
    result = np.zeros((len(values), len(classes)))
    result[:, match_labels("classes_ of the estimator", own, "classes of y", classes)] = values
    return result
