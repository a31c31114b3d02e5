"""The scale of pixels: learnt in fit, held, and compared with later images."""

import warnings

import numpy as np
import pytest

from melanet.exceptions import ScaleWarning
from melanet.preprocessing import Scale, infer_value_range, read_form

UNIT = np.linspace(0, 1, 64).reshape(1, 8, 8)
BYTES = np.rint(UNIT * 255).astype("uint8")


def test_overshoot_counts_as_unit_range_and_is_clipped():
    X = UNIT * 1.5 - 0.25
    form = read_form(X)
    assert form.value_range == (0, 1)
    expected = np.clip(X, 0, 1)[..., None] * 2 - 1
    np.testing.assert_allclose(form.encode(X), expected, atol=1e-6)
    back = form.decode(form.encode(X))
    assert (back.min(), back.max()) == (0, 1)
    np.testing.assert_allclose(read_form(X, value_range=(0, 1)).encode(X), expected, atol=1e-6)


@pytest.mark.parametrize("X", [UNIT * 1.3, UNIT * 5, np.eye(3, dtype="int64")[None]])
def test_where_two_ranges_fit_the_figures_are_named(X):
    with pytest.raises(ValueError, match=rf"both.*from 0 to {X.max():g}\. Give value_range=\(lo"):
        infer_value_range(X)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "likely"),
    [
        ("uint16", 0, 4095, r"12 of the 16.*\(0, 4095\)"),
        ("uint16", 7, 16000, r"14 of the 16.*\(0, 16383\)"),
        ("int16", -1024, 3071, r"12 of the 15.*\(-4096, 4095\)"),
        ("uint8", 0, 16, r"5 of the 8.*\(0, 31\)"),
        ("int64", 0, 16, r"5 of the 8.*\(0, 31\)"),
    ],
)
def test_spare_bits_cause_a_warning_with_the_range_to_give(dtype, low, high, likely):
    X = np.array([[[low, high]]], dtype)
    bits, value_range = likely.split(".*")
    figures = f"{bits} bits.*from {low} to {high}.*{value_range}"
    with pytest.warns(ScaleWarning, match=figures):
        infer_value_range(X)


@pytest.mark.parametrize(
    "X", [BYTES, BYTES // 4, UNIT, UNIT * 255, np.array([[[0, 40000]]], "uint16"), BYTES * 0]
)
def test_usual_images_cause_no_warning(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_form(X).check(X)
        read_form(X).check(X * 0)  # black on every scale


@pytest.mark.parametrize(
    ("fitted", "asked", "figures"),
    [
        (UNIT * 255, UNIT, "float64 from 0 to 255.*float64 from 0 to 1"),
        (BYTES, UNIT, "uint8 from 0 to 255.*float64 from 0 to 1.*astype"),
        (BYTES, UNIT * 2 - 1, "from -1 to 1"),
        (BYTES, UNIT > 0.5, "dtype bool, which holds 0 to 1.*255"),
        (UNIT, UNIT * 255, r"\(0, 1\). Received: float64, values from 0 to 255"),
        (UNIT, UNIT * 1.3, "from 0 to 1.3"),
        (UNIT * 2 - 1, BYTES, "dtype uint8, which holds 0 to 255.*-1"),
        (UNIT * 2 - 1, UNIT * 255, "from 0 to 255"),
        (BYTES.astype("uint16") * 257, BYTES, "uint8, which holds 0 to 255.*65535"),
        (BYTES.astype("uint16") * 257, UNIT * 255, "from 0 to 65535.*from 0 to 255"),
    ],
)
def test_images_on_another_scale_are_refused_with_both_figures(fitted, asked, figures):
    with pytest.raises(ValueError, match=figures):
        read_form(fitted).check(asked)


@pytest.mark.parametrize(
    ("fitted", "value_range", "asked"),
    [
        (UNIT * 255, (0, 255), UNIT),
        (UNIT * 2 - 1, None, UNIT),
        (BYTES, None, BYTES // 255),
        (BYTES.astype("uint16") * 257, None, BYTES.astype("uint16")),
        (BYTES.astype("uint16"), (0, 65535), BYTES.astype("uint16") * 257),
    ],
)
def test_likely_differences_are_warned_of_with_both_figures(fitted, value_range, asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scale = Scale.of(fitted, value_range)
    figures = f"from {fitted.min():g} to {fitted.max():g}.*from {asked.min():g} to {asked.max():g}"
    with pytest.warns(ScaleWarning, match=figures):
        scale.check(asked)


def test_a_declared_range_that_is_hardly_used_is_warned_of():
    with pytest.warns(ScaleWarning, match=r"\(0, 255\).*from 0 to 1"):
        read_form(UNIT, value_range=(0, 255))


@pytest.mark.parametrize("asked", [BYTES.astype("float32"), BYTES.astype("int64"), BYTES / 1.0])
def test_the_same_numbers_in_another_dtype_are_accepted(asked):
    form = read_form(BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        form.check(asked)
    np.testing.assert_array_equal(form.encode(asked), form.encode(BYTES))
