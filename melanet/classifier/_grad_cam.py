"""Grad-CAM: where in an image a classifier finds what speaks for a class."""

import weakref

import keras
import numpy as np
from keras import layers, ops

_POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)
# Network -> its two halves: made for every call, they would pile up in Keras.
_HALVES = weakref.WeakKeyDictionary()
# From cold to hot: blue, cyan, yellow, red.
_COLOURS = np.array([[0, 0, 255], [0, 255, 255], [255, 255, 0], [255, 0, 0]], "float32")


def last_convolution(model):
    """Return the last layer whose output is spatial and not just pooled.

    In VGG16 that is ``block5_conv3``, as in the paper; in other networks the activation that
    follows the last convolution.
    """
    for layer in reversed(model.layers):
        if len(layer.output.shape) == 4 and not isinstance(layer, _POOLING):
            return layer
    raise ValueError("The model has no layer with a spatial output.")


def check_classifier(model, source):
    """Refuse a model that is no network from images to a dense softmax."""
    if getattr(model, "inputs", None) is None:  # a CycleGAN, say
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


def grad_cam(model, images, columns):
    r"""Heat maps by Grad-CAM.

    As in [1]_: with :math:`A^k` the feature maps of the last convolution and :math:`y^c` the score
    of class c before the softmax, a map is :math:`\mathrm{ReLU}(\sum_k \alpha_k A^k)`, where
    :math:`\alpha_k` is the mean of :math:`\partial y^c / \partial A^k` over the map.

    Parameters
    ----------
    model : keras.Model
        Functional, of one input; its last layer is a dense softmax.
    images : ndarray of shape (n, height, width, channels)
        What the model takes.
    columns : ndarray of int of shape (n,)
        The class, as a column of the softmax, to explain for each image.

    Returns
    -------
    ndarray of shape (n, h, w), float32
        At least 0, at the size of the feature maps; not scaled.

    References
    ----------
    .. [1] Selvaraju, R. R., Cogswell, M., Das, A., Vedantam, R., Parikh, D., & Batra, D. (2017).
       Grad-CAM: Visual explanations from deep networks via gradient-based localization. ICCV,
       618-626.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet import backbones
    >>> from melanet.classifier import grad_cam
    >>> model = backbones.build("small", (16, 16), channels=1, n_classes=2)
    >>> grad_cam(model, np.ones((3, 16, 16, 1)), np.array([0, 1, 1])).shape
    (3, 8, 8)
    """
    before, rest = _halves(model)
    features = before(ops.convert_to_tensor(images), training=False)
    weights = ops.transpose(ops.take(model.layers[-1].kernel, columns, axis=1))

    def score(features):
        return ops.sum(ops.cast(rest(features, training=False), "float32") * weights)

    gradients = _gradient(score, features)
    alpha = ops.mean(gradients, axis=(1, 2), keepdims=True)
    heat = ops.relu(ops.sum(ops.cast(alpha * features, "float32"), axis=-1))
    return ops.convert_to_numpy(heat)


def _halves(model):
    """Return the network up to its last convolution, and from there to the pooled features."""
    if model not in _HALVES:
        maps = last_convolution(model).output
        _HALVES[model] = (
            keras.Model(model.inputs[0], maps),
            keras.Model(maps, model.layers[-1].input),
        )
    return _HALVES[model]


def _gradient(function, x):
    """Return the gradient of a scalar function under Keras' present backend."""
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


def overlay(pictures, heatmaps):
    """Lay heat maps over pictures, in colours from blue (little) to red (most).

    What is shown is where the network looked, not where a lesion is; it is no basis for a
    diagnosis.

    Parameters
    ----------
    pictures : ndarray of shape (n, height, width, 3), uint8
        RGB.
    heatmaps : ndarray of shape (n, height, width)
        In [0, 1]; the picture shows through where it is low.

    Returns
    -------
    ndarray of shape (n, height, width, 3), uint8
        ``PIL.Image.fromarray`` makes a picture of each.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.classifier import overlay
    >>> overlay(np.zeros((1, 1, 2, 3), "uint8"), np.array([[[0.0, 1.0]]])).tolist()
    [[[[0, 0, 0], [153, 0, 0]]]]
    """
    stops = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(heatmaps, stops, channel) for channel in _COLOURS.T], axis=-1)
    opacity = 0.6 * np.asarray(heatmaps)[..., None]
    return np.rint(pictures * (1 - opacity) + colours * opacity).astype("uint8")
