"""Estimators of a comparison: the input, weights and probabilities of each."""

import keras
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from melanet.comparison._data import Data
from melanet.comparison._estimators import make_models
from melanet.comparison._remedies import TrainingSet

NETWORK = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
PARTS = np.arange(40, 60), np.arange(60, 80)


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(80, 4, weights=[0.7], random_state=0)
    return Data(X, np.where(y == 1, "b", "a"))


def predicted(estimator, data, **options):
    """Return the probabilities of the last 20 rows after a fit of the first 40."""
    (model,) = make_models({"m": estimator}, data)
    training = TrainingSet(np.arange(40), **options)
    return model.predict(data, model.prepare(data.X), training, None, PARTS, 0)[1]


@pytest.mark.parametrize(
    ("estimator", "weighted"),
    [
        (LogisticRegression(), LogisticRegression(class_weight="balanced")),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
        ),
    ],
)
def test_class_weights_are_those_of_the_last_step(data, estimator, weighted):
    found = predicted(estimator, data, balanced=True)
    expected = weighted.fit(data.X[:40], data.labels[:40]).predict_proba(data.X[60:])
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.abs(predicted(estimator, data) - expected).max() > 0.01


def test_samples_are_weighted_where_classes_cannot_be(data):
    labels = data.labels[:40]
    weights = np.where(labels == "b", 40 / (2 * (labels == "b").sum()), 0)
    weights += np.where(labels == "a", 40 / (2 * (labels == "a").sum()), 0)
    expected = GaussianNB().fit(data.X[:40], labels, weights).predict_proba(data.X[60:])
    np.testing.assert_allclose(predicted(GaussianNB(), data, balanced=True), expected)


class Turned(ClassifierMixin, BaseEstimator):
    """Classifier whose columns are in another order; a value of None is not finite."""

    def __init__(self, value=0.9):
        self.value = value

    def fit(self, X, y):
        self.classes_ = np.unique(y)[::-1]
        return self

    def predict_proba(self, X):
        return np.tile([np.nan if self.value is None else self.value, 0.1], (len(X), 1))


def test_columns_are_found_by_their_class(data):
    assert predicted(Turned(), data)[0].tolist() == [0.1, 0.9]
    with pytest.raises(ValueError, match="not finite"):
        predicted(Turned(None), data)


def test_the_small_network_sees_large_images_reduced():
    X = np.random.default_rng(0).integers(0, 256, (40, 96, 128, 3), dtype="uint8")
    (model,) = make_models("small network", Data(X, np.repeat([0, 1], [30, 10])))
    assert model.estimator.input_size == (64, 85)
    assert model.estimator.augment
    (small,) = make_models("small network", Data(X[:, :20, :10], np.repeat([0, 1], [30, 10])))
    assert small.estimator.input_size == (20, 10)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (NETWORK, "SKLearnClassifier"),
        (LogisticRegression, "must be a classifier as scikit-learn has them"),
        (Ridge(), "must have predict_proba"),
        (keras.wrappers.SKLearnRegressor(NETWORK), "must be a classifier"),
        ("frozen features", "'gradient boosting' and 'logistic regression'"),
    ],
)
def test_estimators_that_cannot_be_compared_are_refused(data, estimator, message):
    with pytest.raises(ValueError, match=message):
        make_models({"m": estimator} if not isinstance(estimator, str) else estimator, data)
