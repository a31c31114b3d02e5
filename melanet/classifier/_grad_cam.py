"""Grad-CAM: heat maps of the image regions that support a class."""

import weakref
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import ArrayLike, NDArray

from melanet.utils._typing import PathLike

_POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)
# Model -> its two halves. Built for every call, they would pile up in Keras.
_HALVES: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
# From cold to hot: blue, cyan, yellow, red.
_COLOURS = np.array([[0, 0, 255], [0, 255, 255], [255, 255, 0], [255, 0, 0]], "float32")


def last_convolution(model: keras.Model) -> keras.layers.Layer:
    """Return the last layer with a spatial output that is not a pooling layer.

    In VGG16 that is ``block5_conv3``, as in the paper; in other networks it is the activation
    after the last convolution.
    """
    for layer in reversed(model.layers):
        if len(layer.output.shape) == 4 and not isinstance(layer, _POOLING):
            return layer
    raise ValueError("The model has no layer with a spatial output.")


def check_classifier(model: Any, source: PathLike) -> None:
    """Raise unless a model maps images of a fixed size to a dense softmax."""
    if getattr(model, "inputs", None) is None:  # a CycleGAN, for example
        raise ValueError(
            "The file must hold a network from images of a fixed size to a dense softmax. "
            f"Received: {str(source)!r}, which holds a {type(model).__name__}"
        )
    last = model.layers[-1]
    if (
        len(model.inputs) != 1
        or len(model.input_shape) != 4
        or None in model.input_shape[1:]
        or not isinstance(last, layers.Dense)
        or last.activation is not keras.activations.softmax
        or last.units < 2
    ):
        raise ValueError(
            "The file must hold a network from images of a fixed size to a dense softmax of two "
            f"columns or more. Received: {str(source)!r}, from {model.input_shape} to "
            f"{model.output_shape} by {type(last).__name__}"
        )


def grad_cam(
    model: keras.Model, images: NDArray[Any], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    r"""Compute Grad-CAM heat maps.

    As in [1]_: with :math:`A^k` the feature maps of the last convolution and :math:`y^c` the score
    of class c before the softmax, a map is :math:`\mathrm{ReLU}(\sum_k \alpha_k A^k)`, where
    :math:`\alpha_k` is the mean of :math:`\partial y^c / \partial A^k` over the map.

    Parameters
    ----------
    model : keras.Model
        Functional model of one input; its last layer is a dense softmax.
    images : ndarray of shape (n, height, width, channels)
        Input of the model.
    columns : ndarray of int of shape (n,)
        Column of the softmax to explain, for each image.

    Returns
    -------
    ndarray of shape (n, h, w), float32
        Values of at least 0, not scaled, at the size of the feature maps.

    References
    ----------
    .. [1] Selvaraju, R. R., Cogswell, M., Das, A., Vedantam, R., Parikh, D., & Batra, D. (2017).
       Grad-CAM: Visual explanations from deep networks via gradient-based localization. ICCV,
       618-626.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.classifier import _backbones
    >>> from melanet.classifier import grad_cam
    >>> model = _backbones.build("small", (16, 16), channels=1, n_classes=2)
    >>> grad_cam(model, np.ones((3, 16, 16, 1)), np.array([0, 1, 1])).shape
    (3, 8, 8)
    """
    features_of, pooled_of = _halves(model)
    features = features_of(ops.convert_to_tensor(images), training=False)
    weights = ops.transpose(ops.take(model.layers[-1].kernel, columns, axis=1))

    def score(features):
        return ops.sum(ops.cast(pooled_of(features, training=False), "float32") * weights)

    gradients = _gradient(score, features)
    alpha = ops.mean(gradients, axis=(1, 2), keepdims=True)
    heatmaps = ops.relu(ops.sum(ops.cast(alpha * features, "float32"), axis=-1))
    return ops.convert_to_numpy(heatmaps)


def _halves(model):
    """Return two models: input to last convolution, and from there to the pooled features."""
    if model not in _HALVES:
        features = last_convolution(model).output
        _HALVES[model] = (
            keras.Model(model.inputs[0], features),
            keras.Model(features, model.layers[-1].input),
        )
    return _HALVES[model]


def _gradient(function, x):
    """Return the gradient of a scalar function under the current Keras backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)
    if backend == "jax":
        import jax

        return jax.grad(function)(x)
    import torch

    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def overlay(images: NDArray[np.uint8], heatmaps: ArrayLike) -> NDArray[np.uint8]:
    """Blend heat maps over images, in colours from blue (low) to red (high).

    The maps show where the network looked, not where a lesion is. They are no basis for a
    diagnosis.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), uint8
        RGB images.
    heatmaps : array-like of shape (n, height, width)
        Values in [0, 1]; the image shows through where they are low.

    Returns
    -------
    ndarray of shape (n, height, width, 3), uint8
        RGB images; ``PIL.Image.fromarray(overlays[0])`` converts one.

    Raises
    ------
    ValueError
        If `images` are not uint8, or `heatmaps` leave [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.classifier import overlay
    >>> overlay(np.zeros((1, 1, 2, 3), "uint8"), np.array([[[0.0, 1.0]]])).tolist()
    [[[[0, 0, 0], [153, 0, 0]]]]
    """
    images, heatmaps = np.asarray(images), np.asarray(heatmaps)
    if images.dtype != np.uint8:
        raise ValueError(
            "images must be RGB pixels, uint8 in [0, 255]. "
            f"Received: {images.dtype}. Convert them; MelaNet.explain does so itself"
        )
    # Negated, so that NaN fails.
    if heatmaps.size and not (heatmaps.min() >= 0 and heatmaps.max() <= 1):
        raise ValueError(
            "heatmaps must lie in [0, 1]; divide each by its maximum. Received: values from "
            f"{heatmaps.min():g} to {heatmaps.max():g}"
        )
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(heatmaps, stops, channel) for channel in _COLOURS.T], axis=-1)
    opacity = 0.6 * heatmaps[..., None]
    return np.rint(images * (1 - opacity) + colours * opacity).astype("uint8")
