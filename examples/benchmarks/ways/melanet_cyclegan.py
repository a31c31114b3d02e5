"""melanet: `CycleGAN.fit`, as a user calls it."""

import time

import keras
import numpy as np

from melanet import CycleGAN, UnpairedImages
from melanet.gan.losses import adam
from melanet.utils import reproducible

NAMES = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")


def networks(settings):
    """Return the CycleGAN that all variants start from."""
    shape = (settings["side"], settings["side"], settings["channels"])
    names = ("generator", "filters", "discriminator_filters")
    model = CycleGAN.from_shape(shape, **{name: settings[name] for name in names})
    steps = settings.get("steps_per_execution", 1)
    model.compile(optimizer=adam(settings["learning_rate"]), steps_per_execution=steps)
    return model


def initial_weights(settings):
    """Return the weights that all variants start from, network by network."""
    model = networks(settings)
    return [getattr(model, name).get_weights() for name in NAMES]


def images(settings):
    return np.random.default_rng(0).uniform(-1, 1, settings["images"]).astype("float32")


class InOrder(UnpairedImages):
    """Batches of the images in order, paired with the images from the end."""

    def _draw_order(self):
        super()._draw_order()
        rows = np.arange(self.steps * self.batch_size) % len(self.A)
        self._order = [rows, len(self.A) - 1 - rows]


class Way:
    """A training to be timed."""

    def __init__(self, settings, weights):
        keras.config.set_dtype_policy(settings["policy"])
        self.settings, self.model, self.images = settings, networks(settings), images(settings)
        for name, values in zip(NAMES, weights, strict=True):
            getattr(self.model, name).set_weights(values)

    def run(self, steps):
        """Train for some steps; return the seconds and the mean loss."""
        batches = InOrder(self.images, self.images, self.settings["batch_size"], steps=steps)
        with reproducible():
            start = time.perf_counter()
            history = self.fit(batches).history
            return time.perf_counter() - start, history["loss"][-1]

    def fit(self, batches):
        """Train for an epoch."""
        return self.model.fit(batches, verbose=0)


def version():
    return f"keras {keras.__version__} on {keras.backend.backend()}"
