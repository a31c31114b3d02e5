"""Fits that share a compiled model give the results of fits that do not."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from melanet import GANOversampler, MelaNet
from melanet.gan import CycleGAN, _leased_training
from melanet.utils import clear_compiled_models, reproducible


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=3, return_X_y=True)
    keep = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((24, 8, 6))])
    return (X[keep] * 15).astype("uint8").reshape(-1, 8, 8), y[keep]


def quick(**options):
    defaults = {"steps": 3, "generator": "unet", "reject": False, "guard": False, "copies": 0}
    return GANOversampler(**{"random_state": 0, **defaults, **options})


@pytest.fixture(scope="module")
def first(digits):
    clear_compiled_models()
    sampler = quick()
    return sampler, sampler.fit_resample(*digits)[0]


def test_a_refit_has_the_same_bits_after_other_fits(digits, first):
    X, y = digits
    quick(random_state=1, learning_rate=1e-2, steps=5).fit_resample(X, y)
    sampler = quick()
    np.testing.assert_array_equal(sampler.fit_resample(X, y)[0], first[1])
    assert sampler.history_ == first[0].history_


def test_a_fitted_sampler_keeps_its_own_weights(digits, first):
    X, y = digits
    before = first[0].translate(X, 1)
    quick(random_state=5).fit_resample(X, y)
    np.testing.assert_array_equal(first[0].translate(X, 1), before)


def test_threads_that_fit_at_the_same_time(digits, first):
    X, y = digits
    start = threading.Barrier(2)

    def fit(seed):
        start.wait()
        return quick(random_state=seed).fit_resample(X, y)[0]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(fit, [0, 0]))
    for result in results:
        np.testing.assert_array_equal(result, first[1])


def test_an_interrupted_or_failed_fit_leaves_sampler_and_store_intact(digits, first, monkeypatch):
    X, y = digits
    sampler = quick()
    sampler.fit_resample(X, y)
    names = ("recipe_", "cyclegans_", "history_", "source_indices_", "source_kind_")
    attributes, fit = {name: getattr(sampler, name) for name in names}, CycleGAN.fit

    for error in (KeyboardInterrupt, ArithmeticError):

        def failing(self, *args, error=error, **kwargs):
            fit(self, *args, **kwargs)
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(CycleGAN, "fit", failing)
            with pytest.raises(error):
                sampler.fit_resample(X, y)
        assert all(vars(sampler)[name] is value for name, value in attributes.items())
    np.testing.assert_array_equal(quick().fit_resample(X, y)[0], first[1])


def test_another_dtype_policy_compiles_its_own(digits, first):
    X, y = digits
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        quick().fit_resample(X, y)
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(quick().fit_resample(X, y)[0], first[1])


def test_learning_rate_and_budget_do_not_compile_anew(digits, monkeypatch):
    X, y = digits
    clear_compiled_models()
    built = []
    build = _leased_training._build

    def noted(*args):
        built.append(args)
        return build(*args)

    monkeypatch.setattr(_leased_training, "_build", noted)
    for steps, rate in ((2, 1e-3), (4, 1e-2), (3, 1e-4)):
        quick(steps=steps, learning_rate=rate).fit_resample(X, y)
    assert len(built) == 1  # for two classes and three settings


def test_a_time_limit_ends_a_training(digits):
    X, y = digits
    sampler = quick(steps=100_000, max_seconds=0.5, sampling_strategy={1: 12})
    X_res, _ = sampler.fit_resample(X, y)
    assert len(X_res) == len(X) + 4
    assert sampler.recipe_.max_seconds == 0.5
    with pytest.raises(ValueError, match="max_seconds"):
        quick(max_seconds=0).fit_resample(X, y)


def test_classifiers_share_a_model_and_keep_their_weights(digits):
    X, y = digits
    options = {"backbone": "small", "input_size": 8, "epochs": 2, "augment": True}

    def fit(seed, **more):
        with reproducible():
            return MelaNet(**options, random_state=seed, **more).fit(X, y)

    clear_compiled_models()
    one = fit(0)
    expected = one.predict_proba(X)
    other = fit(1, learning_rate=1e-2)
    np.testing.assert_array_equal(one.predict_proba(X), expected)
    assert (other.predict_proba(X) != expected).any()
    again = fit(0)
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    assert again.history_ == one.history_


def test_the_whole_time_is_estimated_after_the_first_steps(digits, capsys):
    quick(steps=8, verbose=1).fit_resample(*digits)
    printed = [line for line in capsys.readouterr().out.splitlines() if "About" in line]
    assert len(printed) == 1
    assert re.search(r"About \d+ s for 2 trainings", printed[0])
