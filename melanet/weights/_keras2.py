"""Rebuild models from the HDF5 files of Keras 2, using a short list of known layers.

A file is read as data: a JSON text that describes the graph, and arrays of weights. Nothing in it
names code to import or run, and no array is allocated that the file does not hold.
"""

import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any

import h5py
import keras
from keras import layers

from melanet.layers import InstanceNormalization, UpsamplingConv2D

_REQUIRED = object()
_CONV = {
    "filters": _REQUIRED,
    "kernel_size": _REQUIRED,
    "strides": (1, 1),
    "padding": "valid",
    "dilation_rate": (1, 1),
    "activation": "linear",
    "use_bias": True,
}
_POOL = {"pool_size": (2, 2), "strides": None, "padding": "valid"}
# Every known layer, with the settings that change its output and Keras 2's defaults.
_LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Activation": (layers.Activation, {"activation": _REQUIRED}),
    "Add": (layers.Add, {}),
    "AveragePooling2D": (layers.AveragePooling2D, _POOL),
    "BatchNormalization": (
        layers.BatchNormalization,
        {"axis": -1, "momentum": 0.99, "epsilon": 1e-3, "center": True, "scale": True},
    ),
    "Concatenate": (layers.Concatenate, {"axis": -1}),
    "Conv2D": (layers.Conv2D, _CONV),
    "Cropping2D": (layers.Cropping2D, {"cropping": ((0, 0), (0, 0))}),
    "Dense": (layers.Dense, {"units": _REQUIRED, "activation": "linear", "use_bias": True}),
    "Dropout": (layers.Dropout, {"rate": _REQUIRED}),
    "Flatten": (layers.Flatten, {}),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, {}),
    "GlobalMaxPooling2D": (layers.GlobalMaxPooling2D, {}),
    "InstanceNormalization": (
        InstanceNormalization,
        {"axis": None, "epsilon": 1e-3, "center": True, "scale": True},
    ),
    "LeakyReLU": (layers.LeakyReLU, {"alpha": 0.3}),
    "MaxPooling2D": (layers.MaxPooling2D, _POOL),
    "ReLU": (layers.ReLU, {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "UpSampling2D": (layers.UpSampling2D, {"size": (2, 2), "interpolation": "nearest"}),
    "ZeroPadding2D": (layers.ZeroPadding2D, {"padding": (1, 1)}),
}
_RENAMED = {"alpha": "negative_slope"}
# Activations that are the same in Keras 2 and 3 (hard_sigmoid changed).
_ELEMENTWISE = {"linear", "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign"}
_ACTIVATIONS = _ELEMENTWISE | {"softmax"}
# Settings that change training or the layout in memory, not the answers.
_NO_EFFECT = re.compile(
    r"name|dtype|trainable|batch_input_shape|sparse|ragged|seed|noise_shape|"
    r"\w+_(initializer|regularizer|constraint)"
)
# Values in one sample of one tensor; VGG16 at 256x256 has 2**22.
_LARGEST_SAMPLE = 2**28


def read_keras2(path: Path) -> keras.Model:
    """Read a whole-model HDF5 file that Keras 2 wrote.

    An up-sampling by two before a single plain 'same' convolution becomes an `UpsamplingConv2D`
    with the convolution's name, which is equal and faster. Optimizer, loss and regularizers are
    ignored.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Returns
    -------
    keras.Model
        Functional and not compiled, with the file's layer names and input size.

    Raises
    ------
    ValueError
        If the file is corrupt, is not such a file, or has an unknown layer or setting.
    """
    try:
        with h5py.File(path, "r") as file:
            config = _model_config(file)
            weights = _Weights(file, Path(path).stat().st_size)
            return _build(config, weights)
    except Exception as error:  # an untrusted file can raise anything
        raise ValueError(
            f"This file cannot be read as a Keras 2 model. Received: {str(path)!r} ({error})"
        ) from error


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _model_config(file):
    if "model_config" not in file.attrs:
        if "layer_names" in file.attrs:
            raise ValueError("it holds weights without the model; save the whole model")
        raise ValueError("it is an HDF5 file without model_config, not a model")
    version = _text(file.attrs.get("keras_version", "2."))
    if not version.startswith("2."):
        raise ValueError(
            f"it was written by Keras {version}; save the model as .keras instead of HDF5"
        )
    config = json.loads(_text(file.attrs["model_config"]))
    if config["class_name"] not in ("Model", "Functional"):
        raise ValueError(f"it holds a {config['class_name']}, not a functional Model")
    return config["config"]


class _Weights:
    """Arrays of a file by layer; together they take no more memory than the file."""

    def __init__(self, file, limit):
        if "model_weights" not in file:
            raise ValueError("it has no model_weights")
        self._group = self._follow(file, "model_weights")
        self._left = limit

    def shapes(self, layer):
        """Return {short name: dataset} of a layer; the name of "conv2d_1/kernel:0" is "kernel"."""
        if layer not in self._group:
            return {}
        group = self._follow(self._group, layer)
        found = {}
        for name in map(_text, group.attrs.get("weight_names", ())):
            short = re.sub(r"(_\d+)?(:\d+)?$", "", name.rsplit("/", 1)[-1])
            found[short] = dataset = self._follow(group, name)
            if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
                raise ValueError(f"weight {name!r} is no array of floating-point numbers")
            if dataset.is_virtual or dataset.external:
                raise ValueError(f"weight {name!r} lies in another file")
        return found

    def claim(self, datasets):
        """Count the bytes of arrays that will be read, which the file must have."""
        self._left -= sum(dataset.nbytes for dataset in datasets)
        if self._left < 0:
            raise ValueError("its weights claim more bytes than the file has")

    @staticmethod
    def _follow(group, name):
        # Links could lead out of the file: only hard ones are followed.
        for part in name.split("/"):
            if not isinstance(group.get(part, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} is missing, or a link")
            group = group[part]
        return group


def _build(config, weights):
    nodes = {node["name"]: node for node in config["layers"]}
    if len(nodes) != len(config["layers"]):
        raise ValueError("two layers have one name")
    (source,), (target,) = config["input_layers"], config["output_layers"]
    parents = {name: _parents(node) for name, node in nodes.items()}
    fused = {}  # convolution -> the up-sampling that it takes in
    for name, node in nodes.items():
        with _naming(name):
            if _is_plain_convolution(node) and len(parents[name]) == 1:
                up = parents[name][0]
                users = [n for n, inputs in parents.items() for i in inputs if i == up]
                if up != target[0] and users == [name] and _is_doubling(nodes.get(up)):
                    fused[name] = up
    tensors = {}
    for name, node in nodes.items():  # Keras wrote them in the order of the graph
        with _naming(name):
            if node["class_name"] == "InputLayer":
                tensors[name] = _input(node)
            elif name in fused:
                (before,) = parents[fused[name]]
                tensors[name] = _apply(_fused_layer(node), [tensors[before]], weights)
            elif name not in fused.values():
                inputs = [tensors[parent] for parent in parents[name]]
                tensors[name] = _apply(_layer(node), inputs, weights)
    return keras.Model(tensors[source[0]], tensors[target[0]], name=config.get("name"))


@contextlib.contextmanager
def _naming(layer):
    try:
        yield
    except KeyError as error:
        raise ValueError(f"layer {layer!r} lacks {error}") from error
    except Exception as error:
        raise ValueError(f"layer {layer!r}: {error}") from error


def _parents(node):
    """Return the names of a layer's input layers."""
    calls = node["inbound_nodes"]
    if node["class_name"] == "InputLayer":
        return []
    if len(calls) != 1:
        raise ValueError(f"layer {node['name']!r} is used {len(calls)} times; only once is read")
    for _, call, output, options in calls[0]:
        if (call, output) != (0, 0) or options:
            raise ValueError(f"layer {node['name']!r} is called in an unsupported way")
    return [name for name, *_ in calls[0]]


def _settings(node):
    """Return a layer's class and its checked settings under Keras 3's names."""
    kind, config = node["class_name"], node["config"]
    if kind not in _LAYERS:
        raise ValueError(
            f"layers of class {kind!r} are not supported; supported are {', '.join(_LAYERS)}"
        )
    build, known = _LAYERS[kind]
    if config.get("data_format", "channels_last") != "channels_last":
        raise ValueError("the only supported data format is channels_last")
    settings = {}
    for key in config:
        if key not in known and key != "data_format" and not _NO_EFFECT.fullmatch(key):
            raise ValueError(f"the setting {key!r} of a {kind} is unknown")
    for key, default in known.items():
        value = config.get(key, default)
        if value is _REQUIRED:
            raise ValueError(f"the setting {key!r} is missing")
        settings[_RENAMED.get(key, key)] = value
    activation = settings.get("activation", "linear")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise ValueError(f"the activation {activation!r} is not supported")
    if settings.get("interpolation", "nearest") != "nearest":
        raise ValueError(f"the interpolation {settings['interpolation']!r} is not supported")
    return build, settings


def _layer(node):
    build, settings = _settings(node)
    if "data_format" in node["config"] and build is not layers.Flatten:
        settings["data_format"] = "channels_last"
    return build(**settings, name=node["name"])


def _fused_layer(node):
    _, settings = _settings(node)
    return UpsamplingConv2D(
        settings["filters"],
        settings["kernel_size"][0],
        activation=settings["activation"],
        use_bias=settings["use_bias"],
        name=node["name"],
    )


def _is_doubling(node):
    if node is None or node["class_name"] != "UpSampling2D":
        return False
    return list(_settings(node)[1]["size"]) == [2, 2]


def _is_plain_convolution(node):
    if node["class_name"] != "Conv2D":
        return False
    settings = _settings(node)[1]
    height, width = settings["kernel_size"]
    return (
        height == width
        and settings["padding"] == "same"
        and list(settings["strides"]) == [1, 1]
        and list(settings["dilation_rate"]) == [1, 1]
        and settings["activation"] in _ELEMENTWISE
    )


def _input(node):
    shape = node["config"]["batch_input_shape"][1:]
    _check_size(shape)
    return keras.Input(tuple(shape), name=node["name"])


def _check_size(shape):
    if math.prod(n for n in shape if n is not None) > _LARGEST_SAMPLE:
        raise ValueError(f"one sample of shape {tuple(shape)} is too large to be meant")


def _apply(layer, inputs, weights):
    """Call a layer and load its checked arrays from the file."""
    inputs = inputs[0] if len(inputs) == 1 else inputs
    shape = inputs.shape if hasattr(inputs, "shape") else [x.shape for x in inputs]
    _check_size(layer.compute_output_shape(shape)[1:])
    stored = weights.shapes(layer.name)
    found = {name: dataset.shape for name, dataset in stored.items()}
    expected = _weight_shapes(layer, shape)
    # Before the call: it allocates what the settings ask for.
    if found != expected:
        raise ValueError(f"weights of shapes {expected} are needed, and the file has {found}")
    weights.claim(stored.values())
    outputs = layer(inputs)
    for name, dataset in stored.items():
        getattr(layer, name).assign(dataset[()].astype("float32"))
    return outputs


def _weight_shapes(layer, shape):
    """Return {name: shape} of a layer's variables for an input shape."""
    if isinstance(layer, (layers.Conv2D, UpsamplingConv2D)):
        size = layer.kernel_size
        size = (size, size) if isinstance(size, int) else tuple(size)
        shapes = {"kernel": (*size, shape[-1], layer.filters), "bias": (layer.filters,)}
        return shapes if layer.use_bias else {"kernel": shapes["kernel"]}
    if isinstance(layer, layers.Dense):
        shapes = {"kernel": (shape[-1], layer.units), "bias": (layer.units,)}
        return shapes if layer.use_bias else {"kernel": shapes["kernel"]}
    if not isinstance(layer, (layers.BatchNormalization, InstanceNormalization)):
        return {}
    names = ["gamma"] * layer.scale + ["beta"] * layer.center
    if isinstance(layer, layers.BatchNormalization):
        names += ["moving_mean", "moving_variance"]
    return dict.fromkeys(names, (1 if layer.axis is None else shape[layer.axis],))
