"""The classifiers of the study: trained networks, and a regression on VGG16's frozen features."""

import hashlib

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from melanet import MelaNet
from melanet.classifier import _backbones
from melanet.features import find_features
from melanet.over_sampling import resolve_recipe

CLASSIFIERS = {
    "small": "a small network, trained from scratch",
    "frozen-vgg16": "a logistic regression on the features of VGG16 with ImageNet weights, frozen",
    "vgg16": "VGG16 with ImageNet weights, all layers trained, as in the paper",
}
_BATCH_SIZE = 32
_STRENGTHS = tuple(10.0**power for power in range(-5, 1))  # C of the regression


def needs_vgg16(name):
    """Return whether a classifier starts from VGG16's ImageNet weights."""
    return name != "small"


class Pretrained:
    """VGG16's ImageNet weights, for the classifiers and for the arm "default".

    Parameters
    ----------
    file : path-like or None
        File of the weights without the top. None takes the one in Keras' cache.
    size : int
        Side of the images.
    download : bool
        Whether Keras downloads the weights if there is no file.

    Attributes
    ----------
    weights, features : str or path-like
        The weights as `MelaNet` and as `GANOversampler` take them.
    sha256 : str or None
        Checksum of the file; None without one, and the arm "default" then trains small networks.
    """

    def __init__(self, file, size, download):
        self.weights = file or "imagenet"
        self.features = file or ("imagenet" if download else "auto")
        shape = (size, size, 3)
        network = find_features(self.features, shape)
        self.sha256 = network and network.sha256
        if resolve_recipe("default", shape).generator != "edit":
            self.features = "auto"  # small images are redrawn, without features
        if download:  # a file that MelaNet cannot read is found now
            _backbones.build("vgg16", shape[:2], 3, 2, self.weights)
        self.frozen = FrozenFeatures(size, self.weights)


def build(name, scale, pretrained, *, balanced, seed):
    """Return an unfitted classifier.

    Parameters
    ----------
    name : str
        A key of `CLASSIFIERS`.
    scale : Scale
        Side of the images, and the budgets.
    pretrained : Pretrained
        VGG16's weights.
    balanced : bool
        Whether losses are weighted by the inverse of the class's size.
    seed : int
        Seed of a network.

    Returns
    -------
    MelaNet or FrozenVGG16
    """
    class_weight = "balanced" if balanced else None
    if name == "frozen-vgg16":
        return FrozenVGG16(pretrained.frozen, class_weight)
    budget = scale.budgets[name]
    return MelaNet(
        backbone=name,
        backbone_weights=pretrained.weights if needs_vgg16(name) else None,
        input_size=scale.size,
        epochs=budget.epochs,
        optimizer=budget.optimizer,
        learning_rate=budget.learning_rate,
        class_weight=class_weight,
        random_state=seed,
    )


class FrozenFeatures:
    """Pooled features of VGG16's last block; each image is computed once.

    The images are scaled as the weights expect, unlike MelaNet's, which trains all layers and
    follows the paper there.

    Parameters
    ----------
    size : int
        Side of the images.
    weights : str or path-like
        VGG16's ImageNet weights.
    """

    def __init__(self, size, weights):
        self._size, self._weights = size, weights
        self._model, self._known = None, {}

    def __call__(self, X):
        """Return the features of uint8 images (n, size, size, 3), of shape (n, 512), float32."""
        keys = [hashlib.sha256(np.ascontiguousarray(image)).digest() for image in X]
        missing = {key: i for i, key in enumerate(keys) if key not in self._known}
        rows = np.array(list(missing.values()), int)
        for start in range(0, len(rows), _BATCH_SIZE):
            part = rows[start : start + _BATCH_SIZE]
            # The last batch is filled up: another batch size would be compiled anew.
            values = self._compute(X[np.resize(part, _BATCH_SIZE)])
            self._known.update(zip((keys[i] for i in part), values))
        return np.stack([self._known[key] for key in keys])

    def _compute(self, images):
        if self._model is None:
            shape = (self._size, self._size)
            network = _backbones.build("vgg16", shape, 3, 2, self._weights)
            self._model = keras.Model(network.inputs[0], network.layers[-1].input)
        images = images.astype("float32")
        return self._model.predict_on_batch(
            keras.applications.vgg16.preprocess_input(images, data_format="channels_last")
        )


class FrozenVGG16:
    """Logistic regression on frozen features, with the methods of MelaNet that the study calls.

    The validation loss chooses the strength C, as it chooses the epoch of a network: with the
    classes weighted as in the training set.

    Parameters
    ----------
    features : FrozenFeatures
        Features of images.
    class_weight : {"balanced"} or None, default=None
        Weights of the classes in both losses.

    Attributes
    ----------
    history_ : dict
        "C", "loss" and "val_loss", one value a strength.
    """

    def __init__(self, features, class_weight=None):
        self.features, self.class_weight = features, class_weight

    def fit(self, X, y, *, validation_data):
        """Fit a regression for each strength, and keep the one of the least validation loss."""
        X_val, y_val = validation_data
        inputs, held = self.features(X), self.features(X_val)
        counts = np.bincount(y)
        shares = np.ones(2) / 2 if self.class_weight else counts / len(y)
        own, other = (shares / np.bincount(labels) for labels in (y, y_val))
        self.history_ = {"C": list(_STRENGTHS), "loss": [], "val_loss": []}
        best = np.inf
        for strength in _STRENGTHS:
            regression = LogisticRegression(
                C=strength, class_weight=self.class_weight, max_iter=2000
            )
            model = make_pipeline(StandardScaler(), regression).fit(inputs, y)
            losses = [
                float(log_loss(labels, model.predict_proba(part), sample_weight=weights[labels]))
                for labels, part, weights in ((y, inputs, own), (y_val, held, other))
            ]
            self.history_["loss"].append(losses[0])
            self.history_["val_loss"].append(losses[1])
            if losses[1] < best:
                best, self.model_ = losses[1], model
        return self

    def predict_proba(self, X):
        """Return the probabilities of both classes."""
        return self.model_.predict_proba(self.features(X))

    def embed(self, X):
        """Return the frozen features."""
        return self.features(X)
