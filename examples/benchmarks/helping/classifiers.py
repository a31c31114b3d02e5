"""The classifiers of every arm: a small network, and a logistic regression on frozen features.

The network is compiled once, with its weights reset per fit.
"""

import numpy as np
from measuring.pretrained import Features
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helping import mixing, photometry, warps

SETTINGS = {"net": "c16-c32s2-d64", "batch": 64, "rate": 1e-3, "augmentation": 1}
# The samplers are guided by VGG16; a classifier on its features would favour them.
FROZEN = {"features": "efficientnet-lite0", "C": 1e-3}
_CHUNK_BYTES = 5e7  # of images that are held in memory at once


def _network(shape, n_classes, seed):
    import keras
    from keras import layers

    def init(i):
        return keras.initializers.GlorotUniform(seed=100 * seed + i)

    inputs = keras.Input(shape, dtype="uint8")
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer=init(0))(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(
        32, 3, strides=2, padding="same", activation="relu", kernel_initializer=init(1)
    )(x)
    x = layers.Dense(64, activation="relu", kernel_initializer=init(2))(layers.Flatten()(x))
    outputs = layers.Dense(n_classes, activation="softmax", kernel_initializer=init(3))(x)
    return keras.Model(inputs, outputs)


def row_order(codes, n, rng, deferred=False):
    """Return the rows of the n images of a training, in order.

    Every image is used as often as the others. If `deferred`, that holds for the first two thirds;
    in the rest every class is.
    """
    early = n - n // 3 if deferred else n
    rounds = -(-early // len(codes))
    rows = np.concatenate([rng.permutation(len(codes)) for _ in range(rounds)])[:early]
    classes = [np.flatnonzero(codes == c) for c in np.unique(codes)]
    of_class = rng.integers(len(classes), size=n - early)
    late = [rng.choice(classes[c]) for c in of_class]
    return np.concatenate([rows, late]).astype(int)


def correct_prior(probabilities, counts):
    """Divide probabilities by the classes' shares of the training set, and normalize them.

    The result is what a classifier of balanced classes would say, if the probabilities are right
    (Saerens et al., 2002; as logits, minus log share: Menon et al., 2021).
    """
    corrected = np.maximum(probabilities, 1e-12) / (counts / counts.sum())
    return corrected / corrected.sum(axis=1, keepdims=True)


class SmallNetwork:
    """A small convolutional network that can be refitted many times.

    Parameters
    ----------
    shape : tuple of int
        (side, side, channels) of 8-bit images.
    n_classes : int
        Number of classes.
    steps : int
        Gradient steps of a fit.
    """

    def __init__(self, shape, n_classes, steps):
        import keras

        self.shape, self.n_classes, self.steps = shape, n_classes, steps
        self._model = _network(shape, n_classes, 0)
        self._optimizer = keras.optimizers.Adam(SETTINGS["rate"])
        self._optimizer.build(self._model.trainable_variables)
        self._initial_state = [np.array(variable) for variable in self._optimizer.variables]
        self._model.compile(
            self._optimizer, "categorical_crossentropy", steps_per_execution=10, jit_compile=False
        )

    def fit(self, training, codes, *, seed=0, augment=False, flip=None):
        """Train from the initial weights of the seed.

        Parameters
        ----------
        training : helping.arms.TrainingSet
            Images, and how to train on them.
        codes : ndarray of int of shape (n,)
            Classes 0 .. n_classes - 1.
        seed : int
            Seed of initial weights, order and augmentation.
        augment : bool
            Whether each image is warped each time it is used.
        flip : {"horizontal", "both"} or None
            Mirror images that belong to the same class.

        Returns
        -------
        SmallNetwork
        """
        from melanet.utils import reproducible

        self._reset(seed)
        rng = np.random.default_rng([seed, int(augment)])
        weights = np.ones(len(codes)) if training.weights is None else training.weights
        counts = np.bincount(codes, minlength=self.n_classes)
        one_hot = np.eye(self.n_classes, dtype="float32")
        rows = row_order(codes, self.steps * SETTINGS["batch"], rng, training.deferred)
        ten_steps = 10 * SETTINGS["batch"]
        chunk = ten_steps * max(1, int(_CHUNK_BYTES / (ten_steps * np.prod(self.shape))))
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            images, labels = training.X[part], one_hot[codes[part]]
            if augment:
                images = warps.augment(images, rng, flip=flip)
            if training.photometric:
                images = photometry.augment(images, rng)
            if training.mix:
                images, labels = mixing.mix(training.mix, images, labels, counts, rng)
            with reproducible():
                self._model.fit(
                    images,
                    labels,
                    sample_weight=weights[part].astype("float32"),
                    batch_size=SETTINGS["batch"],
                    shuffle=False,
                    verbose=0,
                )
        return self

    def predict_proba(self, X):
        """Return the probabilities of the classes, of shape (n, n_classes)."""
        return self._model.predict(X, batch_size=500, verbose=0)

    def _reset(self, seed):
        self._model.set_weights(_network(self.shape, self.n_classes, seed).get_weights())
        for variable, value in zip(self._optimizer.variables, self._initial_state):
            variable.assign(value)


class FrozenFeatures:
    """A logistic regression on the features of a network trained on ImageNet.

    Parameters
    ----------
    weights : str or path-like
        Folder of the network's weights.
    n_classes : int
        Number of classes.
    """

    def __init__(self, weights, n_classes):
        self.n_classes = n_classes
        self._features = Features(FROZEN["features"], weights)

    def fit(self, training, codes, *, seed=0):
        """Fit on the features of a training set.

        Photometric changes and mixtures are made once for each image, and added to the images or
        put in their place. A soft label becomes a weighted row for each class.

        Parameters
        ----------
        training : helping.arms.TrainingSet
            Images, and how to train on them.
        codes : ndarray of int of shape (n,)
            Classes 0 .. n_classes - 1.
        seed : int
            Seed of the changes.

        Returns
        -------
        FrozenFeatures
        """
        rng = np.random.default_rng([seed, 2])
        images, labels = training.X, np.eye(self.n_classes)[codes]
        weights = np.ones(len(codes)) if training.weights is None else training.weights
        if training.mix:
            counts = np.bincount(codes, minlength=self.n_classes)
            images, labels = mixing.mix(training.mix, images, labels, counts, rng)
        features = self._features(images)
        if training.photometric:
            changed = self._features(photometry.augment(images, rng))
            features, labels = np.concatenate([features, changed]), np.tile(labels, (2, 1))
            weights = np.tile(weights / 2, 2)
        rows, classes = np.nonzero(labels)
        logistic = LogisticRegression(C=FROZEN["C"], max_iter=2000)
        self._model = make_pipeline(StandardScaler(), logistic).fit(
            features[rows],
            classes,
            logisticregression__sample_weight=(weights[:, None] * labels)[rows, classes],
        )
        return self

    def predict_proba(self, X):
        """Return the probabilities of the classes, of shape (n, n_classes)."""
        return self._model.predict_proba(self._features(X))
