"""The released notebook's training loop for Keras 3: three kinds of update in turn.

It makes the same forward passes by ``predict`` and ``train_on_batch``, with up-sampling and
convolution as separate layers, and the normalisation written as its formula.
"""

import time

import keras
import numpy as np
from keras import layers, ops

from melanet.gan.losses import adam
from melanet.layers import InstanceNormalization, UpsamplingConv2D
from ways.melanet_cyclegan import NAMES, images, networks, version

__all__ = ["Way", "version", "with_plain_layers"]


class PlainNormalization(layers.Layer):
    """The normalisation of `keras_contrib` as in the notebook, not optimised."""

    def __init__(self, each, **kwargs):
        super().__init__(**kwargs)
        self.each = each  # whether each channel has its own statistics

    def build(self, input_shape):
        shape = (input_shape[-1] if self.each else 1,)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, inputs):
        axes = tuple(range(1, len(inputs.shape) - self.each))
        mean = ops.mean(inputs, axes, keepdims=True)
        deviation = ops.std(inputs, axes, keepdims=True) + 1e-3
        return (inputs - mean) / deviation * self.gamma + self.beta


def with_plain_layers(model):
    """Return a network of the notebook's layers with the same weights."""

    def replace(layer):
        if isinstance(layer, InstanceNormalization):
            return PlainNormalization(each=layer.axis is not None)
        if not isinstance(layer, UpsamplingConv2D):
            return layer.__class__.from_config(layer.get_config())
        convolution = layers.Conv2D(
            layer.filters,
            layer.kernel_size,
            padding="same",
            activation=layer.activation,
            use_bias=layer.use_bias,
        )
        return keras.Sequential([layers.UpSampling2D(2), convolution])

    clone = keras.models.clone_model(model, clone_function=replace)
    clone.set_weights(model.get_weights())
    return clone


class Way:
    """A training to be timed."""

    def __init__(self, settings, weights):
        keras.config.set_dtype_policy(settings["policy"])
        self.settings, self.images = settings, images(settings)
        parts = [getattr(networks(settings), name) for name in NAMES]
        for part, values in zip(parts, weights, strict=True):
            part.set_weights(values)
        self.g_ab, self.g_ba, self.d_a, self.d_b = (with_plain_layers(part) for part in parts)
        rate = settings["learning_rate"]
        for discriminator in (self.d_a, self.d_b):
            discriminator.compile(optimizer=adam(rate), loss="mse")
        side = self.g_ab.input_shape[1:]
        a, b = keras.Input(side), keras.Input(side)
        fake_b, fake_a = self.g_ab(a), self.g_ba(b)
        self.frozen = []
        for discriminator in (self.d_a, self.d_b):
            copy = keras.models.clone_model(discriminator)
            copy.trainable = False
            self.frozen.append(copy)
        self.combined = keras.Model(
            [a, b],
            [
                self.frozen[0](fake_a),
                self.frozen[1](fake_b),
                self.g_ba(fake_b),
                self.g_ab(fake_a),
                self.g_ba(a),
                self.g_ab(b),
            ],
        )
        self.combined.compile(
            optimizer=adam(rate),
            loss=["mse", "mse", "mae", "mae", "mae", "mae"],
            loss_weights=[1, 1, 10, 10, 1, 1],
        )

    def _copy_discriminators(self):
        for copy, discriminator in zip(self.frozen, (self.d_a, self.d_b)):
            copy.set_weights(discriminator.get_weights())

    def step(self, x, y):
        """Make one step; return the seconds of copying weights, and the loss."""
        fake_b = self.g_ab.predict(x, verbose=0)
        fake_a = self.g_ba.predict(y, verbose=0)
        ones = np.ones((len(x), *self.d_a.output_shape[1:]), "float32")
        loss = 0.0
        for discriminator, real, fake in ((self.d_a, x, fake_a), (self.d_b, y, fake_b)):
            loss += discriminator.train_on_batch(real, ones)
            loss += discriminator.train_on_batch(fake, 0 * ones)
        # The released code shares the weights, so that copying them here is not timed.
        start = time.perf_counter()
        self._copy_discriminators()
        copied = time.perf_counter() - start
        losses = self.combined.train_on_batch([x, y], [ones, ones, x, y, x, y])
        return copied, loss + losses[0]

    def run(self, steps):
        """Train on the images in order; return the seconds and the last loss."""
        n, size = len(self.images), self.settings["batch_size"]
        start, copied = time.perf_counter(), 0.0
        for i in range(steps):
            rows = [(i * size + j) % n for j in range(size)]
            seconds, loss = self.step(self.images[rows], self.images[[n - 1 - r for r in rows]])
            copied += seconds
        return time.perf_counter() - start - copied, float(loss)
