"""Build generators and discriminators for tensors in [-1, 1] of any size."""

from collections.abc import Sequence
from functools import partial
from itertools import count

import keras
from keras import layers, ops

from melanet.layers import (
    ApplyEdit,
    InstanceNormalization,
    ReflectionPadding2D,
    UpsamplingConv2D,
)

GENERATORS = ("unet", "resnet")
# Independent of the image data format that the user's Keras is set to.
_conv2d = partial(layers.Conv2D, data_format="channels_last")


def _weights(seed):
    """Yield the name and the seeded Glorot initializer of each layer.

    Unseeded ones would draw from Python's `random`. All networks have the same names, because
    TensorFlow keeps memory for each that it has seen (docs/decisions/compiled-models.md).
    """
    for i in count():
        initializer = keras.initializers.GlorotUniform(seed=seed * 1009 + i)
        yield {"name": f"weights{i}", "kernel_initializer": initializer}


def _norms(**options):
    """Yield instance normalisations with fixed names, see `_weights`."""
    return (InstanceNormalization(name=f"norm{i}", **options) for i in count())


def _smaller_side(shape):
    if len(shape) != 3 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(
            "shape must be (height, width, channels), three positive integers. "
            f"Received: shape={shape!r}"
        )
    return min(shape[:2])


def _paper_depth(shape):
    """Return the number of halvings that leave 2x2, from one to the paper's four."""
    return min(4, max(1, _smaller_side(shape).bit_length() - 2))


def _pad(x, multiple):
    """Pad to a multiple by reflection; return the result and the crop that undoes it."""
    extra = [-n % multiple for n in x.shape[1:3]]
    if not any(extra):
        return x, lambda y: y
    padding = [(n // 2, n - n // 2) for n in extra]
    return ReflectionPadding2D(padding)(x), layers.Cropping2D(padding, data_format="channels_last")


def unet_generator(
    shape: Sequence[int],
    *,
    filters: int = 32,
    depth: int | None = None,
    seed: int = 0,
    name: str = "unet",
) -> keras.Model:
    """Build the paper's U-Net generator.

    Each level halves the image (4x4 convolution, stride 2, LeakyReLU .2, instance
    normalisation) and doubles the width; the decoder up-samples, convolves 4x4 and concatenates
    the skip connection of its level. At 256x256x3 with 32 filters it has the paper's 1,545,425
    parameters.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the images. Sides of any length are padded by reflection to
        a multiple of ``2**depth``, and the result is cropped.
    filters : int, default=32
        Width of the first level.
    depth : int or None, default=None
        Number of levels. None takes as many as leave 2x2 at the bottom, at most the paper's
        four.
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
        depth = _paper_depth(shape)
    weights, norms = _weights(seed), _norms()
    inputs = keras.Input(shape)
    x, crop = _pad(inputs, 2**depth)
    skips = []
    for level in range(depth):
        x = _conv2d(filters * 2**level, 4, strides=2, padding="same", **next(weights))(x)
        x = next(norms)(layers.LeakyReLU(0.2)(x))
        skips.append(x)
    for level in reversed(range(depth - 1)):
        x = UpsamplingConv2D(filters * 2**level, 4, activation="relu", **next(weights))(x)
        x = layers.Concatenate()([next(norms)(x), skips[level]])
    x = UpsamplingConv2D(shape[-1], 4, activation="tanh", **next(weights))(x)
    return keras.Model(inputs, crop(x), name=name)


def resnet_generator(
    shape: Sequence[int],
    *,
    filters: int = 32,
    depth: int | None = None,
    blocks: int = 4,
    seed: int = 0,
    name: str = "resnet",
) -> keras.Model:
    """Build a residual generator: encoder, residual blocks at low resolution, decoder.

    The layout is that of Johnson et al. (2016), used by the original CycleGAN, with per-channel
    instance normalisation and fewer blocks, which suits small images.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels), padded and cropped as in `unet_generator`.
    filters : int, default=32
        Width at full resolution; each level doubles it.
    depth : int or None, default=None
        Number of levels. None takes two, or one for sides under 24 pixels: a map of less than
        6x6 at the bottom loses positions.
    blocks : int, default=4
        Number of residual blocks of two 3x3 convolutions.
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
    weights, norms = _weights(seed), _norms(axis=-1)

    def conv(x, width, size, **options):
        options = {"padding": "same", "use_bias": False, **options}
        return _conv2d(width, size, **next(weights), **options)(x)

    inputs = keras.Input(shape)
    x, crop = _pad(inputs, 2**depth)
    x = layers.ReLU()(next(norms)(conv(x, filters, 5)))
    for level in range(1, depth + 1):
        x = layers.ReLU()(next(norms)(conv(x, filters * 2**level, 3, strides=2)))
    for _ in range(blocks):
        y = layers.ReLU()(next(norms)(conv(x, x.shape[-1], 3)))
        x = layers.Add()([x, next(norms)(conv(y, x.shape[-1], 3))])
    for level in reversed(range(depth)):
        x = UpsamplingConv2D(filters * 2**level, 3, use_bias=False, **next(weights))(x)
        x = layers.ReLU()(next(norms)(x))
    x = conv(x, shape[-1], 5, use_bias=True, activation="tanh")
    return keras.Model(inputs, crop(x), name=name)


def edit_generator(
    shape: Sequence[int],
    *,
    filters: int = 32,
    side: int | None = None,
    blocks: int = 4,
    seed: int = 0,
    name: str = "edit",
) -> keras.Model:
    """Build a generator that adds an edit to the image, none before it is trained.

    The image keeps its sharpness, light and background where the edit is zero. Larger images are
    averaged down by a whole factor, to about `side` pixels, and the edit is enlarged, which makes
    it smooth.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the images.
    filters : int, default=32
        Width of the first level; the second has twice as many.
    side : int or None, default=None
        Side, in pixels, at which edits are computed; None takes the image's own.
    blocks : int, default=4
        Number of residual blocks of two 3x3 convolutions.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="edit"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, *shape)`` in [-1, 1] to the same shape.

    Raises
    ------
    ValueError
        If `shape` is not three positive integers.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.gan.networks import edit_generator
    >>> image = np.full((1, 32, 32, 3), 0.25, "float32")
    >>> bool((edit_generator((32, 32, 3)).predict_on_batch(image) == image).all())
    True
    """
    factor = max(1, round(_smaller_side(shape) / side)) if side else 1
    weights = _weights(seed)

    def conv(x, width, size=3, **options):
        options = {"padding": "same", **next(weights), **options}
        return layers.LeakyReLU(0.2)(_conv2d(width, size, **options)(x))

    def enlarge(x):
        return layers.UpSampling2D(2, interpolation="bilinear", data_format="channels_last")(x)

    inputs = image = keras.Input(shape)
    if factor > 1:
        image = layers.AveragePooling2D(factor, padding="same", data_format="channels_last")(image)
    padded, crop = _pad(image, 4)
    half = conv(padded, filters, 4, strides=2)
    x = conv(half, 2 * filters, 4, strides=2)
    for _ in range(blocks):
        y = _conv2d(2 * filters, 3, padding="same", **next(weights))(conv(x, 2 * filters))
        x = layers.LeakyReLU(0.2)(layers.Add()([x, y]))
    x = conv(layers.Concatenate()([enlarge(x), half]), filters)
    x = conv(layers.Concatenate()([enlarge(x), padded]), max(4, filters // 2))
    edit = crop(_conv2d(shape[-1], 3, padding="same", kernel_initializer="zeros", name="edit")(x))
    return keras.Model(inputs, ApplyEdit(factor, name="apply_edit")([inputs, edit]), name=name)


def set_edit_strength(generator: keras.Model, strength: float) -> None:
    """Set the number that multiplies all edits of an `edit_generator`."""
    generator.layers[-1].strength.assign(strength)


def edit_strength(generator: keras.Model) -> float | None:
    """Return the number that multiplies all edits; None for another generator."""
    strength = getattr(generator.layers[-1], "strength", None)
    return None if strength is None else float(ops.convert_to_numpy(strength))


def patch_discriminator(
    shape: Sequence[int],
    *,
    filters: int = 64,
    depth: int | None = None,
    seed: int = 0,
    name: str = "patch_discriminator",
) -> keras.Model:
    """Build the paper's PatchGAN, which scores overlapping patches.

    At 256x256x3 with 64 filters it has the paper's 2,764,743 parameters and an output of 16x16x1.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of the images.
    filters : int, default=64
        Width of the first level; each level doubles it.
    depth : int or None, default=None
        Number of levels. None takes as many as leave a map of 2x2 scores, at most the paper's
        four: patches are large, but no single score decides.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="patch_discriminator"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps ``(batch, *shape)`` to linear scores ``(batch, h, w, 1)``; 1 means real.

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
        depth = _paper_depth(shape)
    weights, norms = _weights(seed), _norms()
    inputs = x = keras.Input(shape)
    for level in range(depth):
        x = _conv2d(filters * 2**level, 4, strides=2, padding="same", **next(weights))(x)
        x = layers.LeakyReLU(0.2)(x)
        if level:
            x = next(norms)(x)
    x = _conv2d(1, 4, padding="same", **next(weights))(x)
    return keras.Model(inputs, x, name=name)


def map_discriminator(
    shapes: Sequence[Sequence[int]],
    *,
    filters: int = 64,
    seed: int = 0,
    name: str = "map_discriminator",
) -> keras.Model:
    """Build a discriminator of feature maps: two convolutions and a score for each place.

    Pretrained features let a discriminator learn from few images in few steps [1]_.

    Parameters
    ----------
    shapes : sequence of tuple of int
        (height, width, channels) of each map.
    filters : int, default=64
        Width of the convolutions.
    seed : int, default=0
        Seed of the initial weights.
    name : str, default="map_discriminator"
        Name of the model.

    Returns
    -------
    keras.Model
        Maps a list of maps to a list of linear scores ``(batch, h, w, 1)``.

    References
    ----------
    .. [1] A. Sauer, K. Chitta, J. Müller, A. Geiger, "Projected GANs converge faster", NeurIPS
       2021.

    Examples
    --------
    >>> from melanet.gan.networks import map_discriminator
    >>> map_discriminator([(8, 8, 16), (4, 4, 32)]).output_shape
    [(None, 8, 8, 1), (None, 4, 4, 1)]
    """
    weights = _weights(seed)
    inputs = [keras.Input(tuple(shape)) for shape in shapes]
    outputs = []
    for x in inputs:
        for size in (1, 3):
            x = _conv2d(filters, size, padding="same", **next(weights))(x)
            x = layers.LeakyReLU(0.2)(x)
        outputs.append(_conv2d(1, 1, **next(weights))(x))
    return keras.Model(inputs, outputs, name=name)


def _dense(x, units, weights):
    return layers.LeakyReLU(0.2)(layers.Dense(units, **next(weights))(x))


def dense_generator(
    shape: Sequence[int], *, filters: int = 128, seed: int = 0, name: str = "dense_generator"
) -> keras.Model:
    """Build a generator for rows of a table, which adds a learnt change to the row.

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
    weights = _weights(seed)
    inputs = keras.Input(shape)
    x = _dense(_dense(inputs, filters, weights), filters, weights)
    x = layers.Dense(shape[0], **next(weights))(x)
    outputs = layers.Activation("tanh")(layers.Add()([inputs, x]))
    return keras.Model(inputs, outputs, name=name)


def dense_discriminator(
    shape: Sequence[int], *, filters: int = 128, seed: int = 0, name: str = "dense_discriminator"
) -> keras.Model:
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
        Maps ``(batch, n_features)`` to linear scores ``(batch, 1)``; 1 means real.

    Examples
    --------
    >>> from melanet.gan.networks import dense_discriminator
    >>> dense_discriminator((20,)).output_shape
    (None, 1)
    """
    weights = _weights(seed)
    inputs = keras.Input(shape)
    x = _dense(_dense(inputs, filters, weights), filters, weights)
    return keras.Model(inputs, layers.Dense(1, **next(weights))(x), name=name)


def build_four(
    shape: Sequence[int],
    generator: str | None,
    filters: int,
    discriminator_filters: int,
    seed: int,
) -> list[keras.Model]:
    """Build the two generators and the two discriminators of a CycleGAN.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of images, or (n_features,) of rows.
    generator : {"unet", "resnet"} or None
        Architecture of the generators; ignored for rows.
    filters, discriminator_filters : int
        Widths of the first levels.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    list of keras.Model
        Generators A -> B and B -> A, discriminators of A and B, with different initial weights.

    Raises
    ------
    ValueError
        If `shape` or `generator` is invalid.
    """
    shape = tuple(int(n) for n in shape)
    if len(shape) == 1:
        build_generator, build_discriminator = dense_generator, dense_discriminator
    elif generator in GENERATORS:
        build_generator = {"unet": unet_generator, "resnet": resnet_generator}[generator]
        build_discriminator = patch_discriminator
    else:
        raise ValueError(
            f"generator must be one of {GENERATORS}. Received: generator={generator!r}"
        )
    parts = (
        (build_generator, filters, "generator_ab"),
        (build_generator, filters, "generator_ba"),
        (build_discriminator, discriminator_filters, "discriminator_a"),
        (build_discriminator, discriminator_filters, "discriminator_b"),
    )
    return [
        build(shape, filters=width, seed=4 * seed + i, name=name)
        for i, (build, width, name) in enumerate(parts)
    ]


def build_edit_pair(
    shape: Sequence[int],
    map_shapes: Sequence[Sequence[int]],
    filters: int,
    discriminator_filters: int,
    side: int | None,
    seed: int,
) -> tuple[keras.Model, keras.Model]:
    """Build the generator and the discriminator of an `EditGAN`.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels) of images.
    map_shapes : sequence of tuple of int
        Shapes of the maps that the discriminator sees.
    filters, discriminator_filters : int
        Widths.
    side : int or None
        Side, in pixels, at which edits are computed.
    seed : int
        Seed of the initial weights.

    Returns
    -------
    generator, discriminator : keras.Model
    """
    generator = edit_generator(
        shape, filters=filters, side=side, seed=2 * seed, name="generator_ab"
    )
    discriminator = map_discriminator(
        map_shapes, filters=discriminator_filters, seed=2 * seed + 1, name="discriminator_b"
    )
    return generator, discriminator
