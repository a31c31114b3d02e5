"""Loss curve of a short training on toy lesions."""

import keras
import numpy as np

from melanet import CycleGAN, UnpairedImages
from melanet.datasets import make_lesions
from melanet.utils import reproducible


def curve(steps, side, policy, seed):
    """Return the mean loss of each tenth of a training of the paper's networks."""
    X, y = make_lesions(60, weights=(0.5, 0.5), image_size=side, random_state=0)
    images = np.asarray(X, "float32") / 127.5 - 1
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = CycleGAN.from_shape(images.shape[1:])
    finally:
        keras.config.set_dtype_policy(previous)
    batches = UnpairedImages(images[y == 0], images[y == 1], seed=seed, steps=steps // 10)
    with reproducible():
        return model.fit(batches, epochs=10, verbose=0).history["loss"]
