"""Generators and discriminators, built by functions, for tensors in [-1, 1] of any size."""

from functools import partial
from itertools import count

import keras
from keras import layers

from melanet.layers import InstanceNormalization, ReflectionPadding2D, UpsamplingConv2D

GENERATORS = ("unet", "resnet")
# Whatever order of axes the user's Keras is set to.
_conv2d = partial(layers.Conv2D, data_format="channels_last")


def _initializers(seed):
    """Yield Glorot initializers with a seed each: unseeded ones draw from Python's `random`."""
    return (keras.initializers.GlorotUniform(seed=seed * 1009 + i) for i in count())


def _smaller_side(shape):
    if len(shape) != 3 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(
            "shape must be (height, width, channels), three positive integers. "
            f"Received: shape={shape!r}"
        )
    return min(shape[:2])


def _pad(x, multiple):
    """Pad to a multiple by reflection; return the crop that undoes it, too."""
    extra = [-n % multiple for n in x.shape[1:3]]
    if not any(extra):
        return x, lambda y: y
    padding = [(n // 2, n - n // 2) for n in extra]
    return ReflectionPadding2D(padding)(x), layers.Cropping2D(padding, data_format="channels_last")


def unet_generator(shape, *, filters=32, depth=None, seed=0, name="unet"):
    """Build the paper's U-Net generator.

    Each level halves the image (4x4 convolution, stride 2, LeakyReLU .2, instance
    normalisation) and doubles the width; the way back up-samples, convolves 4x4 and concatenates
    the level's skip. At 256x256x3 with 32 filters it has the paper's 1,545,425 parameters.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the images, any sizes: sides are padded to a multiple of
        ``2**depth`` by reflection and the result is cropped.
    filters : int, default=32
        Width of the first level.
    depth : int or None, default=None
        Levels. By default the most, up to the paper's four, that leave 2x2 at the bottom.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="unet"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, *shape)`` in [-1, 1] to the same shape, ending in tanh.

    Raises
    ------
    ValueError
        If `shape` is not three positive integers.

    Examples
    --------
    >>> from melanet.gan.networks import unet_generator
    >>> unet_generator((256, 256, 3)).count_params()
    1545425
    """
    if depth is None:
        depth = min(4, max(1, _smaller_side(shape).bit_length() - 2))
    init = _initializers(seed)
    inputs = keras.Input(shape)
    x, crop = _pad(inputs, 2**depth)
    skips = []
    for level in range(depth):
        x = _conv2d(
            filters * 2**level, 4, strides=2, padding="same", kernel_initializer=next(init)
        )(x)
        x = InstanceNormalization()(layers.LeakyReLU(0.2)(x))
        skips.append(x)
    for level in reversed(range(depth - 1)):
        x = UpsamplingConv2D(
            filters * 2**level, 4, activation="relu", kernel_initializer=next(init)
        )(x)
        x = layers.Concatenate()([InstanceNormalization()(x), skips[level]])
    x = UpsamplingConv2D(shape[-1], 4, activation="tanh", kernel_initializer=next(init))(x)
    return keras.Model(inputs, crop(x), name=name)


def resnet_generator(shape, *, filters=32, depth=None, blocks=4, seed=0, name="resnet"):
    """Build a residual generator: down, residual blocks at the low resolution, and up again.

    The layout is that of Johnson et al. (2016), used by the original CycleGAN, with per-channel
    instance normalisation and fewer blocks, as small images need.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels), any sizes, padded and cropped as in `unet_generator`.
    filters : int, default=32
        Width at full resolution; doubled by every halving.
    depth : int or None, default=None
        Halvings: by default two, one for sides under 24 pixels, since a map of less than 6x6 at
        the bottom cannot say where things are.
    blocks : int, default=4
        Residual blocks of two 3x3 convolutions.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="resnet"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, *shape)`` in [-1, 1] to the same shape, ending in tanh.

    Raises
    ------
    ValueError
        If `shape` is not three positive integers.

    Examples
    --------
    >>> from melanet.gan.networks import resnet_generator
    >>> resnet_generator((28, 28, 1)).output_shape
    (None, 28, 28, 1)
    """
    if depth is None:
        depth = 2 if _smaller_side(shape) >= 24 else 1
    init = _initializers(seed)

    def conv(x, width, size, **options):
        options = {"padding": "same", "use_bias": False, **options}
        return _conv2d(width, size, kernel_initializer=next(init), **options)(x)

    def norm(x):
        return InstanceNormalization(axis=-1)(x)

    inputs = keras.Input(shape)
    x, crop = _pad(inputs, 2**depth)
    x = layers.ReLU()(norm(conv(x, filters, 5)))
    for level in range(1, depth + 1):
        x = layers.ReLU()(norm(conv(x, filters * 2**level, 3, strides=2)))
    for _ in range(blocks):
        y = layers.ReLU()(norm(conv(x, x.shape[-1], 3)))
        x = layers.Add()([x, norm(conv(y, x.shape[-1], 3))])
    for level in reversed(range(depth)):
        x = UpsamplingConv2D(filters * 2**level, 3, use_bias=False, kernel_initializer=next(init))(
            x
        )
        x = layers.ReLU()(norm(x))
    x = conv(x, shape[-1], 5, use_bias=True, activation="tanh")
    return keras.Model(inputs, crop(x), name=name)


def patch_discriminator(shape, *, filters=64, depth=None, seed=0, name="patch_discriminator"):
    """Build the paper's PatchGAN: a map of scores, one for each overlapping patch.

    At 256x256x3 with 64 filters it has the paper's 2,764,743 parameters and answers 16x16x1.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels), any sizes.
    filters : int, default=64
        Width of the first level; doubled by every halving.
    depth : int or None, default=None
        Halvings: by default the most, up to the paper's four, that leave a map of 2x2 scores,
        so that patches are large but the image is not judged by a single score.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="patch_discriminator"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, *shape)`` to ``(batch, h, w, 1)``, linear: 1 stands for real.

    Raises
    ------
    ValueError
        If `shape` is not three positive integers.

    Examples
    --------
    >>> from melanet.gan.networks import patch_discriminator
    >>> model = patch_discriminator((256, 256, 3))
    >>> model.count_params(), model.output_shape
    (2764743, (None, 16, 16, 1))
    """
    if depth is None:
        depth = min(4, max(1, _smaller_side(shape).bit_length() - 2))
    init = _initializers(seed)
    inputs = x = keras.Input(shape)
    for level in range(depth):
        x = _conv2d(
            filters * 2**level, 4, strides=2, padding="same", kernel_initializer=next(init)
        )(x)
        x = layers.LeakyReLU(0.2)(x)
        if level:
            x = InstanceNormalization()(x)
    x = _conv2d(1, 4, padding="same", kernel_initializer=next(init))(x)
    return keras.Model(inputs, x, name=name)


def _dense(x, units, init):
    return layers.LeakyReLU(0.2)(layers.Dense(units, kernel_initializer=next(init))(x))


def dense_generator(shape, *, filters=128, seed=0, name="dense_generator"):
    """Build a generator for rows of a table: the row plus a learnt change, kept in [-1, 1].

    Parameters
    ----------
    shape : tuple of int
        (n_features,).
    filters : int, default=128
        Units of the two hidden layers.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="dense_generator"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, n_features)`` in [-1, 1] to the same shape, ending in tanh.

    Examples
    --------
    >>> from melanet.gan.networks import dense_generator
    >>> dense_generator((20,)).output_shape
    (None, 20)
    """
    init = _initializers(seed)
    inputs = keras.Input(shape)
    x = _dense(_dense(inputs, filters, init), filters, init)
    x = layers.Dense(shape[0], kernel_initializer=next(init))(x)
    outputs = layers.Activation("tanh")(layers.Add()([inputs, x]))
    return keras.Model(inputs, outputs, name=name)


def dense_discriminator(shape, *, filters=128, seed=0, name="dense_discriminator"):
    """Build a discriminator for rows of a table.

    Parameters
    ----------
    shape : tuple of int
        (n_features,).
    filters : int, default=128
        Units of the two hidden layers.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="dense_discriminator"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, n_features)`` to ``(batch, 1)``, linear: 1 stands for real.

    Examples
    --------
    >>> from melanet.gan.networks import dense_discriminator
    >>> dense_discriminator((20,)).output_shape
    (None, 1)
    """
    init = _initializers(seed)
    inputs = keras.Input(shape)
    x = _dense(_dense(inputs, filters, init), filters, init)
    return keras.Model(inputs, layers.Dense(1, kernel_initializer=next(init))(x), name=name)


def build_four(shape, generator, filters, discriminator_filters, seed):
    """Build the two generators and the two discriminators of a CycleGAN.

    Parameters
    ----------
    shape : tuple of int
        This and all others as in `melanet.CycleGAN.from_shape`.
    generator : {"unet", "resnet"}
        Kind of the generators.
    filters, discriminator_filters : int
        Widths of the first levels.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    list of keras.Model
        Generators A -> B and B -> A, discriminators of A and of B, each with weights of its own.

    Raises
    ------
    ValueError
        If `shape` or `generator` is none that is known.
    """
    shape = tuple(int(n) for n in shape)
    if len(shape) == 1:
        translator, judge = dense_generator, dense_discriminator
    elif generator in GENERATORS:
        translator = {"unet": unet_generator, "resnet": resnet_generator}[generator]
        judge = patch_discriminator
    else:
        raise ValueError(
            f"generator must be one of {GENERATORS}. Received: generator={generator!r}"
        )
    parts = (
        (translator, filters, "generator_ab"),
        (translator, filters, "generator_ba"),
        (judge, discriminator_filters, "discriminator_a"),
        (judge, discriminator_filters, "discriminator_b"),
    )
    return [
        build(shape, filters=width, seed=4 * seed + i, name=name)
        for i, (build, width, name) in enumerate(parts)
    ]
