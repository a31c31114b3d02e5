import json

import numpy as np
import pytest
from scipy import sparse

from melanet.preprocessing import (
    ImageForm,
    TableForm,
    form_from_config,
    infer_value_range,
    read_form,
)


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
        (np.array([[-0.2, 0.9]], "float32"), (-1, 1)),
        (np.array([[0, 16.0]]), (0, 255)),
        (np.array([[0, 200]], "int64"), (0, 255)),
    ],
)
def test_value_range_follows_dtype_and_limits(X, expected):
    assert infer_value_range(X) == expected


@pytest.mark.parametrize("X", [[[-3.0, 0.2]], [[0.0, 256.0]], [[-1.0, 1.5]], [[-5, 5]]])
def test_value_range_that_cannot_be_told_is_asked_for(X):
    with pytest.raises(ValueError, match="Give value_range"):
        infer_value_range(np.array(X))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "bool"])
def test_integer_images_come_back_exactly(rng, dtype):
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


def test_encoding_is_the_papers_scaling(rng):
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


def test_layouts_are_told_apart(rng):
    grey = rng.uniform(0, 1, (5, 4, 6))
    assert read_form(grey).tensor_shape == (4, 6, 1)
    assert read_form(grey[..., None]).tensor_shape == (4, 6, 1)
    rows = grey.reshape(5, -1)
    assert read_form(rows, image_shape=(4, 6)).tensor_shape == (4, 6, 1)
    assert read_form(rows, image_shape=[2, 4, 3]).tensor_shape == (2, 4, 3)
    assert isinstance(read_form(rows), TableForm)
    np.testing.assert_array_equal(
        read_form(rows, image_shape=(4, 6)).encode(rows), read_form(grey).encode(grey)
    )


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5, 3, 32, 32), {}, "channels-first"),
        ((5, 1, 28, 28), {}, "channels-first"),
        ((5,), {}, "1 dimensions"),
        ((5, 2, 2, 2, 2), {}, "5 dimensions"),
        ((5, 24), {"image_shape": (4, 5)}, r"image_shape=\(4, 5, 1\) has 20 values"),
        ((5, 4, 6), {"image_shape": (6, 4)}, "does not fit"),
        ((5, 24), {"image_shape": (4,)}, "image_shape must be"),
        ((5, 24), {"image_shape": (4.5, 6)}, "image_shape must be"),
        ((5, 24), {"value_range": (0, 1)}, "value_range is for images"),
        ((5, 4, 6), {"value_range": (1, 0)}, "value_range must be"),
        ((5, 4, 6), {"value_range": (0, np.inf)}, "value_range must be"),
        ((5, 4, 6), {"value_range": 255}, "value_range must be"),
    ],
)
def test_bad_forms_are_named(rng, shape, options, message):
    with pytest.raises(ValueError, match=message):
        read_form(rng.uniform(0, 1, shape), **options)


def test_channels_first_rows_are_refused(rng):
    with pytest.raises(ValueError, match="channels-first"):
        read_form(rng.uniform(0, 1, (5, 192)), image_shape=(3, 8, 8))


def test_a_range_must_fit_the_dtype(rng):
    X = rng.integers(0, 250, (5, 4, 6)).astype("uint8")
    with pytest.raises(ValueError, match=r"uint8, which holds 0 to 255. Received.*256"):
        read_form(X, value_range=(0, 256))


def test_wide_integers_reach_their_ends():
    high = 2**31 - 1
    X = np.array([[[0, high]]], "int32")
    form = read_form(X, value_range=(0, high))
    np.testing.assert_array_equal(form.decode(form.encode(X)), X)


def test_rounding_does_not_change_the_range():
    X = np.array([[0.0, 0.5], [1 + 1e-6, 0.2]])
    assert infer_value_range(X) == (0, 1)
    form = read_form(X[None])
    assert form.encode(X[None]).max() == 1


def test_another_kind_of_numbers_is_refused(rng):
    form = read_form(rng.integers(0, 256, (5, 4, 6)).astype("uint8"))
    with pytest.raises(ValueError, match="kind of numbers that were given to fit, uint8"):
        form.encode(rng.uniform(0, 1, (5, 4, 6)))


def test_values_outside_the_range_are_refused(rng):
    form = read_form(rng.uniform(0, 1, (5, 4, 6)))
    with pytest.raises(ValueError, match="outside value_range"):
        form.encode(np.full((1, 4, 6), 1.5))
    with pytest.raises(ValueError, match="as in fit"):
        form.encode(np.zeros((1, 6, 4)))


def test_table_survives_the_way_there_and_back(rng):
    X = np.column_stack(
        [rng.lognormal(size=300), rng.normal(size=300) * 1e6, rng.integers(0, 5, 300)]
    )
    form = read_form(X)
    tensor = form.encode(X)
    assert tensor.shape == X.shape
    assert tensor.min() == -1
    assert tensor.max() == 1
    back = form.decode(tensor)
    np.testing.assert_array_equal(back[:, 2], X[:, 2])
    for column in range(2):
        spread = np.subtract(*np.percentile(X[:, column], [75, 25]))
        error = np.abs(back[:, column] - X[:, column])
        assert np.median(error) < 0.01 * spread


def test_table_values_stay_within_each_column(rng):
    X = np.column_stack([rng.lognormal(size=50), np.full(50, 3.5), rng.integers(-2, 3, 50)])
    made = read_form(X).decode(rng.uniform(-1, 1, (200, 3)))
    assert (made.min(axis=0) >= X.min(axis=0)).all()
    assert (made.max(axis=0) <= X.max(axis=0)).all()
    assert (made[:, 1] == 3.5).all()
    assert (made[:, 2] == np.rint(made[:, 2])).all()


def test_no_rows_decode_to_no_rows(rng):
    form = read_form(rng.normal(size=(20, 3)).astype("float32"))
    made = form.decode(np.zeros((0, 3)))
    assert (made.shape, made.dtype) == ((0, 3), np.float32)


def test_an_outlier_does_not_squeeze_a_column(rng):
    X = rng.normal(size=(200, 1))
    X[0] = 1e9
    assert np.std(read_form(X).encode(X)[1:]) > 0.5


def test_sparse_tables_are_read(rng):
    X = sparse.random(40, 6, density=0.3, format="csr", random_state=0)
    np.testing.assert_array_equal(
        read_form(X).encode(X), read_form(X.toarray()).encode(X.toarray())
    )


@pytest.mark.parametrize("kind", ["images", "table"])
def test_forms_survive_json(rng, kind):
    X = rng.uniform(0, 1, (20, 4, 6) if kind == "images" else (20, 6))
    form = read_form(X)
    again = form_from_config(json.loads(json.dumps(form.to_config())))
    assert type(again) is (ImageForm if kind == "images" else TableForm)
    np.testing.assert_array_equal(again.encode(X), form.encode(X))
    tensor = rng.uniform(-1, 1, (3, *form.tensor_shape))
    np.testing.assert_array_equal(again.decode(tensor), form.decode(tensor))
