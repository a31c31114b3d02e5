"""Small networks that learn two classes of images, where no pretrained network is at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from melanet.features._networks import WORKING_SIDE, FeatureNetwork, reduction
from melanet.images._augmentation import Jitter
from melanet.utils import reproducible, untuned
from melanet.utils._adam import FusedAdam
from melanet.utils._model_store import STORE, copy_variables, reset_optimizer

N_NETWORKS = 3
DEFAULT_STEPS = 400
_WIDTHS = (24, 48, 96, 96)
_LEARNING_RATE = 1e-3
_SMOOTHING = 0.05  # of the labels, so that no image's score runs away
_SMALLEST = 8  # pixels of the last map


def train_small_networks(
    A: np.ndarray,
    B: np.ndarray,
    *,
    side: int = WORKING_SIDE,
    flip: str | None = None,
    steps: int = DEFAULT_STEPS,
    seed: int = 0,
) -> FeatureNetwork:
    """Train three small networks to tell two classes apart, each on two thirds of the images.

    Parameters
    ----------
    A, B : ndarray of shape (n_a, H, W, C) and (n_b, H, W, C), float32
        Images of two classes in [-1, 1].
    side : int, default=64
        Side, in pixels, that larger images are reduced to.
    flip : {"horizontal", "vertical", "both"} or None, default=None
        Mirror images that belong to the same class.
    steps : int, default=400
        Training steps of each network, of 16 images of either class.
    seed : int, default=0
        Seed of weights, folds and batches.

    Returns
    -------
    FeatureNetwork
        The convolutional maps of all three.
    """
    shape = tuple(A.shape[1:])
    rng = np.random.default_rng([seed, 3])
    folds = [rng.permutation(len(images)) % N_NETWORKS for images in (A, B)]
    parts = []
    with (
        reproducible(),
        STORE.lease(("small networks", shape, side), lambda: _compiled(shape, side)) as model,
    ):
        for i in range(N_NETWORKS):
            initial = _build(shape, side, seed * N_NETWORKS + i)
            copy_variables(initial, model)
            reset_optimizer(model.optimizer, learning_rate=_LEARNING_RATE)
            seen = [
                images[fold != i] if len(images) > N_NETWORKS else images
                for images, fold in zip((A, B), folds)
            ]
            batches = _Batches(seen[0], seen[1], steps, [seed, i], Jitter(flip=flip))
            served, callbacks = untuned(batches, static=True)
            try:
                model.fit(served, epochs=1, shuffle=False, callbacks=callbacks, verbose=0)
            finally:
                batches.release()
            copy_variables(model, initial)
            parts.append(initial)
    joined = _join(shape, side)
    for i, part in enumerate(parts):
        trunk = joined.get_layer(f"trunk{i}")
        for target, value in zip(trunk.variables, _convolutions(part), strict=True):
            target.assign(value)
    return FeatureNetwork(
        "small",
        joined,
        lambda: _join(shape, side),
        columns=_columns(joined),
        folds=[
            (np.flatnonzero(folds[0] == i), np.flatnonzero(folds[1] == i))
            for i in range(N_NETWORKS)
        ],
    )


class _Batches(keras.utils.PyDataset):
    """Batches with both classes equally often, of images that are changed a little."""

    def __init__(
        self, A: np.ndarray, B: np.ndarray, steps: int, seed: Sequence[int], jitter: Jitter
    ):
        super().__init__()
        self.A, self.B, self.steps, self.seed, self.jitter = A, B, steps, seed, jitter

    def release(self):
        """Drop the images; TensorFlow keeps the data set alive."""
        del self.A, self.B

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        rng = np.random.default_rng([*self.seed, index])
        half = 16
        rows = [rng.integers(len(images), size=half) for images in (self.A, self.B)]
        images = np.concatenate([self.A[rows[0]], self.B[rows[1]]])
        return self.jitter(images, rng), np.repeat([[0.0], [1.0]], half, axis=0).astype("float32")


def _build(shape, side, seed, name="network"):
    inputs = x = keras.Input(shape)
    factor = reduction(shape, side)
    if factor > 1:
        x = layers.AveragePooling2D(factor, padding="same", data_format="channels_last")(x)
    halvings = max(1, math.ceil(math.log2(min(x.shape[1:3]) / _SMALLEST)))
    for i in range(halvings + 1):
        x = layers.Conv2D(
            _WIDTHS[min(i, len(_WIDTHS) - 1)],
            3,
            strides=2 if i else 1,
            padding="same",
            use_bias=False,
            data_format="channels_last",
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed * 1009 + i),
            name=f"{name}_conv{i}",
        )(x)
        # A fast moving average: the training takes few steps.
        x = layers.BatchNormalization(axis=-1, momentum=0.9, name=f"{name}_norm{i}")(x)
        x = layers.ReLU(name=f"{name}_map{i}")(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_last")(x)
    outputs = layers.Dense(
        1,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed * 1009 + 99),
        name=f"{name}_logit",
    )(x)
    return keras.Model(inputs, outputs)


def _compiled(shape, side):
    model = _build(shape, side, 0)
    model.compile(
        optimizer=FusedAdam(_LEARNING_RATE),
        loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=2 * _SMOOTHING),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _maps(model):
    # The first map has the image's own size and sees three pixels.
    return [layer.output for layer in model.layers if "_map" in layer.name][1:]


def _convolutions(model):
    """Return the variables of all layers but the last, in the order of the layers."""
    return [variable for layer in model.layers[:-1] for variable in layer.variables]


def _join(shape, side):
    """Return a model to as many maps as one network has, with the channels of all networks."""
    inputs = keras.Input(shape)
    maps = []
    for i in range(N_NETWORKS):
        model = _build(shape, side, 0, name=f"network{i}")
        trunk = keras.Model(model.inputs[0], _maps(model), name=f"trunk{i}")
        maps.append(keras.tree.flatten(trunk(inputs)))
    outputs = [layers.Concatenate()(level) for level in zip(*maps)]
    joined = keras.Model(inputs, outputs, name="small_networks")
    joined.trainable = False
    return joined


def _columns(joined):
    """Return the columns of the pooled features that come from each network."""
    networks = np.concatenate(
        [np.repeat(np.arange(N_NETWORKS), x.shape[-1] // N_NETWORKS) for x in joined.outputs]
    )
    return [np.flatnonzero(networks == i) for i in range(N_NETWORKS)]
