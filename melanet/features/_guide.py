"""A guide: which class the features of an image speak for, learnt on real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from melanet.features._networks import WORKING_SIDE, FeatureNetwork, find_features
from melanet.features._small_networks import DEFAULT_STEPS, train_small_networks
from melanet.images._augmentation import Jitter
from melanet.utils._typing import PathLike

_N_HEADS = 3
_N_VERSIONS = 4  # changed copies of each real image that the heads learn from
_REGULARIZATION = 1e-3  # inverse strength, as scikit-learn's C, for standardised features
_MAX_IMAGES = 1000  # real images of each class that are learnt from


@dataclass(frozen=True)
class ClassGuide:
    """Score how much images look like class B rather than class A, as gradients can follow.

    Several logistic regressions on the averages of a frozen network's maps, each fitted without a
    third of the real images, which measure its quality.

    Parameters
    ----------
    network : FeatureNetwork
        Frozen network.
    weights : ndarray of shape (n_features, n_heads), float32
        Coefficients of the regressions, for the averages as they are.
    biases : ndarray of shape (n_heads,), float32
        Their intercepts.
    scales : ndarray of shape (n_maps,), float32
        Factors that bring the maps to unit variance.
    colours : (ndarray of shape (c,), ndarray of shape (c, c)), float32
        Mean of the colours of both classes, and the matrix that whitens them.
    auc : float
        Area under the ROC curve on real images that the regression had not seen.
    """

    network: FeatureNetwork
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    scales: NDArray[np.float32]
    colours: tuple[NDArray[np.float32], NDArray[np.float32]]
    auc: float

    @property
    def structure(self) -> tuple[Any, ...]:
        """All that a compiled model depends on."""
        return *self.network.structure, self.weights.shape

    @property
    def map_shapes(self) -> list[tuple[int, ...]]:
        """Shapes (h, w, c) of the maps."""
        return [tuple(output.shape[1:]) for output in self.network.model.outputs]

    def build(self) -> tuple[keras.Model, keras.Model]:
        """Return new frozen models: images to scaled maps, and those to logits."""
        trunk = self.network.build()
        maps = [_Scale(name=f"scale{i}")(x) for i, x in enumerate(trunk.outputs)]
        features = keras.Model(trunk.inputs[0], maps)
        inputs = [keras.Input(x.shape[1:]) for x in maps]
        pooled = [layers.GlobalAveragePooling2D(data_format="channels_last")(x) for x in inputs]
        joined = layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
        logits = layers.Dense(self.weights.shape[1], dtype="float32", name="logits")(joined)
        scorer = keras.Model(inputs, logits)
        features.trainable = scorer.trainable = False
        return features, scorer

    def assign(self, features: keras.Model, scorer: keras.Model) -> None:
        """Copy the weights into models that `build` returned.

        Parameters
        ----------
        features, scorer : keras.Model
            The two models.
        """
        places = dict(zip([f"scale{i}" for i in range(len(self.scales))], self.scales))
        own = iter(self.network.model.variables)
        for layer in features.layers:
            if layer.name in places:
                layer.scale.assign(places[layer.name])
            else:
                for variable in layer.variables:
                    # A copy: JAX would share the buffer, and give it away in the next step.
                    variable.assign(ops.copy(ops.convert_to_tensor(next(own))))
        widths = [output.shape[-1] for output in self.network.model.outputs]
        weights = self.weights / np.repeat(self.scales, widths)[:, None]
        scorer.layers[-1].set_weights([weights, self.biases])

    def logits(self, images: np.ndarray) -> NDArray[np.float32]:
        """Return the mean logit of class B of each image.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C), float32
            Images in [-1, 1].

        Returns
        -------
        ndarray of shape (n,), float32
        """
        values: NDArray[np.float32] = self.network.pooled(images) @ self.weights + self.biases
        return values.mean(axis=1)


class _Scale(layers.Layer):
    """Multiply a map by a fixed number."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones", trainable=False)

    def call(self, inputs):
        return inputs * ops.cast(self.scale, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


def fit_guide(
    A: Any,
    B: Any,
    *,
    side: int = WORKING_SIDE,
    features: str | PathLike | keras.Model | FeatureNetwork | None = "auto",
    flip: str | None = None,
    steps: int = DEFAULT_STEPS,
    seed: int = 0,
) -> ClassGuide:
    """Fit a guide from class A to class B on real images.

    Parameters
    ----------
    A, B : sources of shape (n_a, H, W, C) and (n_b, H, W, C)
        Images of the two classes in [-1, 1], in memory or in files. At most 1,000 of each are
        used.
    side : int, default=64
        Side, in pixels, that larger images are reduced to.
    features : {"auto", "imagenet"}, path-like, keras.Model, FeatureNetwork or None, \
default="auto"
        Frozen network, see `find_features`. Where there is none, small networks are trained on A
        and B.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror images that belong to the same class.
    steps : int, default=400
        Training steps of the small networks.
    seed : int, default=0
        Seed of everything.

    Returns
    -------
    ClassGuide

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.features import fit_guide
    >>> rng = np.random.default_rng(0)
    >>> A, B = (rng.uniform(low, low + 1, (8, 16, 16, 1)).astype("float32") for low in (-1, 0))
    >>> guide = fit_guide(A, B, features=None, steps=40)
    >>> bool(guide.logits(B).mean() > guide.logits(A).mean())
    True
    """
    rng = np.random.default_rng([seed, 17])
    A, B = (_draw(images, rng) for images in (A, B))
    network = find_features(features, A.shape[1:], side)
    if network is None:
        network = train_small_networks(A, B, side=side, flip=flip, steps=steps, seed=seed)
    jitter = Jitter(flip=flip)
    values = [
        np.stack([network.pooled(jitter(images, rng)) for _ in range(_N_VERSIONS)])
        for images in (A, B)
    ]
    folds = network.folds or _folds((A, B), rng)
    columns = network.columns or [np.arange(values[0].shape[-1])] * _N_HEADS
    weights, biases, scores, truth = [], [], [], []
    for own, held in zip(columns, folds, strict=True):
        rest = [
            np.setdiff1d(np.arange(v.shape[1]), rows)
            if v.shape[1] > len(folds)
            else np.arange(v.shape[1])
            for v, rows in zip(values, held)
        ]
        training = [v[:, rows][..., own].reshape(-1, len(own)) for v, rows in zip(values, rest)]
        coefficients, intercept = _regress(*training)
        whole = np.zeros(values[0].shape[-1])
        whole[own] = coefficients
        weights.append(whole)
        biases.append(intercept)
        for code, (v, rows) in enumerate(zip(values, held)):
            scores += (v[0, rows] @ whole + intercept).tolist()
            truth += [code] * len(rows)
    measurable = len(set(truth)) == 2
    return ClassGuide(
        network,
        np.stack(weights, axis=1).astype("float32"),
        np.array(biases, "float32"),
        np.array([1 / max(float(m.std()), 1e-6) for m in network.maps(B[:32])], "float32"),
        _colours(A, B),
        float(roc_auc_score(truth, scores)) if measurable else float("nan"),
    )


def _colours(*classes):
    """Return mean and whitening matrix of the colours, with the same weight for each class."""
    pixels = [images.reshape(-1, images.shape[-1]).astype("float64") for images in classes]
    mean = np.mean([x.mean(axis=0) for x in pixels], axis=0)
    covariance = np.mean([(x - mean).T @ (x - mean) / len(x) for x in pixels], axis=0)
    covariance += 1e-4 * np.eye(len(mean))  # grey images, saved in colour, vary in one way
    whitening = np.linalg.cholesky(np.linalg.inv(covariance))
    return mean.astype("float32"), whitening.astype("float32")


def _draw(images, rng):
    n = images.shape[0]
    rows = np.sort(rng.permutation(n)[:_MAX_IMAGES])
    drawn: np.ndarray = images[rows]
    return drawn


def _folds(
    classes: Sequence[np.ndarray], rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    numbers = [rng.permutation(len(images)) % _N_HEADS for images in classes]
    return [
        (np.flatnonzero(numbers[0] == i), np.flatnonzero(numbers[1] == i)) for i in range(_N_HEADS)
    ]


def _regress(a, b):
    x = np.concatenate([a, b]).astype("float64")
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.maximum(spread, 1e-3 * max(spread.max(), 1e-6))
    regression = LogisticRegression(
        C=_REGULARIZATION / _N_VERSIONS, class_weight="balanced", max_iter=2000
    )
    regression.fit((x - mean) / spread, np.repeat([0, 1], [len(a), len(b)]))
    coefficients = regression.coef_[0] / spread
    return coefficients, float(regression.intercept_[0] - mean @ coefficients)
