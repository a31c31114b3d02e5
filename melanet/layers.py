"""Layers that Keras lacks: instance normalisation, a fused up-sampling convolution, padding."""

import keras
from keras import ops

_PACKAGE = "melanet"


@keras.saving.register_keras_serializable(_PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalise every sample by its own mean and standard deviation.

    ``y = gamma * (x - mean) / (std + epsilon) + beta`` with the population standard deviation.
    This is the layer of `keras_contrib` that the released CycleGAN was trained with: epsilon is
    added to the standard deviation, not to the variance, and by default the statistics are taken
    over *all* axes but the batch, channels included. It is not ``InstanceNorm2d`` of PyTorch;
    ``axis=-1`` comes near to that.

    Parameters
    ----------
    axis : int or None, default=None
        The axis that keeps statistics, gamma and beta of its own, usually -1 for the channels.
        None pools all axes but the batch; gamma and beta then have shape ``(1,)``.
    epsilon : float, default=1e-3
        Added to the standard deviation.
    center, scale : bool, default=True
        Whether to learn beta, and gamma.
    **kwargs
        Passed to ``keras.layers.Layer``.

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

    def __init__(self, axis=None, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.supports_masking = True

    def build(self, input_shape):
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
        # Gamma and beta broadcast by themselves along the last axis.
        self._broadcast = (
            None if kept in (None, rank - 1) else [1] * kept + [size] + [1] * (rank - kept - 1)
        )
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=(size,), initializer="ones")
        if self.center:
            self.beta = self.add_weight(name="beta", shape=(size,), initializer="zeros")

    def call(self, inputs):
        """Normalise; statistics are computed in float32 whatever the input's dtype."""
        x = ops.cast(inputs, "float32")
        x = x - ops.mean(x, axis=self._reduced, keepdims=True)
        variance = ops.mean(ops.square(x), axis=self._reduced, keepdims=True)
        # The floor keeps the gradient of the root finite on a constant sample.
        factor = 1.0 / (ops.sqrt(ops.maximum(variance, 1e-12)) + self.epsilon)
        if self.scale:
            factor = factor * self._spread(self.gamma)
        x = x * factor
        if self.center:
            x = x + self._spread(self.beta)
        return ops.cast(x, self.compute_dtype)

    def _spread(self, weight):
        weight = ops.cast(weight, "float32")
        return weight if self._broadcast is None else ops.reshape(weight, self._broadcast)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self):
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
    """Nearest up-sampling by two and a 'same' convolution, without the up-sampled image.

    Equal to ``Conv2D(filters, kernel_size, padding="same")(UpSampling2D(2)(x))``, borders
    included, by a transposed convolution of stride two and sums over 2x2 boxes: a quarter of
    the multiplications. The kernel that is stored stays the plain one: weights of ``Conv2D`` load
    unchanged.

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size : int
        Height and width of the kernel at the high resolution, odd or even.
    activation : str or callable or None, default=None
        As in ``keras.layers.Conv2D``.
    use_bias : bool, default=True
        Whether to add a bias.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
        Initializer of the plain kernel.
    **kwargs
        Passed to ``keras.layers.Layer``.

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
        filters,
        kernel_size,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
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

    def build(self, input_shape):
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

    def call(self, inputs):
        """Convolve without ever making the up-sampled image."""
        kernel, size = ops.cast(self.kernel, self.compute_dtype), self.kernel_size
        if size < 3:
            # The same taps in the middle of a kernel that the sums below are right for.
            kernel, size = ops.pad(kernel, ((1, 2 - size), (1, 2 - size), (0, 0), (0, 0))), 3
        # Nearest up-sampling is zeros in between, then sums over 2x2 boxes, and sums commute
        # with the convolution. Four times the kernel turns the pooling's means into sums.
        kernel = 4 * ops.transpose(ops.flip(kernel, (0, 1)), (0, 1, 3, 2))
        form = {"padding": "valid", "data_format": "channels_last"}
        x = ops.conv_transpose(inputs, kernel, strides=2, **form)
        x = ops.average_pool(x, 2, strides=1, **form)
        if cut := size // 2 - 1:
            batch, height, width, _ = ops.shape(inputs)
            # A slice's gradient is a padding; an index expression's is slow on TensorFlow.
            x = ops.slice(x, (0, cut, cut, 0), (batch, 2 * height, 2 * width, self.filters))
        if self.use_bias:
            x = x + ops.cast(self.bias, self.compute_dtype)
        return self.activation(x)

    def compute_output_shape(self, input_shape):
        """Return the shape with height and width doubled."""
        batch, height, width, _ = input_shape
        double = [None if n is None else 2 * n for n in (height, width)]
        return (batch, *double, self.filters)

    def get_config(self):
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
    """Pad height and width by mirrored pixels.

    Sides shorter than the padding cannot be mirrored and are padded with zeros (mid-grey in
    [-1, 1]).

    Parameters
    ----------
    padding : ((int, int), (int, int))
        Pixels before and after, for height and for width.
    **kwargs
        Passed to ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.layers import ReflectionPadding2D
    >>> row = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> np.asarray(ReflectionPadding2D(((0, 0), (1, 1)))(row)).ravel().tolist()
    [1.0, 0.0, 1.0, 2.0, 1.0]
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = tuple(tuple(int(n) for n in pair) for pair in padding)

    def call(self, inputs):
        """Pad."""
        mirrored = all(
            max(pair) < side for pair, side in zip(self.padding, inputs.shape[1:3], strict=True)
        )
        width = ((0, 0), *self.padding, (0, 0))
        return ops.pad(inputs, width, mode="reflect" if mirrored else "constant")

    def compute_output_shape(self, input_shape):
        """Return the padded shape."""
        batch, height, width, channels = input_shape
        return (batch, height + sum(self.padding[0]), width + sum(self.padding[1]), channels)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "padding": self.padding}
