"""Model files (HDF5) in the layout of Keras 2.3.1."""

import json

import h5py
import keras
import numpy as np

from melanet.layers import InstanceNormalization


class Twin:
    """A network that is built in Keras 3 and has a Keras 2 configuration.

    Settings are Keras 2's. Omitted settings are omitted from the file, too.
    """

    def __init__(self, shape):
        config = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False}
        self.nodes = [_node("InputLayer", "input_1", config, [])]
        self._tensors = {"input_1": keras.Input(shape)}
        self._layers = {}

    def add(self, kind, *parents, keras3=None, **config):
        """Add a layer after `parents` (default: the last layer), and return its name."""
        parents = parents or (self.nodes[-1]["name"],)
        name = f"{kind.lower()}_{len(self.nodes)}"
        settings = {k: v for k, v in config.items() if k != "data_format"}
        if "alpha" in settings:
            settings["negative_slope"] = settings.pop("alpha")
        build = {"InstanceNormalization": InstanceNormalization}.get(kind)
        layer = (build or getattr(keras.layers, kind))(**settings, **(keras3 or {}))
        inputs = [self._tensors[parent] for parent in parents]
        self._tensors[name] = layer(inputs if len(inputs) > 1 else inputs[0])
        self._layers[name] = layer
        self.nodes.append(_node(kind, name, config, parents))
        return name

    def conv(self, filters, size, *parents, **config):
        """Add a 'same' convolution with all settings that Keras 2 writes."""
        defaults = {
            "strides": [1, 1],
            "padding": "same",
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "linear",
            "use_bias": True,
        }
        size = [size, size] if isinstance(size, int) else size
        config = {**defaults, "filters": filters, "kernel_size": size, **config}
        return self.add("Conv2D", *parents, **config)

    def model(self, seed=0):
        """Return the Keras model with random weights, biases and norms."""
        model = keras.Model(self._tensors["input_1"], self._tensors[self.nodes[-1]["name"]])
        rng = np.random.default_rng(seed)
        for weight in model.weights:
            scale = 0.1 if len(weight.shape) == 1 else np.prod(weight.shape[:-1]) ** -0.5
            centre = keras.ops.convert_to_numpy(weight) if len(weight.shape) == 1 else 0
            weight.assign(np.abs(centre) + rng.normal(0, scale, weight.shape))
        return model

    def write(self, path, edit=None, version="2.3.1"):
        """Write the file, with the configuration changed by `edit`."""
        config = {
            "name": "model_1",
            "layers": self.nodes,
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [[self.nodes[-1]["name"], 0, 0]],
        }
        model_config = json.loads(json.dumps({"class_name": "Model", "config": config}))
        if edit is not None:
            model_config = edit(model_config) or model_config
        with h5py.File(path, "w") as file:
            file.attrs["backend"] = b"tensorflow"
            file.attrs["keras_version"] = version.encode()
            file.attrs["model_config"] = json.dumps(model_config).encode()
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = [node["name"].encode() for node in self.nodes]
            for node in self.nodes:
                name, layer = node["name"], self._layers.get(node["name"])
                weights = {} if layer is None else {w.name: w for w in layer.weights}
                part = group.create_group(name)
                names = [f"{name}/{short}:0".encode() for short in weights]
                part.attrs["weight_names"] = names or np.zeros(0, "S1")
                for short, weight in weights.items():
                    part[f"{name}/{short}:0"] = keras.ops.convert_to_numpy(weight)
        return path


def _node(kind, name, config, parents):
    inbound = [[[parent, 0, 0, {}] for parent in parents]] if parents else []
    config = {"name": name, "trainable": True, **config}
    return {"name": name, "class_name": kind, "config": config, "inbound_nodes": inbound}


def unet(size, filters):
    """Return the paper's U-Net generator with plain layers."""
    net = Twin((size, size, 3))
    skips = []
    for level in range(4):
        net.conv(filters * 2**level, 4, strides=[2, 2])
        net.add("LeakyReLU", alpha=0.2)
        skips.append(net.add("InstanceNormalization", axis=None, epsilon=1e-3))
    for level in reversed(range(3)):
        net.add("UpSampling2D", size=[2, 2], data_format="channels_last", interpolation="nearest")
        net.conv(filters * 2**level, 4, activation="relu")
        name = net.add("InstanceNormalization", axis=None, epsilon=1e-3)
        net.add("Concatenate", name, skips[level], axis=-1)
    net.add("UpSampling2D", size=[2, 2])
    net.conv(3, 4, activation="tanh")
    return net


def vgg_head(size, filters):
    """Return a small network like the classifier: convolutions, pooling, softmax."""
    net = Twin((size, size, 3))
    for width in (filters, 2 * filters):
        net.conv(width, 3, activation="relu")
        net.add("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], padding="valid")
    net.add("GlobalAveragePooling2D", data_format="channels_last")
    net.add("Dense", units=2, activation="softmax", use_bias=True)
    return net
