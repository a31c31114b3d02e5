import numpy as np
import pytest

from melanet.preprocessing import infer_value_range, read_form


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.array([[0, 3]], "uint8"), (0, 255)),
        (np.array([[0, 3]], "int8"), (-128, 127)),
        (np.array([[0, 3]], "uint16"), (0, 65535)),
        (np.array([[True, False]]), (0, 1)),
        (np.array([[0.2, 0.9]]), (0, 1)),
        (np.array([[0.0, 0.0]]), (0, 1)),
        (np.array([[-0.25, 1.25]], "float32"), (0, 1)),  # overshoot of interpolation
        (np.array([[-0.26, 0.9]], "float32"), (-1, 1)),
        (np.array([[0, 16.0]]), (0, 255)),
        (np.array([[0, 200]], "int64"), (0, 255)),
    ],
)
def test_value_range_follows_dtype_and_limits(X, expected):
    assert infer_value_range(X) == expected


@pytest.mark.parametrize(
    "X",
    [
        [[-3.0, 0.2]],
        [[0.0, 256.0]],
        [[-1.0, 1.5]],
        [[-5, 5]],
        [[0.0, 1.26]],  # [0, 1] with outliers, or [0, 255]
        [[0.0, 9.9]],
        [[0, 1]],  # of 64 bits: [0, 1] or [0, 255]
    ],
)
def test_unknown_value_ranges_must_be_given(X):
    with pytest.raises(ValueError, match="Give value_range"):
        infer_value_range(np.array(X))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "bool"])
def test_integer_images_are_restored_exactly(rng, dtype):
    high = 2 if dtype == "bool" else 127
    X = rng.integers(0, high, (5, 4, 6, 3)).astype(dtype)
    form = read_form(X)
    tensor = form.encode(X)
    assert tensor.dtype == np.float32
    assert tensor.min() >= -1
    assert tensor.max() <= 1
    back = form.decode(tensor)
    assert back.dtype == X.dtype
    np.testing.assert_array_equal(back, X)


def test_encoding_scales_as_the_paper_does(rng):
    X = rng.integers(0, 256, (3, 4, 4, 3)).astype("uint8")
    np.testing.assert_allclose(read_form(X).encode(X), X / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("limits", [(0, 1), (-1, 1), (0, 255)])
def test_float_images_keep_dtype_and_range(rng, dtype, limits):
    X = rng.uniform(*limits, (5, 4, 6)).astype(dtype)
    X.flat[:2] = limits
    form = read_form(X)
    back = form.decode(form.encode(X))
    assert back.shape == X.shape
    assert back.dtype == X.dtype
    np.testing.assert_allclose(back.astype("f8"), X.astype("f8"), atol=2e-3 * limits[1])
    wild = form.decode(np.full((1, 4, 6, 1), 7.0))
    assert wild.max() == limits[1]


def test_wide_integers_keep_their_limits():
    high = 2**31 - 1
    X = np.array([[[0, high]]], "int32")
    form = read_form(X, value_range=(0, high))
    np.testing.assert_array_equal(form.decode(form.encode(X)), X)


def test_rounding_does_not_change_the_range():
    X = np.array([[0.0, 0.5], [1 + 1e-6, 0.2]])
    assert infer_value_range(X) == (0, 1)
    form = read_form(X[None])
    assert form.encode(X[None]).max() == 1


def test_another_scale_is_rejected(rng):
    form = read_form(rng.integers(0, 256, (5, 4, 6)).astype("uint8"))
    with pytest.raises(ValueError, match="scaled as in fit, which received uint8"):
        form.check(rng.uniform(0, 1, (5, 4, 6)))


def test_other_ranges_and_shapes_are_rejected(rng):
    form = read_form(rng.uniform(0, 1, (5, 4, 6)))
    with pytest.raises(ValueError, match="outside value_range"):
        form.encode(np.full((1, 4, 6), 1.5))
    with pytest.raises(ValueError, match="as in fit"):
        form.encode(np.zeros((1, 6, 4)))
