import warnings

import numpy as np
import pytest
from negatives import negative

from melanet import GANOversampler
from melanet.exceptions import CostWarning, ScaleWarning
from melanet.over_sampling._checks import (
    check_costs,
    compare_with_previous_fit,
    refuse_missing_labels,
    warn_of_unused,
)
from melanet.preprocessing import ImageForm

GAN = negative((8, 8, 1))
FORM = ImageForm((8, 8, 1), (8, 8, 1), "uint8", (0, 255))


def told(check, *arguments):
    """Return the messages of a check's warnings, which name this file as their place."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check(*arguments, stacklevel=1)
    assert {warning.filename for warning in caught} <= {__file__}
    return [(warning.category, str(warning.message)) for warning in caught]


def test_labels_that_are_missing_or_spelt_alike_are_refused():
    refuse_missing_labels(["a", "b"])
    refuse_missing_labels(np.eye(2))
    for labels in (["a", None], [1.0, np.nan], [1, "1"]):
        with pytest.raises(ValueError, match="y must"):
            refuse_missing_labels(labels)


def test_models_for_classes_without_needs_are_of_no_use():
    sampler = GANOversampler()
    assert told(warn_of_unused, sampler, {1: 4}, {}) == []
    assert told(warn_of_unused, sampler, {1: 4}, {1: GAN}) == []
    ((_, text),) = told(warn_of_unused, sampler, {1: 4, 3: 5}, {1: GAN, 2: GAN})
    assert "CycleGANs of [2], but samples are made of {1: 4, 3: 5}" in text
    ((_, text),) = told(warn_of_unused, GANOversampler(max_translations=0), {1: 4}, {1: GAN})
    assert "max_translations=0 and CycleGANs of [1]" in text


def test_options_of_a_training_are_of_no_use_if_nothing_is_trained():
    sampler = GANOversampler(steps=5, quality="draft", gate="auto")
    assert told(warn_of_unused, sampler, {1: 4, 2: 4}, {1: GAN}) == []  # 2 is trained
    assert told(warn_of_unused, sampler, {}, {1: GAN})[0][1].startswith("pretrained is of no use")
    ((_, text),) = told(warn_of_unused, sampler, {1: 4}, {1: GAN})
    assert text.startswith("steps, quality, gate can only be used in a training")
    sampler.cyclegans_ = {1: GAN}  # as a previous fit leaves it, which the options made
    assert told(warn_of_unused, sampler, {1: 4}, {1: GAN}) == []
    assert len(told(warn_of_unused, sampler, {1: 4}, {1: negative((8, 8, 1))})) == 1


def test_images_on_another_scale_than_those_of_the_previous_fit():
    other = ImageForm((8, 8, 1), (8, 8, 1), "float32", (0, 1))
    sampler = GANOversampler()
    assert told(compare_with_previous_fit, sampler, other, {1: GAN}) == []  # never fitted
    sampler.form_, sampler.cyclegans_ = FORM, {1: GAN}
    assert told(compare_with_previous_fit, sampler, FORM, {1: GAN}) == []
    assert told(compare_with_previous_fit, sampler, other, {1: negative((8, 8, 1))}) == []
    ((category, text),) = told(compare_with_previous_fit, sampler, other, {1: GAN})
    assert category is ScaleWarning
    assert "on uint8 in value_range=(0, 255). Received: X of float32 in value_range=(0, 1)" in text


def test_many_trainings_and_samples_beyond_the_memory_are_announced():
    X = np.zeros((50, 8, 8, 1), "uint8")
    assert told(check_costs, X, {1: 10}, 20, "uint8") == []
    ((category, text),) = told(check_costs, X, {1: 10}, 21, "uint8")
    assert category is CostWarning
    assert text.startswith("21 classes are to be filled up")
    with pytest.raises(ValueError, match=f"The {10**15} new samples that sampling_strategy"):
        check_costs(X, {1: 10**15 - 2, 2: 2}, 1, "uint8", stacklevel=1)
