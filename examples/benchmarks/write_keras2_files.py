"""Write full-size model files with Keras 2.3.1, to test `melanet.weights.read_model`.

Run it under Python 3.7 with ``tensorflow-cpu==2.1.0 keras==2.3.1 h5py==2.10.0 "protobuf<3.20"``::

    python write_keras2_files.py FOLDER

For each of ``generator`` (the paper's U-Net, 256x256, 32 filters) and ``melanet`` (VGG16, pooling,
softmax, with Adadelta's slots after one step) it writes ``NAME.h5`` and ``NAME_io.npz``, inputs
``x`` and outputs ``y``. Weights are random. To compare, under this package's Python::

    model = weights.read_model("FOLDER/generator.h5")
    with np.load("FOLDER/generator_io.npz") as io:
        print(abs(model.predict(io["x"].astype("float32")) - io["y"]).max())
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import backend as K
from keras import layers


class InstanceNormalization(layers.Layer):
    """keras_contrib's layer with its defaults: statistics over all axes except the batch."""

    def build(self, input_shape):
        """Create gamma and beta."""
        self.gamma = self.add_weight(shape=(1,), name="gamma", initializer="ones")
        self.beta = self.add_weight(shape=(1,), name="beta", initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        """Normalise."""
        axes = [1, 2, 3]
        scale = K.std(inputs, axes, keepdims=True) + 1e-3
        return (inputs - K.mean(inputs, axes, keepdims=True)) / scale * self.gamma + self.beta

    def get_config(self):
        """Return the settings that keras_contrib saves."""
        settings = {"axis": None, "epsilon": 1e-3, "center": True, "scale": True}
        return {**super().get_config(), **settings}


def generator(size=256, filters=32):
    """Build the paper's U-Net."""
    x = inputs = layers.Input((size, size, 3))
    skips = []
    for level in range(4):
        x = layers.Conv2D(filters * 2**level, 4, strides=2, padding="same")(x)
        x = InstanceNormalization()(layers.LeakyReLU(alpha=0.2)(x))
        skips.append(x)
    for level in (2, 1, 0):
        x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(filters * 2**level, 4, padding="same", activation="relu")(x)
        x = layers.Concatenate()([InstanceNormalization()(x), skips[level]])
    x = layers.Conv2D(3, 4, padding="same", activation="tanh")(layers.UpSampling2D(2)(x))
    return keras.Model(inputs, x)


def melanet(size=256):
    """Build VGG16 with pooling and softmax, and train it for one step."""
    base = keras.applications.vgg16.VGG16(
        weights=None, include_top=False, input_shape=(size, size, 3)
    )
    x = layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.input, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adadelta(lr=1e-3, rho=0.95), "categorical_crossentropy")
    model.train_on_batch(np.zeros((2, size, size, 3)), np.eye(2))
    return model


def main(folder):
    """Write both files and their outputs."""
    rng = np.random.RandomState(0)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in (("generator", generator()), ("melanet", melanet())):
        # Move biases and norms off their initial values.
        model.set_weights(
            [w + 0.05 * rng.normal(size=w.shape) * (w.ndim == 1) for w in model.get_weights()]
        )
        model.save(str(folder / f"{name}.h5"))
        x = rng.uniform(-1, 1, (2, *model.input_shape[1:])).astype("float16")
        y = model.predict(x.astype("float32"), batch_size=1)
        np.savez(str(folder / f"{name}_io.npz"), x=x, y=y)


if __name__ == "__main__":
    main(sys.argv[1])
