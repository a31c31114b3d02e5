"""GANOversampler(conditional=True): one training for all classes that share their sources."""

from collections import Counter

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from melanet import CycleGAN, GANOversampler
from melanet.gan._conditional_training import leased_conditional_training
from melanet.gan._leased_training import leased_training
from melanet.over_sampling import _generation


@pytest.fixture(scope="module")
def digits():
    """Return 20 zeros, 8 ones, 6 twos and 5 threes, 8x8, uint8."""
    X, y = load_digits(n_class=4, return_X_y=True)
    keep = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((20, 8, 6, 5))])
    return (X[keep] * 15).astype("uint8").reshape(-1, 8, 8), y[keep]


def quick(**options):
    defaults = {"steps": 6, "generator": "unet", "reject": False, "guard": False}
    return GANOversampler(**{"random_state": 0, "conditional": True, **defaults, **options})


@pytest.fixture(scope="module")
def fitted(digits):
    sampler = quick()
    return (sampler, *sampler.fit_resample(*digits))


@pytest.fixture
def trainings(monkeypatch):
    """Record the labels of each training, in a list of lists."""
    found = []

    def conditional(recipe, A, classes, **options):
        found.append(list(classes))
        return leased_conditional_training(recipe, A, classes, **options)

    def ordinary(*sets, name, **options):
        found.append([name])
        return leased_training(*sets, name=name, **options)

    monkeypatch.setattr(_generation, "leased_conditional_training", conditional)
    monkeypatch.setattr(_generation, "leased_training", ordinary)
    return found


def weights(model):
    return [keras.ops.convert_to_numpy(v) for v in model.weights]


def test_one_training_fills_up_all_classes_and_keeps_the_originals(digits, fitted):
    X, y = digits
    sampler, X_res, y_res = fitted
    assert Counter(y_res.tolist()) == dict.fromkeys(range(4), 20)
    np.testing.assert_array_equal(X_res[: len(X)], X)
    assert sampler.recipe_.conditional
    assert set(sampler.cyclegans_) == {1, 2, 3}
    assert sampler.history_[1] == sampler.history_[3]
    assert set(sampler.source_kind_) == {"translation", "copy"}
    made = y_res[len(y) :]
    of_majority = sampler.source_kind_ == "translation"
    assert (y[sampler.source_indices_[of_majority]] == 0).all()
    assert (y[sampler.source_indices_[~of_majority]] == made[~of_majority]).all()


def test_the_cyclegans_are_ordinary_and_share_their_kernels_alone(digits, fitted):
    sampler = fitted[0]
    one, two = sampler.cyclegans_[1], sampler.cyclegans_[2]
    assert type(one) is CycleGAN
    for name in ("generator_ab", "generator_ba", "discriminator_a"):
        for a, b in zip(*(weights(getattr(gan, name)) for gan in (one, two)), strict=True):
            shared = a.ndim > 1 or name == "discriminator_a"
            assert (a == b).all() == shared or not a.any()
    changed = sampler.translate(digits[0], 1) != sampler.translate(digits[0], 2)
    assert changed.any()


def test_equal_seeds_give_equal_bits(digits, fitted):
    again = quick()
    X_res, _ = again.fit_resample(*digits)
    np.testing.assert_array_equal(X_res, fitted[1])
    other, _ = quick(random_state=1).fit_resample(*digits)
    assert (other != X_res).any()


def test_save_and_load(digits, fitted, tmp_path):
    sampler = fitted[0]
    sampler.save(tmp_path / "sampler.melanet")
    loaded = GANOversampler.load(tmp_path / "sampler.melanet")
    assert loaded.conditional
    assert loaded.recipe_ == sampler.recipe_
    for label in (1, 2, 3):
        np.testing.assert_array_equal(
            loaded.translate(digits[0], label), sampler.translate(digits[0], label)
        )


def test_pretrained_classes_are_left_out_of_the_training(digits, fitted, trainings):
    known = fitted[0].cyclegans_
    sampler = quick(pretrained={2: known[2]})
    _, y_res = sampler.fit_resample(*digits)
    assert trainings == [[1, 3]]
    assert sampler.cyclegans_[2] is known[2]
    assert Counter(y_res.tolist()) == dict.fromkeys(range(4), 20)
    assert sampler.history_[2] == {}


def test_a_class_that_is_left_alone_is_trained_as_without_the_option(digits, fitted, trainings):
    known = fitted[0].cyclegans_
    options = {"pretrained": {1: known[1], 2: known[2]}}
    made, _ = quick(**options).fit_resample(*digits)
    plain, _ = quick(conditional=False, **options).fit_resample(*digits)
    np.testing.assert_array_equal(made, plain)
    assert trainings == [["CycleGAN class 3"]] * 2


def test_the_largest_class_has_other_sources_and_is_trained_alone(digits, trainings):
    _, y_res = quick(sampling_strategy={0: 22, 1: 9, 3: 9}, copies=0).fit_resample(*digits)
    assert trainings == [[1, 3], ["CycleGAN class 0"]]
    assert Counter(y_res.tolist()) == {0: 22, 1: 9, 2: 6, 3: 9}


def test_rows_of_a_table_are_filled_up_too(trainings):
    X, y = load_wine(return_X_y=True)
    keep = np.r_[0:59, 59:75, 130:140]
    _, y_res = quick(copies=0, generator=None).fit_resample(X[keep], y[keep])
    assert Counter(y_res.tolist()) == {0: 59, 1: 59, 2: 59}
    assert trainings == [[1, 2]]


def test_what_cannot_be_trained_together_is_refused(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"conditional=True and sources='all'. Leave one out"):
        quick(sources="all").fit_resample(X, y)
    large = X.repeat(4, axis=1).repeat(4, axis=2)
    with pytest.raises(ValueError, match=r"shape \(32, 32, 1\), which are edited"):
        quick(generator=None).fit_resample(large, y)
    with pytest.raises(ValueError, match="edits are learnt class by class"):
        quick(generator="edit").fit_resample(X, y)


def test_the_option_is_of_no_use_without_a_training(digits, fitted):
    pretrained = dict(fitted[0].cyclegans_)
    with pytest.warns(
        UserWarning, match="generator, steps, conditional can only be used in a training"
    ):
        quick(pretrained=pretrained).fit_resample(*digits)
