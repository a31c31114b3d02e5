"""Networks that MelaNet trains: Keras' own by name, and a small one."""

import math
from pathlib import Path

import keras
from keras import layers

from melanet.utils._typing import PathLike
from melanet.weights import _reader

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which DenseNet expects
_TO_BYTES = (255.0, 0.0)
_TO_SYMMETRIC = (2.0, -1.0)
# Name -> class in keras.applications, and (scale, offset) from [0, 1] to the range of its
# pretraining. VGG16 has none: the paper feeds it [0, 1] without subtracting ImageNet's mean.
_KERAS = {
    "vgg16": ("VGG16", None),
    "densenet121": (
        "DenseNet121",
        # Of shape (1, 1, 3): Keras moves plain channels first if its settings say so.
        ([[[1 / s for s in _STD]]], [[[-m / s for m, s in zip(_MEAN, _STD)]]]),
    ),
    "efficientnetb0": ("EfficientNetB0", _TO_BYTES),
    "efficientnetv2b0": ("EfficientNetV2B0", _TO_BYTES),
    "mobilenetv2": ("MobileNetV2", _TO_SYMMETRIC),
    "mobilenetv3small": ("MobileNetV3Small", _TO_BYTES),
    "resnet50v2": ("ResNet50V2", _TO_SYMMETRIC),
}
_MIN_KERAS_INPUT = 32  # pixels; Keras' networks halve the image five times
NAMES = ("small", *_KERAS)


def starts_pretrained(name: str, weights: PathLike | None) -> bool:
    """Return whether a backbone starts from trained weights; "small" has none of ImageNet."""
    return weights is not None and (name, weights) != ("small", "imagenet")


def build(
    name: str,
    input_size: tuple[int, int],
    channels: int,
    n_classes: int,
    weights: PathLike | None = None,
) -> keras.Model:
    """Build backbone, global average pooling and softmax as one flat functional model.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    input_size : (int, int)
        Height and width.
    channels : int
        Channels of the images. Keras' backbones take 3; for images of one channel the model's
        input still has 3, and the caller repeats the channel.
    n_classes : int
        Columns of the softmax.
    weights : {"imagenet"}, str, path-like or None, default=None
        Initial weights of the backbone: ImageNet's, a weights file, or random.

    Returns
    -------
    keras.Model
        From (n, height, width, channels) in [0, 1] to (n, n_classes) probabilities. The last
        layer is the softmax; its input is the pooled features.

    Raises
    ------
    ValueError
        If the backbone cannot take the images, or the weights file does not fit it.
    FileNotFoundError
        If the weights file does not exist.
    OSError
        If ImageNet weights cannot be downloaded.

    Examples
    --------
    >>> from melanet.classifier import _backbones
    >>> model = _backbones.build("small", (16, 16), channels=1, n_classes=3)
    >>> model.input_shape, model.output_shape
    ((None, 16, 16, 1), (None, 3))
    """
    if name == "small":
        inputs = keras.Input((*input_size, channels))
        base = keras.Model(inputs, _small(inputs))
    else:
        _check_keras_input(name, input_size, channels)
        inputs = keras.Input((*input_size, 3))
        base = _keras_backbone(name, inputs, weights == "imagenet")
    if weights is not None and weights != "imagenet":
        _load_weights(base, name, weights)
    features = layers.GlobalAveragePooling2D(name="features")(base.output)
    # The softmax is in single precision also under a mixed-precision policy.
    probabilities = layers.Dense(
        n_classes, activation="softmax", dtype="float32", name="predictions"
    )(features)
    return keras.Model(inputs, probabilities, name="melanet")


def _small(x):
    """Apply convolutions with batch normalisation, pooling until at most 8 pixels remain.

    The names are fixed, because TensorFlow keeps memory for each that it has seen
    (docs/decisions/compiled-models.md).
    """
    halvings = max(0, math.ceil(math.log2(min(x.shape[1:3]) / 8)))
    x = layers.Rescaling(*_TO_SYMMETRIC)(x)
    for i in range(max(3, halvings + 1)):
        width, name = min(16 * 2**i, 128), f"convolution{i}"
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=name)(x)
        # A fast moving average: training on a small set takes few steps.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x)
        x = layers.ReLU()(x)
        if i < halvings:
            x = layers.MaxPooling2D()(x)
    return x


def _keras_backbone(name, inputs, imagenet):
    constructor, scaling = _KERAS[name]
    x = inputs if scaling is None else layers.Rescaling(*scaling)(inputs)
    options = {"include_top": False, "input_tensor": x}
    if not imagenet:
        return getattr(keras.applications, constructor)(weights=None, **options)
    try:
        return getattr(keras.applications, constructor)(weights="imagenet", **options)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise OSError(
            f"backbone_weights='imagenet': Keras could not download the weights of {name} "
            f"({error}). Without a network connection, download the file at that address "
            "elsewhere and pass its path as backbone_weights=path, or copy it to Keras' cache "
            "(~/.keras/models). backbone_weights=None trains from scratch"
        ) from error


def _load_weights(base, name, path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            "backbone_weights must be 'imagenet', None or the path of a weights file. "
            f"Received: {str(path)!r}, which does not exist"
        )
    try:
        _reader.load_weights(base, path)
    except ValueError as error:
        raise ValueError(
            f"backbone_weights must name a file with the weights of {name} without its top "
            f"('notop' in the names of Keras' files). {error}"
        ) from error


def _check_keras_input(name, input_size, channels):
    if min(input_size) < _MIN_KERAS_INPUT:
        raise ValueError(
            f"input_size must be at least {_MIN_KERAS_INPUT} for backbone={name!r}. Received: "
            f"input_size={input_size}. Use a larger one, or backbone='small'"
        )
    if channels not in (1, 3):
        raise ValueError(
            f"backbone={name!r} takes images of 1 or 3 channels. Received: {channels} channels. "
            "Select channels, or use backbone='small'"
        )
