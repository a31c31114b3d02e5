"""Pixels on any scale give the reference's result, or an error or warning with the figures."""

import warnings
from functools import cache

import numpy as np
import pytest
from hypothesis import strategies as st
from picture_files import png, tiff
from properties import for_all, in_process

from melanet import CycleGAN, GANOversampler, MelaNet
from melanet.classifier import _backbones
from melanet.exceptions import ScaleWarning
from melanet.images import load_images
from melanet.preprocessing import read_form

# Scale -> limits, and the dtypes that are recognised as it.
SCALES = {
    "bits": ((0, 1), ["bool"]),
    "unit": ((0, 1), ["float16", "float32", "float64"]),
    "symmetric": ((-1, 1), ["float32", "float64"]),
    "bytes": ((0, 255), ["uint8", "int32", "int64", "float32", "float64"]),
    "words": ((0, 65535), ["uint16"]),
}
forms = st.sampled_from([(name, dtype) for name, (_, dtypes) in SCALES.items() for dtype in dtypes])
seeds = st.integers(0, 2**32 - 1)


def draw_levels(seed, bits=False, n=12):
    """Return levels 0 .. 255 of images, both extremes among them."""
    levels = np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 1))
    levels[:, 0, 0], levels[:, 0, 1] = 0, 255
    return (levels > 127) * 255 if bits else levels


def on_scale(levels, form):
    name, dtype = form
    low, high = SCALES[name][0]
    values = low + levels / 255 * (high - low)
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype)


@pytest.fixture(scope="module")
def network():
    return _backbones.build("small", (8, 8), channels=1, n_classes=2)


def fitted(network, X, value_range=None):
    """Return a classifier as `fit` leaves it, without the training."""
    model = MelaNet(backbone="small", input_size=8, value_range=value_range)
    model.model_, model.classes_, model.history_ = network, np.array([0, 1]), {}
    model.form_ = read_form(X, value_range=value_range)
    model.value_range_, model.dtype_ = model.form_.value_range, X.dtype
    return model


def run(function, *arguments):
    """Return the result and the text of warnings, or None and the error's text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ScaleWarning)
        try:
            result = function(*arguments)
        except ValueError as error:
            return None, str(error)
    return result, " ".join(str(w.message) for w in caught if w.category is ScaleWarning)


@in_process
def test_predictions_are_those_of_the_scale_of_fit_or_the_difference_is_named(n_examples, network):
    @for_all(n_examples, fit=forms, ask=forms, seed=seeds)
    def check(fit, ask, seed):
        bits = "bits" in (fit[0], ask[0])
        model = fitted(network, on_scale(draw_levels(seed, bits), fit))
        levels = draw_levels(seed + 1, bits, n=3)
        X = on_scale(levels, ask)
        result, text = run(model.predict_proba, X)
        if SCALES[fit[0]][0] == SCALES[ask[0]][0]:
            expected = network.predict_on_batch(np.asarray(levels / 255, "float32"))
            assert text == ""
            np.testing.assert_allclose(result, expected, atol=1e-3)
        else:
            assert text
            assert str(SCALES[fit[0]][0][1]) in text  # both figures
            assert f"{int(X.max())}" in text or str(X.dtype) in text
        # The same rule holds for a validation set.
        assert (run(model._form_like, model.form_, X)[0] is None) == (result is None)


@in_process
def test_overshoot_is_clipped_and_other_excess_is_named(n_examples, network):
    excess = st.floats(0, 12, allow_nan=False, width=32)

    @for_all(
        n_examples, below=excess, above=excess, seed=seeds, dtype=st.sampled_from(["f4", "f8"])
    )
    def check(below, above, seed, dtype):
        unit = draw_levels(seed) / 255
        X = unit.astype(dtype)
        X[0, 3, 3], X[1, 3, 3] = -below, 1 + above
        form, text = run(read_form, X)
        if below <= 0.25 and above <= 0.25:
            expected = network.predict_on_batch(np.clip(X, 0, 1).astype("float32"))
            for model in (fitted(network, X), fitted(network, unit), fitted(network, X, (0, 1))):
                result, text = run(model.predict_proba, X)
                assert text == ""
                np.testing.assert_allclose(result, expected, atol=1e-5)
        elif form is None:
            assert f"{X.min():g}" in text
            assert f"{X.max():g}" in text
            assert "value_range=" in text
        else:  # no other range fits
            low, high = form.value_range
            assert low - 0.3 <= X.min()
            assert X.max() <= high + 2e-3 * (high - low)
            assert (low, high) == ((0, 255) if X.max() >= 10 else (-1, 1))
        assert run(fitted(network, unit).predict_proba, X)[0] is None or max(below, above) <= 0.25


@cache
def sampler():
    gan = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    return GANOversampler(pretrained={1: gan}, reject=False, guard=False, random_state=0)


@in_process
def test_synthetic_images_are_those_of_floats_in_the_unit_range(n_examples):
    y = np.repeat([0, 1], [8, 4])

    @for_all(n_examples, form=forms, seed=seeds, overshoot=st.sampled_from([0.0, 0.1, 0.25]))
    def check(form, seed, overshoot):
        levels = draw_levels(seed, form[0] == "bits")
        X = on_scale(levels, form)
        if form[0] == "unit":
            X[0, 0, 0], X[-1, 0, 1] = -overshoot, 1 + overshoot
        expected = sampler().fit_resample(levels / 255, y)[0][12:]
        result, _ = sampler().fit_resample(X, y)
        np.testing.assert_array_equal(result[:12], X, strict=True)
        low, high = SCALES[form[0]][0]
        assert low <= result[12:].min() <= result[12:].max() <= high
        found = (result[12:].astype("float64") - low) / (high - low)
        # Integers are rounded; half floats are rounded before the networks.
        step = {"bits": 0.51, "bytes": 0.51 / 255}.get(form[0], 0.0)
        step += 0.03 if form[1] == "float16" else 2e-3
        np.testing.assert_allclose(found, expected, atol=step)


DEEP = {
    "png": lambda samples, bits: png(samples, 16, 0),
    "colour png": lambda samples, bits: png(samples.repeat(3, axis=-1), 16, 2),
    "tiff": lambda samples, bits: tiff(samples, 16, 1),
    "inverse tiff": lambda samples, bits: tiff(samples, 16, 0),
    "tiff of 12 bits": lambda samples, bits: tiff(samples, 12, 1),
}


@in_process
def test_files_that_use_a_part_of_their_bits_are_named_with_the_range(n_examples, tmp_path):
    @for_all(
        n_examples,
        kind=st.sampled_from(sorted(DEEP)),
        used=st.integers(9, 16),
        n=st.integers(1, 4),
        seed=seeds,
    )
    def check(kind, used, n, seed):
        bits = 12 if "12" in kind else 16
        used = min(used, bits)
        samples = np.random.default_rng(seed).integers(0, 2**used, (n, 5, 7, 1))
        samples[0, 0, 0] = 2**used - 1
        paths = [tmp_path / f"{i}" for i in range(n)]
        for path, values in zip(paths, samples):
            path.write_bytes(DEEP[kind](values, bits))
        _, text = run(load_images, paths, (5, 7))
        assert (text != "") == (used < bits)
        assert text == "" or f"Files of {bits} bits use {used} of them" in text
        found, text = run(lambda: load_images(paths, (5, 7), value_range=(0, 2**used - 1)))
        if "colour" in kind:
            assert found is None
            assert "mode RGB, of which Pillow reads the upper 8 bits" in text
            return
        assert text == ""
        wanted = samples / (2**used - 1) * 255
        wanted = 255 - wanted if "inverse" in kind else wanted
        np.testing.assert_allclose(found, wanted.repeat(3, axis=-1), atol=0.51)
