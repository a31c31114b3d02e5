import numpy as np
import pandas as pd
import pytest

from melanet.input_checks import as_numbers, check_needs, plain

IMAGES = np.arange(48.0).reshape(3, 4, 4)


def test_objects_of_one_shape_are_stacked():
    boxed = np.empty(3, object)
    boxed[:] = list(IMAGES)
    for given in (boxed, pd.Series(list(IMAGES)), list(IMAGES)):
        np.testing.assert_array_equal(as_numbers(given), IMAGES)


@pytest.mark.parametrize(
    "ragged",
    [
        [np.zeros((2, 2)), np.zeros((2, 3))],
        [[[1, 2], [3]], [[1, 2], [3, 4]]],
        np.array([np.zeros((2, 2)), None], object),
    ],
)
def test_ragged_images_are_named(ragged):
    with pytest.raises(ValueError, match="ragged"):
        as_numbers(ragged)


def test_needs_are_whole_numbers_of_learnable_classes():
    assert check_needs({1: 3.0}, {1: 2}, {}) == {1: 3}
    with pytest.raises(ValueError, match="Received: 2.5 more of class 1"):
        check_needs({1: 2.5}, {1: 2}, {})
    with pytest.raises(ValueError, match="Class 1 has 1 sample"):
        check_needs({np.int64(1): 3}, {1: 1}, {})
    assert check_needs({1: 3}, {1: 1}, {1: "a model that is there"}) == {1: 3}


def test_labels_print_plainly():
    assert repr(plain(np.str_("melanoma"))) == "'melanoma'"
    assert plain(3) == 3
