"""melanet, with the batches read by Keras' own data adapter."""

import keras

from ways import melanet_cyclegan
from ways.melanet_cyclegan import version

__all__ = ["Way", "version"]


class Way(melanet_cyclegan.Way):
    """A training to be timed."""

    def fit(self, batches):  # noqa: D102
        return keras.Model.fit(self.model, batches, shuffle=False, verbose=0)
