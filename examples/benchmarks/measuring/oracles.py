"""Oracles: classifiers of real pictures that the sampler has not seen, of two architectures."""

from functools import cached_property

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIDE = 64  # the small network sees pictures reduced to this
SETTINGS = {"epochs": 2, "batch": 32, "rate": 2e-3, "seeds": 1}


def linear_classifier():
    """Return the classifier on fixed features, of oracle and realism alike."""
    logistic = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), logistic)


class LinearOracle:
    """A logistic regression on features of an outside network.

    Parameters
    ----------
    features : callable
        Function of uint8 pictures that returns their features.
    X, y : ndarray
        Pictures and classes to learn from.
    """

    def __init__(self, features, X, y):
        self.name = getattr(features, "name", "features")
        self._features = features
        self._classifier = linear_classifier().fit(features(X), y)

    def __call__(self, images):
        """Return P(rare class) of uint8 pictures."""
        return self._classifier.predict_proba(self._features(images))[:, 1]


class SmallNetwork:
    """Small networks trained from scratch with augmentation; P(rare class) is their mean.

    Parameters
    ----------
    shape : tuple of int
        Shape of a picture, (side, side, channels).
    settings : dict
        As `SETTINGS`.
    """

    name = "small network"

    def __init__(self, shape, settings=SETTINGS):
        self.shape, self.settings = shape, settings

    @cached_property
    def model(self):
        """The averaged networks, from uint8 pictures to P(rare class)."""
        import keras
        from keras import layers

        inputs = keras.Input(self.shape)
        x = inputs
        if self.shape[0] > SIDE:
            if self.shape[0] % SIDE:
                x = layers.Resizing(SIDE, SIDE, antialias=True)(x)
            else:
                x = layers.AveragePooling2D(self.shape[0] // SIDE)(x)
        side = min(SIDE, self.shape[0])
        self.members = [
            _network((side, side, self.shape[2]), seed) for seed in range(self.settings["seeds"])
        ]
        outputs = [member(x) for member in self.members]
        return keras.Model(inputs, layers.Average()(outputs) if outputs[1:] else outputs[0])

    def fit(self, X, y):
        """Train on uint8 pictures and their classes."""
        from melanet.images import Augmentation, resize
        from melanet.utils import reproducible

        self.model  # noqa: B018
        side = min(SIDE, self.shape[0])
        X = resize(X.astype("float32"), (side, side)) / 127.5 - 1
        augment = Augmentation(rotation=20, shift=0.1, zoom=0.15, colour=0.1, flip=self.flip)
        weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
        batch = self.settings["batch"]
        for seed, member in enumerate(self.members):
            rng = np.random.default_rng(seed)
            n_steps = self.settings["epochs"] * -(-len(X) // batch)
            _compile(member, self.settings["rate"], n_steps)
            for _ in range(self.settings["epochs"]):
                rows = rng.permutation(len(X))
                images = (augment(X[rows], rng) + 1) * 127.5
                with reproducible():
                    member.fit(
                        images, y[rows].astype("float32"), sample_weight=weight[rows],
                        batch_size=batch, shuffle=False, verbose=0,
                    )  # fmt: skip
        return self

    @property
    def flip(self):
        """Directions in which a picture may be mirrored: grey ones are X-rays, upright."""
        return "both" if self.shape[2] == 3 else "horizontal"

    def __call__(self, images):
        """Return P(rare class) of uint8 pictures."""
        return self.model.predict(images.astype("float32"), batch_size=64, verbose=0)[:, 0]


def _network(shape, seed):
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    for filters in (16, 32, 64, 64):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.MaxPooling2D()(layers.ReLU()(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3, seed=seed)(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def _compile(model, rate, n_steps):
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(rate, n_steps)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        "binary_crossentropy",
        steps_per_execution=4,
        jit_compile=False,
    )


def auc(oracle, X, y):
    """Return an oracle's AUC on real pictures."""
    return float(roc_auc_score(y, oracle(X)))
