import keras
import numpy as np
import pytest

from melanet.layers import (
    ApplyEdit,
    InstanceNormalization,
    ReflectionPadding2D,
    UpsamplingConv2D,
)


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def upsample_then_convolve(x, kernel, bias):
    """Nearest up-sampling by two and a 'same' convolution, pixel by pixel."""
    k = len(kernel)
    big = x.repeat(2, axis=1).repeat(2, axis=2)
    before = (k - 1) // 2
    padded = np.pad(big, ((0, 0), (before, k - 1 - before), (before, k - 1 - before), (0, 0)))
    out = np.empty((*big.shape[:3], kernel.shape[-1]))
    for i in range(big.shape[1]):
        for j in range(big.shape[2]):
            window = padded[:, i : i + k, j : j + k]
            out[:, i, j] = np.tensordot(window, kernel, axes=3) + bias
    return out


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("filters", [1, 9])
def test_upsampling_conv_equals_upsampling_then_convolution(rng, kernel_size, size, filters):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    layer = UpsamplingConv2D(filters, kernel_size)
    layer.build(x.shape)
    layer.bias.assign(rng.normal(size=filters))
    expected = upsample_then_convolve(x, numpy_of(layer.kernel), numpy_of(layer.bias))
    np.testing.assert_allclose(numpy_of(layer(x)), expected, atol=2e-5)


@pytest.mark.parametrize("filters", [4, 8])
def test_upsampling_conv_exchanges_weights_with_conv2d(rng, filters):
    x = rng.normal(size=(1, 6, 7, 3)).astype("float32")
    fused = UpsamplingConv2D(filters, 4, activation="relu")
    plain = keras.layers.Conv2D(filters, 4, padding="same", activation="relu")
    big = keras.layers.UpSampling2D(2)(x)
    plain.build(big.shape)
    fused.build(x.shape)
    fused.set_weights(plain.get_weights())
    np.testing.assert_allclose(numpy_of(fused(x)), numpy_of(plain(big)), atol=2e-5)


@pytest.mark.parametrize("filters", [2, 8])
@pytest.mark.parametrize("kernel_size", [3, 4, 5])
def test_upsampling_conv_trains_like_two_plain_layers(rng, filters, kernel_size):
    x = rng.normal(size=(2, 3, 4, 2)).astype("float32")
    y = rng.normal(size=(2, 6, 8, filters)).astype("float32")
    plain = keras.layers.Conv2D(filters, kernel_size, padding="same")
    models = [
        keras.Sequential([keras.Input((3, 4, 2)), UpsamplingConv2D(filters, kernel_size)]),
        keras.Sequential([keras.Input((3, 4, 2)), keras.layers.UpSampling2D(2), plain]),
    ]
    before = models[0].get_weights()
    models[1].set_weights(before)
    for model in models:
        model.compile(optimizer=keras.optimizers.SGD(1.0), loss="mse")
        model.fit(x, y, verbose=0)
    for old, ours, plains in zip(before, *(model.get_weights() for model in models), strict=True):
        assert (ours != old).all()
        np.testing.assert_allclose(ours, plains, atol=1e-5)


@pytest.mark.parametrize("arguments", [(0, 3), (4, 0), (4, 2.5), ("4", 3)])
def test_upsampling_conv_rejects_bad_sizes(arguments):
    with pytest.raises(ValueError, match="must be a positive integer. Received"):
        UpsamplingConv2D(*arguments)


@pytest.mark.parametrize("filters", [4, 8])
def test_upsampling_conv_applies_an_activation_across_channels(rng, filters):
    x = rng.normal(size=(1, 2, 3, 2)).astype("float32")
    plain, soft = (UpsamplingConv2D(filters, 3, activation=name) for name in (None, "softmax"))
    scores = np.exp(numpy_of(plain(x)))
    soft.build(x.shape)
    soft.set_weights(plain.get_weights())
    expected = scores / scores.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(numpy_of(soft(x)), expected, atol=1e-6)


def test_upsampling_conv_rejects_rows():
    with pytest.raises(ValueError, match=r"Received an input of shape \(None, 4\)"):
        UpsamplingConv2D(4, 3).build((None, 4))


def instance_norm(x, axis, gamma, beta, epsilon=1e-3):
    out = np.empty_like(x, dtype="float64")
    for n, sample in enumerate(x.astype("float64")):
        if axis is None:
            groups = [Ellipsis]
        else:
            groups = [(slice(None),) * (axis - 1) + (c,) for c in range(x.shape[axis])]
        for i, group in enumerate(groups):
            values = sample[group]
            std = np.sqrt(((values - values.mean()) ** 2).sum() / values.size)
            out[n][group] = gamma[i] * (values - values.mean()) / (std + epsilon) + beta[i]
    return out


@pytest.mark.parametrize(("axis", "size"), [(None, 1), (3, 3), (-1, 3), (1, 4)])
def test_instance_normalization_equals_its_definition(rng, axis, size):
    x = (rng.normal(size=(2, 4, 5, 3)) * 3 + 2).astype("float32")
    layer = InstanceNormalization(axis=axis)
    layer.build(x.shape)
    gamma, beta = rng.normal(size=size), rng.normal(size=size)
    assert layer.gamma.shape == (size,)
    layer.set_weights([gamma, beta])
    expected = instance_norm(x, None if axis is None else axis % 4, gamma, beta)
    np.testing.assert_allclose(numpy_of(layer(x)), expected, atol=1e-5)


def test_instance_normalization_adds_epsilon_to_the_deviation():
    x = np.array([-1e-3, 1e-3], "float32").reshape(1, 2)
    layer = InstanceNormalization(epsilon=1e-3)
    np.testing.assert_allclose(numpy_of(layer(x)), [[-0.5, 0.5]], rtol=1e-5)


def test_instance_normalization_of_a_constant_has_a_finite_gradient():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, use_bias=False), InstanceNormalization()]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    model.fit(np.zeros((1, 4)), np.ones((1, 4)), verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_instance_normalization_computes_in_float32_under_mixed_precision():
    layer = InstanceNormalization(dtype="mixed_bfloat16")
    x = (1000 + np.arange(8.0)).reshape(1, 8)
    y = layer(keras.ops.cast(x, "float32"))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert np.isfinite(numpy_of(keras.ops.cast(y, "float32"))).all()


@pytest.mark.parametrize("axis", [0, 4, -4])
def test_instance_normalization_names_a_wrong_axis(axis):
    with pytest.raises(ValueError, match=f"Received: axis={axis}"):
        InstanceNormalization(axis=axis).build((None, 4, 4, 3))


def test_reflection_padding_equals_numpy(rng):
    x = rng.normal(size=(2, 5, 4, 2)).astype("float32")
    padding = ((1, 2), (3, 0))
    expected = np.pad(x, ((0, 0), *padding, (0, 0)), mode="reflect")
    layer = ReflectionPadding2D(padding)
    np.testing.assert_array_equal(numpy_of(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    assert layer.compute_output_shape((None, None, 4, 2)) == (None, None, 7, 2)


def test_reflection_padding_uses_zeros_if_a_side_is_too_short():
    y = numpy_of(ReflectionPadding2D(((0, 1), (0, 1)))(np.ones((1, 1, 1, 1), "float32")))
    np.testing.assert_array_equal(y[0, :, :, 0], [[1, 0], [0, 0]])


@pytest.mark.parametrize(
    "layer",
    [
        InstanceNormalization(axis=-1, epsilon=0.01, scale=False),
        UpsamplingConv2D(3, 5, activation="tanh", use_bias=False),
        ReflectionPadding2D(((1, 1), (0, 1))),
    ],
)
def test_layers_can_be_saved_and_loaded(tmp_path, rng, layer):
    model = keras.Sequential([keras.Input((6, 6, 3)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    assert again.layers[0].get_config() == layer.get_config()


def test_an_edit_is_added_within_the_range(rng):
    image, edit = rng.uniform(-1, 1, (2, 5, 6, 3)), rng.normal(0, 2, (2, 5, 6, 3))
    result = numpy_of(ApplyEdit()([image.astype("float32"), edit.astype("float32")]))
    np.testing.assert_allclose(result, np.clip(image + np.tanh(edit), -1, 1), atol=1e-6)


def test_a_strength_multiplies_edits(rng):
    image, edit = (rng.uniform(-1, 1, (2, 4, 5, 3)).astype("float32") for _ in range(2))
    layer = ApplyEdit()
    layer.build([image.shape, edit.shape])
    layer.strength.assign(1.5)
    result = numpy_of(layer([image, edit]))
    np.testing.assert_allclose(result, np.clip(image + 1.5 * np.tanh(edit), -1, 1), atol=1e-6)
    assert not layer.trainable_weights


def test_edits_of_unusual_colours_are_damped(rng):
    colours = np.array([[0.0, 0.0], [0.4, 0.1], [-0.9, 0.9], [0.9, 0.9]], "float32")
    mean, covariance = np.array([0.1, 0.0]), np.array([[0.09, 0.04], [0.04, 0.05]])
    layer = ApplyEdit()
    image = np.broadcast_to(colours[:, None, None], (4, 3, 3, 2))
    edit = rng.uniform(-0.1, 0.1, image.shape).astype("float32")
    layer.build([image.shape, edit.shape])
    layer.mean.assign(mean)
    layer.whitening.assign(np.linalg.cholesky(np.linalg.inv(covariance)))
    distances = [(c - mean) @ np.linalg.inv(covariance) @ (c - mean) for c in colours]
    divisors = np.clip(np.array(distances) / (2 * np.log(10)), 1, 10)  # chi-squared, 2 degrees
    assert divisors[0] == 1
    assert divisors[2] == 10
    assert 1 < divisors[3] < 10
    expected = np.clip(image + np.tanh(edit) / divisors[:, None, None, None], -1, 1)
    np.testing.assert_allclose(numpy_of(layer([image, edit])), expected, atol=1e-5)


def test_a_small_edit_is_enlarged_and_cropped(rng):
    image, edit = np.zeros((1, 5, 7, 1), "float32"), rng.normal(0, 0.3, (1, 3, 4, 1))
    result = numpy_of(ApplyEdit(factor=2)([image, edit.astype("float32")]))[0, ..., 0]

    def sample(i, j):
        """Bilinear, with pixel centres aligned and the border repeated."""
        y, x = np.clip((i + 0.5) / 2 - 0.5, 0, 2), np.clip((j + 0.5) / 2 - 0.5, 0, 3)
        top, left = int(y), int(x)
        bottom, right = min(top + 1, 2), min(left + 1, 3)
        t = np.tanh(edit[0, ..., 0])
        upper = t[top, left] * (1 - x % 1) + t[top, right] * (x % 1)
        lower = t[bottom, left] * (1 - x % 1) + t[bottom, right] * (x % 1)
        return upper * (1 - y % 1) + lower * (y % 1)

    expected = [[sample(i, j) for j in range(7)] for i in range(5)]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert ApplyEdit.from_config(ApplyEdit(factor=2).get_config()).factor == 2
