import json

import numpy as np
import pytest

from melanet.preprocessing import ImageForm, TableForm, as_samples, form_from_config, read_form


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_layouts_are_distinguished(rng):
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
def test_invalid_forms_are_rejected(rng, shape, options, message):
    with pytest.raises(ValueError, match=message):
        read_form(rng.uniform(0, 1, shape), **options)


def test_channels_first_rows_are_rejected(rng):
    with pytest.raises(ValueError, match="channels-first"):
        read_form(rng.uniform(0, 1, (5, 192)), image_shape=(3, 8, 8))


def test_the_value_range_must_fit_the_dtype(rng):
    X = rng.integers(0, 250, (5, 4, 6)).astype("uint8")
    with pytest.raises(ValueError, match=r"uint8, which holds 0 to 255. Received.*256"):
        read_form(X, value_range=(0, 256))


@pytest.mark.parametrize("kind", ["images", "table"])
def test_forms_survive_a_json_round_trip(rng, kind):
    X = rng.uniform(0, 1, (20, 4, 6) if kind == "images" else (20, 6))
    form = read_form(X)
    again = form_from_config(json.loads(json.dumps(form.to_config())))
    assert type(again) is (ImageForm if kind == "images" else TableForm)
    np.testing.assert_array_equal(again.encode(X), form.encode(X))
    tensor = rng.uniform(-1, 1, (3, *form.tensor_shape))
    np.testing.assert_array_equal(again.decode(tensor), form.decode(tensor))


def test_images_are_encoded_on_reading_and_tables_at_once(rng):
    images = rng.integers(0, 256, (5, 4, 6), "uint8")
    form = read_form(images)
    samples = as_samples(form, images)
    assert len(samples) == 5
    assert samples.shape == (5, 4, 6, 1)
    np.testing.assert_array_equal(samples[[3, 1]], form.encode(images)[[3, 1]])
    rows = images.reshape(5, -1).astype("float64")
    table = read_form(rows)
    np.testing.assert_array_equal(as_samples(table, rows), table.encode(rows))
