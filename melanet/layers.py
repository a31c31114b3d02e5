"""Layers that Keras lacks: instance normalisation, fused up-sampling, padding, edits."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops
from scipy.stats import chi2

_PACKAGE = "melanet"  # part of the layers' names in saved files
_USUAL_COLOURS = 0.9  # share of normally distributed colours that are edited in full
_MOST_DAMPED = 10.0  # greatest divisor of an edit


@keras.saving.register_keras_serializable(_PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalise each sample by its own mean and standard deviation.

    ``y = gamma * (x - mean) / (std + epsilon) + beta`` with the population standard deviation.
    This is the layer of `keras_contrib` that the released CycleGAN was trained with: epsilon is
    added to the standard deviation, not to the variance, and by default the statistics are
    computed over *all* axes but the batch, channels included. PyTorch's ``InstanceNorm2d``
    differs; ``axis=-1`` is close to it.

    Parameters
    ----------
    axis : int or None, default=None
        Axis with separate statistics, gamma and beta, usually -1 for the channels. None pools all
        axes but the batch; gamma and beta then have shape ``(1,)``.
    epsilon : float, default=1e-3
        Number added to the standard deviation.
    center, scale : bool, default=True
        Whether to learn beta, and gamma.
    **kwargs
        Arguments of ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        If `axis` is the batch axis or not an axis of the input.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.layers import InstanceNormalization
    >>> y = InstanceNormalization()(np.arange(8.0).reshape(1, 2, 2, 2))
    >>> print(round(float(np.asarray(y).mean()), 4), tuple(y.shape))
    0.0 (1, 2, 2, 2)
    """

    def __init__(
        self,
        axis: int | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create gamma and beta."""
        rank = len(input_shape)
        if self.axis is not None and (not -rank < self.axis < rank or self.axis == 0):
            raise ValueError(
                f"axis must be None or one of the axes 1 to {rank - 1} of an input of shape "
                f"{tuple(input_shape)} (0 is the batch). Received: axis={self.axis}"
            )
        kept = None if self.axis is None else self.axis % rank
        self._reduced = tuple(i for i in range(1, rank) if i != kept)
        size = 1 if kept is None else input_shape[kept]
        # Along the last axis gamma and beta broadcast without reshaping.
        self._weight_shape = (
            None if kept in (None, rank - 1) else [1] * kept + [size] + [1] * (rank - kept - 1)
        )
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(size,), initializer="ones")
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(size,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Normalise; statistics are computed in float32 for every input dtype."""
        x = ops.cast(inputs, "float32")
        x = x - ops.mean(x, axis=self._reduced, keepdims=True)
        variance = ops.mean(ops.square(x), axis=self._reduced, keepdims=True)
        # The floor keeps the gradient of the square root finite on a constant sample.
        factor = 1.0 / (ops.sqrt(ops.maximum(variance, 1e-12)) + self.epsilon)
        if self.scale:
            factor = factor * self._broadcast(self.gamma)
        x = x * factor
        if self.center:
            x = x + self._broadcast(self.beta)
        return ops.cast(x, self.compute_dtype)

    def _broadcast(self, weight):
        weight = ops.cast(weight, "float32")
        return weight if self._weight_shape is None else ops.reshape(weight, self._weight_shape)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> Sequence[int | None]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }


@keras.saving.register_keras_serializable(_PACKAGE)
class UpsamplingConv2D(keras.layers.Layer):
    """Nearest up-sampling by two and a 'same' convolution, fused into one layer.

    Equal to ``Conv2D(filters, kernel_size, padding="same")(UpSampling2D(2)(x))``, borders
    included. A transposed convolution of stride two and sums over 2x2 boxes replace the up-sampled
    image, with a quarter of the multiplications. The stored kernel is that of the plain
    ``Conv2D``, whose weights load unchanged.

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size : int
        Height and width of the kernel at the high resolution, odd or even.
    activation : str or callable or None, default=None
        Activation, as in ``keras.layers.Conv2D``.
    use_bias : bool, default=True
        Whether to add a bias.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
        Initializer of the plain kernel.
    **kwargs
        Arguments of ``keras.layers.Layer``.

    Raises
    ------
    ValueError
        If `filters` or `kernel_size` is not a positive integer, or the input is not ``(batch,
        height, width, channels)``.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.layers import UpsamplingConv2D
    >>> tuple(UpsamplingConv2D(8, 4)(np.ones((1, 5, 7, 3), "float32")).shape)
    (1, 10, 14, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        activation: str | Callable[..., Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value in (("filters", filters), ("kernel_size", kernel_size)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer. Received: {name}={value!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the plain kernel and the bias."""
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(
                "UpsamplingConv2D takes inputs of shape (batch, height, width, channels) with a "
                f"known number of channels. Received an input of shape {tuple(input_shape)}"
            )
        size = (self.kernel_size, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(
            name="kernel", shape=size, initializer=self.kernel_initializer
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Convolve without computing the up-sampled image."""
        kernel, size = ops.cast(self.kernel, self.compute_dtype), self.kernel_size
        if size < 3:
            # Pad to the smallest kernel for which the sums below are correct.
            kernel, size = ops.pad(kernel, ((1, 2 - size), (1, 2 - size), (0, 0), (0, 0))), 3
        # Nearest up-sampling inserts zeros and sums over 2x2 boxes, and the sums commute with
        # the convolution. Four times the kernel turns the pooling's means into sums.
        # Keras 3.9 on TensorFlow flips only one axis at a time.
        kernel = 4 * ops.transpose(ops.flip(ops.flip(kernel, 0), 1), (0, 1, 3, 2))
        options = {"padding": "valid", "data_format": "channels_last"}
        x = ops.conv_transpose(inputs, kernel, strides=2, **options)
        x = ops.average_pool(x, 2, strides=1, **options)
        if cut := size // 2 - 1:
            batch, height, width, _ = ops.shape(inputs)
            # The gradient of ops.slice is a padding; that of indexing is slow on TensorFlow.
            x = ops.slice(x, (0, cut, cut, 0), (batch, 2 * height, 2 * width, self.filters))
        if self.use_bias:
            x = x + ops.cast(self.bias, self.compute_dtype)
        return self.activation(x)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape with height and width doubled."""
        batch, height, width, _ = input_shape
        double = [None if n is None else 2 * n for n in (height, width)]
        return (batch, *double, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(_PACKAGE)
class ReflectionPadding2D(keras.layers.Layer):
    """Pad height and width with mirrored pixels.

    If a side is not longer than its padding, height and width are padded with zeros instead
    (mid-grey in [-1, 1]).

    Parameters
    ----------
    padding : ((int, int), (int, int))
        Pixels added before and after, for height and for width.
    **kwargs
        Arguments of ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.layers import ReflectionPadding2D
    >>> row = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> np.asarray(ReflectionPadding2D(((0, 0), (1, 1)))(row)).ravel().tolist()
    [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    def __init__(self, padding: Sequence[Sequence[int]], **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = tuple(tuple(int(n) for n in pair) for pair in padding)

    def call(self, inputs: Any) -> Any:
        """Pad."""
        mirrored = all(
            max(pair) < side for pair, side in zip(self.padding, inputs.shape[1:3], strict=True)
        )
        width = ((0, 0), *self.padding, (0, 0))
        return ops.pad(inputs, width, mode="reflect" if mirrored else "constant")

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the padded shape."""
        batch, height, width, channels = input_shape
        padded = [
            None if side is None else side + sum(pair)
            for side, pair in zip((height, width), self.padding, strict=True)
        ]
        return (batch, *padded, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(_PACKAGE)
class ApplyEdit(keras.layers.Layer):
    """Add an edit to an image: ``clip(image + strength * tanh(edit) / p, -1, 1)``.

    The divisor p of a pixel is 1 for usual colours and up to 10 for others, such as those of a
    sticker: p is the squared Mahalanobis distance of its colour, over the one that 90 % of a
    normal distribution lie within. Strength, mean and whitening of the colours are weights that
    are not trained; at first the strength is 1 and all colours are usual.

    Parameters
    ----------
    factor : int, default=1
        Number of times by which the edit is enlarged, bilinearly, before it is cropped to the
        image's size.
    **kwargs
        Arguments of ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.layers import ApplyEdit
    >>> image, edit = np.full((1, 4, 4, 1), 0.5), np.zeros((1, 2, 2, 1))
    >>> float(np.asarray(ApplyEdit(factor=2)([image, edit])).mean())
    0.5
    """

    def __init__(self, factor: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        n = input_shape[0][-1]
        weight = functools.partial(self.add_weight, initializer="zeros", trainable=False)
        self.strength = weight(name="strength", shape=(), initializer="ones")
        self.mean = weight(name="mean", shape=(n,))
        self.whitening = weight(name="whitening", shape=(n, n))
        self._usual = float(chi2.ppf(_USUAL_COLOURS, n))

    def call(self, inputs: Any) -> Any:
        """Enlarge the edit, and add it."""
        image, edit = inputs
        edit = ops.cast(self.strength, edit.dtype) * ops.tanh(edit)
        height, width = image.shape[1:3]
        if self.factor > 1:
            size = (edit.shape[1] * self.factor, edit.shape[2] * self.factor)
            edit = ops.image.resize(
                edit, size, interpolation="bilinear", data_format="channels_last"
            )
        edit = edit[:, :height, :width] / ops.cast(self.divisor(image), edit.dtype)
        return ops.clip(image + edit, -1.0, 1.0)

    def divisor(self, image: Any) -> Any:
        """Return the divisor of each pixel's edit.

        Parameters
        ----------
        image : tensor of shape (n, H, W, C)
            Images in [-1, 1].

        Returns
        -------
        tensor of shape (n, H, W, 1), float32
        """
        white = ops.matmul(ops.cast(image, "float32") - self.mean, self.whitening)
        distance = ops.sum(ops.square(white), axis=-1, keepdims=True)
        return ops.clip(distance / self._usual, 1.0, _MOST_DAMPED)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the image."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "factor": self.factor}
