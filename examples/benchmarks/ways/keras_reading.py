"""Ours, but with the batches read as Keras itself reads a data set of Python."""

import keras

from ways import melanet_cyclegan
from ways.melanet_cyclegan import version

__all__ = ["Way", "version"]


class Way(melanet_cyclegan.Way):
    """One training, ready to be timed."""

    def fit(self, batches):  # noqa: D102
        return keras.Model.fit(self.model, batches, shuffle=False, verbose=0)
