"""Oracles: classifiers of real pictures that the sampler has not seen, of two architectures."""

from functools import cached_property

import numpy as np
from helping import warps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIDE = 32  # the small network sees pictures reduced to this, which is cheap
SETTINGS = {"epochs": 20, "batch": 16, "rate": 2e-3, "seeds": 5}


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
    def members(self):
        """The networks, of pictures of at most `SIDE`."""
        side = min(SIDE, self.shape[0])
        shape = (side, side, self.shape[2])
        return [_network(shape, seed) for seed in range(self.settings["seeds"])]

    @cached_property
    def model(self):
        """The mean of the networks, from pictures in [0, 255] to P(rare class)."""
        import keras
        from keras import layers

        inputs = keras.Input(self.shape)
        x = self._reduce(inputs)
        outputs = [member(x) for member in self.members]
        return keras.Model(inputs, layers.Average()(outputs) if outputs[1:] else outputs[0])

    def _reduce(self, images):
        from keras import layers

        if self.shape[0] <= SIDE:
            return images
        if self.shape[0] % SIDE:
            return layers.Resizing(SIDE, SIDE, antialias=True)(images)
        return layers.AveragePooling2D(self.shape[0] // SIDE)(images)

    def fit(self, X, y):
        """Train on uint8 pictures and their classes."""
        from keras import ops

        from melanet.utils import reproducible

        # The same reduction as in `model`, so that pictures to learn from are as sharp.
        reduced = [self._reduce(image.astype("float32")) for image in np.array_split(X, 8)]
        X = np.rint(ops.convert_to_numpy(ops.concatenate(reduced))).astype(np.uint8)
        weight = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
        batch, epochs = self.settings["batch"], self.settings["epochs"]
        for seed, member in enumerate(self.members):
            rng = np.random.default_rng(seed)
            _compile(member, self.settings["rate"], epochs * -(-len(X) // batch))
            for _ in range(epochs):
                rows = rng.permutation(len(X))
                images = warps.augment(X[rows], rng, flip="horizontal")
                if X.shape[-1] == 3:  # grey pictures are X-rays, which have an upper side
                    turned = rng.random(len(X)) < 0.5
                    images[turned] = images[turned].swapaxes(1, 2)
                with reproducible():
                    member.fit(
                        images.astype("float32"),
                        y[rows].astype("float32"),
                        sample_weight=weight[rows],
                        batch_size=batch,
                        shuffle=False,
                        verbose=0,
                    )
        return self

    def __call__(self, images):
        """Return P(rare class) of uint8 pictures."""
        return self.model.predict(images.astype("float32"), batch_size=64, verbose=0)[:, 0]


def _network(shape, seed):
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    for i, filters in enumerate((16, 32, 48, 64)):
        kernel, stride = (3, 1) if i else (5, 2)
        x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x) if i else x
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    x = layers.Concatenate()(pooled)
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
