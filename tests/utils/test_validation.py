import numpy as np
import pytest

from melanet.utils._validation import (
    as_symmetric,
    check_integer,
    check_positive_integer,
    check_symmetric_range,
    join_names,
    to_python,
)


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(200)])
def test_positive_integers_pass(value):
    check_positive_integer("n", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None, np.float32(2)])
def test_everything_else_is_rejected_by_name_and_value(value):
    with pytest.raises(ValueError, match="n must be a positive integer. Received: n=") as error:
        check_positive_integer("n", value)
    assert repr(value) in str(error.value)


def test_none_passes_only_if_optional():
    check_positive_integer("n", None, optional=True)
    with pytest.raises(ValueError, match="n must be a positive integer"):
        check_positive_integer("n", 0, optional=True)


def test_an_integer_may_have_another_lower_limit():
    check_integer("n", 0, 0)
    with pytest.raises(ValueError, match=r"n must be an integer of at least 2. Received: n=1"):
        check_integer("n", 1, 2)


@pytest.mark.parametrize("values", [[-1.0, 1.0], [-1.0005, 1.0005], []])
def test_values_in_range_pass(values):
    check_symmetric_range("X", np.array(values, "float32"))


@pytest.mark.parametrize("values", [[-1.1], [1.1], [0, 255], [0, np.nan], [np.inf]])
def test_values_out_of_range_are_rejected(values):
    with pytest.raises(ValueError, match=r"A must lie in \[-1, 1\]; .* Received values from"):
        check_symmetric_range("A", np.array(values, "float32"))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3, "uint8"), "floats in .*dtype uint8, values from 0 to 0"),
        (np.ones(3, bool), "dtype bool"),
        (np.ma.masked_equal([0.5, 1.0], 1.0), "masked array.*1 masked"),
        (np.array([0.0, 2.0]), "from 0.0 to 2.0"),
    ],
)
def test_samples_in_minus_one_to_one_are_floats_without_a_mask(x, message):
    with pytest.raises(ValueError, match=message):
        as_symmetric("x", x)
    assert as_symmetric("x", np.array([0.5])).dtype == np.float32


def test_numpy_scalars_become_python_objects():
    assert type(to_python(np.int64(3))) is int
    assert type(to_python(np.str_("a"))) is str
    assert to_python("a") == "a"


def test_long_lists_of_names_are_counted():
    assert join_names([]) == ""
    assert join_names(range(3), most=3) == "0, 1, 2"
    assert join_names(range(5), most=3) == "0, 1, 2 and 2 more"
