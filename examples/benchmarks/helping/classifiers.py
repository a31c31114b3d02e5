"""The classifier of every arm: a small network, compiled once, with its weights reset per fit."""

import numpy as np

from helping import warps

SETTINGS = {"net": "c16-c32s2-d64", "batch": 64, "rate": 1e-3, "augmentation": 1}
_CHUNK_STEPS = 500  # steps whose images are held in memory at once


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


class Classifier:
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
            self._optimizer,
            "sparse_categorical_crossentropy",
            steps_per_execution=10,
            jit_compile=False,
        )

    def fit(self, X, codes, weights=None, *, seed=0, augment=False, flip=None):
        """Train from the initial weights of the seed.

        Parameters
        ----------
        X : ndarray of shape (n, *shape), uint8
            Images.
        codes : ndarray of int of shape (n,)
            Classes 0 .. n_classes - 1.
        weights : ndarray of shape (n,) or None
            Weight of each image in the loss.
        seed : int
            Seed of initial weights, order and augmentation.
        augment : bool
            Whether each image is augmented each time it is used.
        flip : "horizontal" or None
            Mirror images that belong to the same class.

        Returns
        -------
        Classifier
        """
        from melanet.utils import reproducible

        self._reset(seed)
        rng = np.random.default_rng([seed, int(augment)])
        weights = np.ones(len(X)) if weights is None else weights
        n = self.steps * SETTINGS["batch"]
        rounds = -(-n // len(X))
        rows = np.concatenate([rng.permutation(len(X)) for _ in range(rounds)])[:n]
        chunk = _CHUNK_STEPS * SETTINGS["batch"]
        for start in range(0, n, chunk):
            part = rows[start : start + chunk]
            images = X[part]
            if augment:
                images = warps.augment(images, rng, flip=flip)
            with reproducible():
                self._model.fit(
                    images,
                    codes[part],
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
