import numpy as np
import pytest

from melanet.classifier import _validation


def test_labels_become_codes_in_sorted_order():
    classes, codes = _validation.check_labels(["b", "a", "b", "a", "c", "c"])
    assert classes.tolist() == ["a", "b", "c"]
    assert codes.tolist() == [1, 0, 1, 0, 2, 2]


@pytest.mark.parametrize(
    ("y", "message"),
    [(["a", "a"], "one class, 'a'"), ([0, 0, 1], "1 sample of 1"), ([0.5, 1.5, 0.5], "continuous")],
)
def test_invalid_labels_raise(y, message):
    with pytest.raises(ValueError, match=message):
        _validation.check_labels(y)


def test_validation_labels_are_encoded():
    classes = np.array(["a", "b"])
    assert _validation.encode_labels(["b", "a", "a"], classes, 3).tolist() == [1, 0, 0]
    for y, n, message in (
        (["a", "b"], 3, "3 samples and 2 labels"),
        (["a", "a"], 2, r"\['a'\] for \['a', 'b'\]"),
        (["a", "c"], 2, r"\['a', 'b'\]. Received: \['c'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            _validation.encode_labels(y, classes, n)


def test_validation_data_is_a_pair_and_excludes_groups():
    assert _validation.check_validation_data(([1], [2])) == ([1], [2])
    for given, message in ((([1],), "tuple of length 1"), (3, "Received: int")):
        with pytest.raises(ValueError, match=message):
            _validation.check_validation_data(given)
    _validation.refuse_groups(None)
    with pytest.raises(ValueError, match="Leave one out"):
        _validation.refuse_groups([1, 2])


def test_alpha_is_a_number_or_one_weight_per_class():
    assert _validation.check_alpha(0.25, 3) == 0.25
    assert _validation.check_alpha(np.array([0.5, 0.25]), 2) == [0.5, 0.25]
    with pytest.raises(ValueError, match="each of the 3 classes"):
        _validation.check_alpha([0.5, 0.5], 3)


def test_input_size_is_a_pair_of_integers():
    assert _validation.check_input_size(np.int64(32)) == (32, 32)
    assert _validation.check_input_size([16, 24]) == (16, 24)
    for size in (7, (16, 7), (16, 16.5), (16, 16, 3)):
        with pytest.raises(ValueError, match="input_size must be"):
            _validation.check_input_size(size)
