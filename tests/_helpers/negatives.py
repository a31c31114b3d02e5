"""CycleGANs that translate by a formula, and images of a single grey level each."""

import keras
import numpy as np
from PIL import Image

from melanet import CycleGAN


def changing(change, shape):
    """Return a CycleGAN whose translation of a tensor x is ``change(x)``."""
    inputs = keras.Input(shape)
    return CycleGAN(keras.Model(inputs, change(inputs)), None, None, None)


def negative(shape=(8, 8, 3)):
    """Return a CycleGAN that turns x into -x."""
    return changing(keras.layers.Rescaling(-1.0), shape)


def write_colours(folder, counts, size=8):
    """Write images of distinct grey levels; return their paths, labels and colours."""
    paths, labels, colours = [], [], []
    for label, n in counts.items():
        for i in range(n):
            colour = (len(paths),) * 3
            path = folder / label / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (size, size), colour).save(path)
            paths.append(str(path))
            labels.append(label)
            colours.append(colour)
    return paths, np.array(labels), np.array(colours)
