"""A judge trained on real samples alone: which translations look like the class they stand for."""

import keras
import numpy as np
from keras import layers
from sklearn.ensemble import RandomForestClassifier

from melanet.images._augmentation import Augmentation
from melanet.images._transform import resize
from melanet.utils._keras import untuned

_AT_ONCE = 256  # samples in a batch that is judged
_SIDE = 64  # larger images are reduced to this before they are judged
_CLEAR = 2 / 3  # share of the forest's votes that a row of a table needs; see docs/tables.md


def reduced(samples):
    """Return samples as the judge sees them: large images are made smaller."""
    large = samples.ndim == 4 and min(samples.shape[1:3]) > _SIDE
    return resize(samples, (_SIDE, _SIDE)) if large else samples


class _BalancedBatches(keras.utils.PyDataset):
    """Batches that draw every class equally often, each image changed a little."""

    def __init__(self, images, codes, steps, seed, augment, batch_size=32):
        super().__init__()
        self.images, self.codes = images, codes
        self.rows = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
        self.steps, self.seed, self.augment, self.batch_size = steps, seed, augment, batch_size

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        classes = rng.integers(len(self.rows), size=self.batch_size)
        chosen = np.array([rng.choice(self.rows[code]) for code in classes])
        return self.augment(self.images[chosen], rng), self.codes[chosen]


def _network(shape, n_classes, seed):
    def init(i):
        return keras.initializers.GlorotUniform(seed=seed + i)

    inputs = x = keras.Input(shape)
    for i, width in enumerate((16, 32, 64)):
        convolution = layers.Conv2D(
            width, 3, padding="same", data_format="channels_last", kernel_initializer=init(i)
        )
        x = layers.ReLU()(convolution(x))
        if min(x.shape[1:3]) >= 4:
            x = layers.MaxPooling2D(data_format="channels_last")(x)
    x = layers.Dense(64, activation="relu", kernel_initializer=init(8))(layers.Flatten()(x))
    outputs = layers.Dense(n_classes, activation="softmax", kernel_initializer=init(9))(x)
    return keras.Model(inputs, outputs)


class Judge:
    """Tells the class of a sample, having seen real samples only.

    Images are judged by a small convolutional network trained on class-balanced, mildly
    augmented batches; rows of a table by a random forest with balanced class weights.

    Parameters
    ----------
    steps : int, default=300
        Training steps of the network.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror images that stand for the same class.
    seed : int, default=0
        Seed of the initial weights and of the batches.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.over_sampling._judge import Judge
    >>> rows = np.linspace(-1, 1, 40, dtype="float32").reshape(-1, 1)
    >>> judge = Judge().fit(rows, (rows[:, 0] > 0).astype(int))
    >>> judge.predict(rows[[0, -1]]).tolist()
    [0, 1]
    """

    def __init__(self, *, steps=300, flip=None, seed=0):
        self.steps = steps
        self.flip = flip
        self.seed = seed

    def fit(self, samples, codes):
        """Train on real samples.

        Parameters
        ----------
        samples : ndarray of shape (n, H, W, C) or (n, n_features), float32
            In [-1, 1].
        codes : ndarray of int of shape (n,)
            Classes 0 .. n_classes - 1, none of them empty.

        Returns
        -------
        Judge
        """
        codes, samples, self._share = np.asarray(codes), reduced(samples), 0.0
        if samples.ndim == 2:
            forest = RandomForestClassifier(
                min_samples_leaf=2, class_weight="balanced_subsample", random_state=self.seed
            )
            self._answer, self._share = forest.fit(samples, codes).predict_proba, _CLEAR
            return self
        model = _network(samples.shape[1:], int(codes.max()) + 1, self.seed)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
        augment = Augmentation(flip=self.flip)
        batches = _BalancedBatches(samples, codes, self.steps, self.seed, augment)
        try:
            served, callbacks = untuned(batches)
            model.fit(served, epochs=1, shuffle=False, callbacks=callbacks, verbose=0)
        finally:
            batches.images = None  # TensorFlow keeps the loader; the images must not stay
        return self._with(model)

    def _with(self, model):
        def answer(x):
            # Keras' predict takes longer: it makes a data set of what it is given.
            parts = range(0, len(x), _AT_ONCE)
            return np.concatenate([model.predict_on_batch(x[i : i + _AT_ONCE]) for i in parts])

        self._network, self._share, self._answer = model, 0.0, answer
        return self

    def save(self, path):
        """Write a judge of images to a ``.keras`` file."""
        self._network.save(path)

    @classmethod
    def load(cls, path):
        """Read a judge that `save` wrote."""
        return cls()._with(keras.saving.load_model(path, compile=False))

    def predict(self, samples):
        """Return the class of each sample, as an array of codes."""
        return np.argmax(self._answer(reduced(samples)), axis=1)

    def accepts(self, samples, code):
        """Tell which samples are of a class; rows of a table have to be it clearly."""
        shares = self._answer(reduced(samples))
        return (np.argmax(shares, axis=1) == code) & (shares[:, code] >= self._share)
