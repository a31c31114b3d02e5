"""A judge trained on real samples: which translations look like their class."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
from keras import layers
from sklearn.ensemble import RandomForestClassifier

from melanet.images import Augmentation
from melanet.images._transform import downscale
from melanet.preprocessing import SampleSource
from melanet.utils import reproducible, untuned
from melanet.utils._adam import FusedAdam
from melanet.utils._chunks import chunk_slices
from melanet.utils._model_store import STORE, copy_variables, reset_optimizer
from melanet.utils._typing import PathLike
from melanet.weights import read_model

_BATCH_SIZE = 256  # samples judged at a time
_LEARNING_RATE = 1e-3
_STEPS_AT_ONCE = 20  # a step of small images takes less time than a call of Keras
_MIN_COPIES = 1000  # changed copies to learn from, of all classes together
_MIN_VOTES = 2 / 3  # share of the forest's votes that a row of a table needs; see docs/tables.md


def train_judge(
    samples: SampleSource,
    y: np.ndarray,
    flip: str | None,
    seed: int,
    max_per_class: int | None = None,
) -> Judge:
    """Train a judge on real samples, read part by part.

    Parameters
    ----------
    samples : SampleSource
        Real samples in [-1, 1].
    y : ndarray of shape (n,)
        Labels.
    flip : {"horizontal", "vertical", "both"} or None
        Mirror images that belong to the same class.
    seed : int
        Seed of the judge.
    max_per_class : int or None, default=None
        Number of samples of each class to learn from, drawn at random; None takes all.

    Returns
    -------
    Judge
        Its codes are positions among the sorted classes.
    """
    classes, codes = np.unique(y, return_inverse=True)
    rows = np.arange(len(codes))
    if max_per_class is not None:
        rng = np.random.default_rng([seed, len(classes)])
        own = [np.flatnonzero(codes == code) for code in range(len(classes))]
        rows = np.concatenate([rng.permutation(part)[:max_per_class] for part in own])
    slices = chunk_slices(len(rows), samples.shape[1:])
    small = np.concatenate([downscale(samples[rows[part]]) for part in slices])
    with reproducible():
        return Judge(flip=flip, seed=seed % 2**20).fit(small, codes[rows])


class _JudgeBatches(keras.utils.PyDataset):
    """Batches that draw every class equally often, from changed copies of the images."""

    def __init__(self, images, codes, steps, seed, augment, batch_size=32):
        super().__init__()
        rng = np.random.default_rng([seed, steps])
        rows, n_classes = [], int(codes.max()) + 1
        fewest, most = (-(-n // n_classes) for n in (_MIN_COPIES, steps * batch_size))
        for code in range(n_classes):
            own = np.flatnonzero(codes == code)
            if len(own) > most:
                own = rng.permutation(own)[:most]
            rows.append(np.resize(own, max(len(own), fewest)))
        self.ends = np.cumsum([len(part) for part in rows])
        self.images = augment(images[np.concatenate(rows)], rng)
        self.steps, self.seed, self.batch_size = steps, seed, batch_size

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        codes = rng.integers(len(self.ends), size=self.batch_size)
        starts = np.concatenate([[0], self.ends[:-1]])
        return self.images[rng.integers(starts[codes], self.ends[codes])], codes


def _build_network(shape, n_classes, seed):
    def weights(i):  # of a fixed name, see docs/decisions/compiled-models.md
        initializer = keras.initializers.GlorotUniform(seed=seed + i)
        return {"kernel_initializer": initializer, "name": f"weights{i}"}

    inputs = x = keras.Input(shape)
    for i, width in enumerate((16, 32, 64)):
        convolution = layers.Conv2D(
            width, 3, padding="same", data_format="channels_last", **weights(i)
        )
        x = layers.ReLU()(convolution(x))
        if min(x.shape[1:3]) >= 4:
            x = layers.MaxPooling2D(data_format="channels_last")(x)
    x = layers.Dense(64, activation="relu", **weights(8))(layers.Flatten()(x))
    outputs = layers.Dense(n_classes, activation="softmax", **weights(9))(x)
    return keras.Model(inputs, outputs)


@contextlib.contextmanager
def _lease(network):
    """Lease the compiled model of a judge's structure, with the weights of `network`."""
    shape, n_classes = network.input_shape[1:], network.output_shape[-1]

    def build():
        model = _build_network(shape, n_classes, 0)
        model.compile(
            optimizer=FusedAdam(_LEARNING_RATE),
            loss="sparse_categorical_crossentropy",
            # Keras on torch takes one step at a time.
            steps_per_execution=1 if keras.backend.backend() == "torch" else _STEPS_AT_ONCE,
        )
        model.optimizer.build(model.trainable_variables)
        return model

    with STORE.lease(("Judge", shape, n_classes), build) as model:
        copy_variables(network, model)
        yield model


class Judge:
    """Classify samples, having seen real ones only.

    Images are judged by a small convolutional network trained on class-balanced, mildly
    augmented batches; rows of a table by a random forest with balanced class weights.

    Parameters
    ----------
    steps : int, default=300
        Training steps of the network.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror images that belong to the same class.
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

    def __init__(self, *, steps: int = 300, flip: str | None = None, seed: int = 0):
        self.steps = steps
        self.flip = flip
        self.seed = seed

    def fit(self, samples: np.ndarray, codes: np.ndarray) -> Judge:
        """Train on real samples.

        Parameters
        ----------
        samples : ndarray of shape (n, H, W, C) or (n, n_features), float32
            Samples in [-1, 1].
        codes : ndarray of int of shape (n,)
            Classes 0 .. n_classes - 1, each of them present.

        Returns
        -------
        Judge
        """
        codes, samples, self._min_votes = np.asarray(codes), downscale(samples), 0.0
        if samples.ndim == 2:
            forest = RandomForestClassifier(
                min_samples_leaf=2, class_weight="balanced_subsample", random_state=self.seed
            )
            self._predict_proba = forest.fit(samples, codes).predict_proba
            self._min_votes = _MIN_VOTES
            return self
        network = _build_network(samples.shape[1:], int(codes.max()) + 1, self.seed)
        augment = Augmentation(flip=self.flip)
        batches = _JudgeBatches(samples, codes, self.steps, self.seed, augment)
        with _lease(network) as model:
            reset_optimizer(model.optimizer, learning_rate=_LEARNING_RATE)
            try:
                served, callbacks = untuned(batches, static=True)
                model.fit(served, epochs=1, shuffle=False, callbacks=callbacks, verbose=0)
            finally:
                batches.images = None  # TensorFlow keeps the data set alive
            copy_variables(model, network)
        return self._use(network)

    def _use(self, network):
        def predict_proba(x):
            # Keras' predict is slower: it turns its input into a data set.
            starts = range(0, len(x), _BATCH_SIZE)
            if not starts:
                return np.empty((0, network.output_shape[-1]), "float32")
            with _lease(network) as model:
                parts = [model.predict_on_batch(x[i : i + _BATCH_SIZE]) for i in starts]
            return np.concatenate(parts)

        self._network, self._min_votes, self._predict_proba = network, 0.0, predict_proba
        return self

    def save(self, path: PathLike) -> None:
        """Write a judge of images to a ``.keras`` file."""
        self._network.save(path)

    @classmethod
    def load(cls, path: PathLike) -> Judge:
        """Load a judge that `save` wrote."""
        return cls()._use(read_model(path))

    def predict(self, samples: np.ndarray) -> np.ndarray:
        """Return the class code of each sample."""
        return np.argmax(self._predict_proba(downscale(samples)), axis=1)

    def certainty(
        self, samples: np.ndarray, code: int, sources: np.ndarray | None = None
    ) -> np.ndarray:
        """Return how probably each sample is of a class; 0 if it is rejected.

        Parameters
        ----------
        samples : ndarray of shape (n, H, W, C) or (n, n_features), float32
            Samples in [-1, 1]. Rows of a table need a clear majority of the votes.
        code : int
            The class.
        sources : ndarray of the same shape or None, default=None
            Samples that they were made from. If given, a sample also passes if it is more
            probably of the class than its source, as where classes overlap.

        Returns
        -------
        ndarray of float of shape (n,)
            In [0, 1], as if classes were equally frequent.
        """
        votes = self._predict_proba(downscale(samples))
        accepted = (np.argmax(votes, axis=1) == code) & (votes[:, code] >= self._min_votes)
        if sources is not None:
            accepted |= votes[:, code] > self._predict_proba(downscale(sources))[:, code]
        return np.where(accepted, votes[:, code], 0.0)
