"""Frozen networks that turn images into maps of features, and where pretrained ones are found."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from melanet.utils._model_store import STORE, copy_variables
from melanet.utils._typing import PathLike

WORKING_SIDE = 64  # pixels; larger images are reduced to about this side
_SMALLEST_VGG = 48  # pixels; smaller images are enlarged for a network of photographs
_BATCH_SIZE = 64
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
_VGG16_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{VGG16_FILE}"
_VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"  # as keras.applications checks it
_VGG16_MAPS = ("block2_conv2", "block3_conv3", "block4_conv3")
_MEAN = (123.68, 116.779, 103.939)  # of ImageNet's red, green and blue, which VGG16 subtracts


@dataclass(frozen=True)
class FeatureNetwork:
    """Frozen network from images to maps of features.

    Parameters
    ----------
    name : str
        Name of the network, such as "vgg16".
    model : keras.Model
        From images (n, H, W, C) in [-1, 1] to a list of maps (n, h, w, c).
    build : callable
        Returns a new model of the same structure.
    sha256 : str or None, default=None
        Checksum of the file of its weights; None if they were trained on the user's data.
    columns : sequence of ndarray of int or None, default=None
        For each of several independent networks, its columns of the pooled features. None means
        one network that has not seen the user's data.
    folds : sequence of pair of ndarray of int or None, default=None
        For each independent network, the rows of the two classes that it has not seen, unless
        the class has no more rows than there are networks.
    """

    name: str
    model: keras.Model
    build: Callable[[], keras.Model]
    sha256: str | None = None
    columns: Sequence[np.ndarray] | None = None
    folds: Sequence[tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def structure(self) -> tuple[Any, ...]:
        """All that a compiled model depends on."""
        shapes = [tuple(output.shape[1:]) for output in self.model.outputs]
        return self.name, self.sha256, tuple(self.model.input_shape[1:]), *shapes

    @contextlib.contextmanager
    def _lease(self) -> Iterator[keras.Model]:
        with STORE.lease(("features", *self.structure), self.build) as model:
            copy_variables(self.model, model)
            yield model

    def maps(self, images: np.ndarray) -> list[NDArray[np.float32]]:
        """Return the maps of images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C), float32
            Images in [-1, 1].

        Returns
        -------
        list of ndarray of shape (n, h, w, c), float32
        """
        with self._lease() as model:
            parts = [
                keras.tree.flatten(model.predict_on_batch(images[i : i + _BATCH_SIZE]))
                for i in range(0, len(images), _BATCH_SIZE)
            ]
        return [np.concatenate(part) for part in zip(*parts)]

    def pooled(self, images: np.ndarray) -> NDArray[np.float32]:
        """Return the maps' averages over the image.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C), float32
            Images in [-1, 1].

        Returns
        -------
        ndarray of shape (n, n_features), float32
        """
        parts = [
            np.concatenate([m.mean(axis=(1, 2)) for m in self.maps(images[i : i + _BATCH_SIZE])], 1)
            for i in range(0, len(images), _BATCH_SIZE)
        ]
        return np.concatenate(parts)


def find_features(
    features: str | PathLike | keras.Model | FeatureNetwork | None,
    shape: Sequence[int],
    side: int = WORKING_SIDE,
) -> FeatureNetwork | None:
    """Find the pretrained network for images of a shape.

    Parameters
    ----------
    features : {"auto", "imagenet"}, path-like, keras.Model, FeatureNetwork or None
        "auto" takes the ImageNet weights of VGG16 if they are in Keras' cache
        (``~/.keras/models``, or below ``KERAS_HOME``) and never downloads. "imagenet" downloads
        them if they are not. A path names such a file, `VGG16_FILE`. A Keras model maps images of
        this shape, in [-1, 1], to a map (n, h, w, c) or a list of maps. A FeatureNetwork is
        returned.
    shape : tuple of int
        (height, width, channels).
    side : int, default=64
        Side, in pixels, that larger images are reduced to.

    Returns
    -------
    FeatureNetwork or None
        None if `features` is None, if "auto" finds no weights, or if it finds them and the images
        have neither one channel nor three.

    Raises
    ------
    ValueError
        If `features` is no such value, or does not fit the images.
    FileNotFoundError
        If there is no such file.
    OSError
        If weights cannot be downloaded.

    Examples
    --------
    >>> from melanet.features import find_features
    >>> find_features(None, (64, 64, 3)) is None
    True
    """
    shape = tuple(int(n) for n in shape)
    if features is None or isinstance(features, FeatureNetwork):
        return features
    if isinstance(features, keras.Model):
        return _wrap(features, shape)
    fits = shape[-1] in (1, 3)
    if features == "auto":
        path = _cached_file()
        return _vgg16(path, shape, side) if fits and path.is_file() else None
    if not fits:
        raise ValueError(
            f"features={str(features)!r} takes images of 1 or 3 channels. Received: images of "
            f"shape {shape}. Use features=None, or a keras.Model for such images"
        )
    if features == "imagenet":
        return _vgg16(_download(), shape, side)
    path = Path(features)
    if not path.is_file():
        raise FileNotFoundError(
            "features must be 'auto', 'imagenet', None, a keras.Model or the path of a weights "
            f"file. Received: {str(path)!r}, which does not exist"
        )
    return _vgg16(path, shape, side)


def reduction(shape: Sequence[int], side: int) -> int:
    """Return the factor by which images are reduced to about a side."""
    return max(1, round(min(shape[:2]) / side))


def _cached_file():
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return Path(home) / "models" / VGG16_FILE


def _download():
    try:
        return Path(
            keras.utils.get_file(
                VGG16_FILE, _VGG16_URL, cache_subdir="models", file_hash=_VGG16_MD5
            )
        )
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise OSError(
            f"features='imagenet': the weights of VGG16 could not be downloaded ({error}). "
            f"Download {_VGG16_URL} elsewhere and pass its path as features=path, or use "
            "features=None"
        ) from error


def _build_vgg16(shape, side):
    inputs = x = keras.Input(shape)
    if (factor := reduction(shape, side)) > 1:
        x = layers.AveragePooling2D(factor, padding="same", data_format="channels_last")(x)
    if min(x.shape[1:3]) < _SMALLEST_VGG:
        x = layers.UpSampling2D(2, data_format="channels_last", interpolation="bilinear")(x)
    if shape[-1] == 1:
        x = ops.repeat(x, 3, axis=-1)
    x = layers.Rescaling([127.5] * 3, [127.5 - mean for mean in _MEAN])(x)
    x = ops.flip(x, axis=-1)  # VGG16 was trained on blue, green, red
    maps = []
    for block, (convolutions, width) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512)), 1):
        if block > 1:
            x = layers.MaxPooling2D(2, data_format="channels_last")(x)
        for i in range(1, convolutions + 1):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                data_format="channels_last",
                kernel_initializer="zeros",  # an unseeded one would draw from Python's `random`
                name=name,
            )(x)
            if name in _VGG16_MAPS:
                maps.append(x)
    model = keras.Model(inputs, maps, name="vgg16_features")
    model.trainable = False
    return model


def _vgg16(path, shape, side):
    model = _build_vgg16(shape, side)
    try:
        arrays = _read_convolutions(path)
        for layer in model.layers:
            if isinstance(layer, layers.Conv2D):
                layer.set_weights(arrays[layer.name])
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"features must name the weights file of Keras' VGG16 without its top, {VGG16_FILE}. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return FeatureNetwork("vgg16", model, lambda: _build_vgg16(shape, side), digest)


def _read_convolutions(path):
    """Read the kernels and biases of a file by Keras 2 or 3; it runs nothing that it holds."""
    import h5py

    arrays: dict[str, list[np.ndarray]] = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            for layer in name.split("/"):
                if layer.startswith("block") and "_conv" in layer:
                    arrays.setdefault(layer.split(":")[0].split("_W_")[0], []).append(item[()])
                    break

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    # A kernel has four axes and a bias one.
    return {name: sorted(pair, key=lambda array: -array.ndim) for name, pair in arrays.items()}


def _wrap(model, shape):
    if tuple(model.input_shape[1:]) != shape:
        raise ValueError(
            f"features must take images of shape {shape}, or be a function of such. Received: a "
            f"model whose inputs have the shape {tuple(model.input_shape[1:])}"
        )
    outputs = model.outputs
    if any(len(output.shape) != 4 for output in outputs):
        raise ValueError(
            "features must return maps of shape (n, h, w, c). Received: a model whose outputs have "
            f"the shapes {[tuple(output.shape) for output in outputs]}"
        )

    def build():
        copied = keras.models.clone_model(model)
        copied.trainable = False
        return keras.Model(copied.inputs[0], list(copied.outputs))

    frozen = build()
    copy_variables(model, frozen)
    digest = hashlib.sha256()
    for weights in frozen.get_weights():
        digest.update(np.ascontiguousarray(weights).data)
    return FeatureNetwork("model", frozen, build, digest.hexdigest())
