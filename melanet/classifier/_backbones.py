"""The networks that MelaNet trains: Keras' own by name, and a small one."""

import math
from pathlib import Path

import keras
from keras import layers

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as DenseNet takes it
_TO_BYTES = (255.0, 0.0)
_TO_SYMMETRIC = (2.0, -1.0)
# Name -> class in keras.applications, and (scale, offset) from [0, 1] to what it was trained on.
# VGG16 has none: the paper feeds it [0, 1], without subtracting ImageNet's mean.
_KERAS = {
    "vgg16": ("VGG16", None),
    "densenet121": (
        "DenseNet121",
        ([1 / s for s in _STD], [-m / s for m, s in zip(_MEAN, _STD)]),
    ),
    "efficientnetb0": ("EfficientNetB0", _TO_BYTES),
    "efficientnetv2b0": ("EfficientNetV2B0", _TO_BYTES),
    "mobilenetv2": ("MobileNetV2", _TO_SYMMETRIC),
    "mobilenetv3small": ("MobileNetV3Small", _TO_BYTES),
    "resnet50v2": ("ResNet50V2", _TO_SYMMETRIC),
}
_SMALLEST_INPUT = 32  # of Keras' networks; each halves the picture five times
NAMES = ("small", *_KERAS)


def starts_pretrained(name, weights):
    """Tell whether a backbone starts from trained weights: ``small`` has none of ImageNet."""
    return weights is not None and (name, weights) != ("small", "imagenet")


def build(name, input_size, channels, n_classes, weights=None):
    """Build backbone, global average pooling and softmax, as one flat functional model.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    input_size : (int, int)
        Height and width.
    channels : int
        Channels of the images. Keras' backbones take 3, and one channel stands for three equal
        ones: then the model's input has 3.
    n_classes : int
        Columns of the softmax.
    weights : {"imagenet"}, str, path-like or None, default=None
        Where the backbone starts from.

    Returns
    -------
    keras.Model
        From (n, height, width, channels) in [0, 1] to (n, n_classes) probabilities. The last
        layer is the softmax, and its input the pooled features.

    Raises
    ------
    ValueError
        If the backbone cannot take the images, or the weights file does not fit it.
    FileNotFoundError
        If `weights` is the path of no file.
    OSError
        If ImageNet weights cannot be fetched.

    Examples
    --------
    >>> from melanet import backbones
    >>> model = backbones.build("small", (16, 16), channels=1, n_classes=3)
    >>> model.input_shape, model.output_shape
    ((None, 16, 16, 1), (None, 3))
    """
    if name == "small":
        inputs = keras.Input((*input_size, channels))
        base = keras.Model(inputs, _small(inputs))
    else:
        _check_input(name, input_size, channels)
        inputs = keras.Input((*input_size, 3))
        base = _from_keras(name, inputs, weights == "imagenet")
    if weights not in (None, "imagenet"):
        _load(base, name, weights)
    features = layers.GlobalAveragePooling2D(name="features")(base.output)
    # The softmax in single precision, whatever the rest computes in.
    probabilities = layers.Dense(
        n_classes, activation="softmax", dtype="float32", name="predictions"
    )(features)
    return keras.Model(inputs, probabilities, name="melanet")


def _small(x):
    """Convolutions with batch normalisation, halved until 8 pixels or fewer are left."""
    halvings = max(0, math.ceil(math.log2(min(x.shape[1:3]) / 8)))
    x = layers.Rescaling(*_TO_SYMMETRIC)(x)
    for i in range(max(3, halvings + 1)):
        x = layers.Conv2D(min(16 * 2**i, 128), 3, padding="same", use_bias=False)(x)
        # A fast average: trainings on small sets take few steps.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        if i < halvings:
            x = layers.MaxPooling2D()(x)
    return x


def _from_keras(name, inputs, imagenet):
    constructor, scaling = _KERAS[name]
    x = inputs if scaling is None else layers.Rescaling(*scaling)(inputs)
    options = {"include_top": False, "input_tensor": x}
    if not imagenet:
        return getattr(keras.applications, constructor)(weights=None, **options)
    try:
        return getattr(keras.applications, constructor)(weights="imagenet", **options)
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise OSError(
            f"backbone_weights='imagenet': Keras could not fetch the weights of {name} ({error}). "
            "Without a network, fetch the file at that address elsewhere and give its path as "
            "backbone_weights=path, or copy it to Keras' cache (~/.keras/models); "
            "backbone_weights=None trains from scratch"
        ) from error


def _load(base, name, path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            "backbone_weights must be 'imagenet', None or the path of a weights file. "
            f"Received: {str(path)!r}, which is no file"
        )
    try:
        base.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"backbone_weights must name a weights file of {name} without its top (Keras' files "
            f"say 'notop'), ending in .h5 or .weights.h5. Received: {str(path)!r} ({error})"
        ) from error


def _check_input(name, input_size, channels):
    if min(input_size) < _SMALLEST_INPUT:
        raise ValueError(
            f"input_size must be at least {_SMALLEST_INPUT} for backbone={name!r}. Received: "
            f"input_size={input_size}. Enlarge it, or take backbone='small'"
        )
    if channels not in (1, 3):
        raise ValueError(
            f"backbone={name!r} takes images of 1 or 3 channels. Received: {channels} channels. "
            "Select channels, or take backbone='small'"
        )
