import json

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from melanet.over_sampling import Matching


@pytest.fixture(scope="module")
def digits():
    """Return real images of one class, 24x24."""
    X, y = load_digits(return_X_y=True)
    images = X[y == 3].reshape(-1, 8, 8, 1) / 8 - 1
    return np.clip(ndimage.zoom(images, (1, 3, 3, 1), order=3), -1, 1).astype("float32")


def blur(images):
    return 0.9 * ndimage.gaussian_filter(images, (0, 0.8, 0.8, 0)).astype("float32") - 0.05


def detail(images):
    """Return the mean absolute Laplacian."""
    inner = images[:, 1:-1, 1:-1]
    neighbours = (
        images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
    )
    return np.abs(4 * inner - neighbours).mean()


def test_blurred_images_become_as_sharp_as_real_ones(digits):
    made, real = blur(digits[:90]), digits[90:]
    better = Matching.between(made, real)(made)
    assert detail(made) < 0.8 * detail(real)
    assert detail(better) == pytest.approx(detail(real), rel=0.1)
    # They are nearer to the originals, so no noise was added.
    assert np.abs(better - digits[:90]).mean() < np.abs(made - digits[:90]).mean() / 2


def test_pixel_values_become_those_of_the_real_set(digits):
    made, real = blur(digits[:90]), digits[90:]
    better = Matching.between(made, real)(made)
    shares = np.linspace(0, 1, 21)
    before, after = (
        np.abs(np.quantile(x, shares) - np.quantile(real, shares)).max() for x in (made, better)
    )
    assert after < 0.03 < before
    assert np.mean(better == -1) == pytest.approx(np.mean(real == -1), abs=0.02)
    assert np.mean(made == -1) == 0


def test_equal_sets_are_hardly_changed(digits):
    matching = Matching.between(digits, digits)
    np.testing.assert_allclose(matching.gains, 1)
    np.testing.assert_allclose(matching(digits), digits, atol=0.02)


def test_the_gain_at_each_frequency_is_the_ratio_of_amplitudes():
    # A cosine on the transform's grid: all power is at one radial frequency.
    wave = np.cos(np.pi * 6 * (np.arange(16) + 0.5) / 16)
    real = (
        np.broadcast_to(wave[:, None, None], (3, 16, 16, 1))
        * np.array([0.9, 0.8, 0.7])[:, None, None, None]
    )
    gains = Matching.between(real / 1.5, real).gains[:, 0]
    assert gains[3] == pytest.approx(1.5)  # frequency 6 of 16, in steps of 2
    np.testing.assert_allclose(np.delete(gains, 3), 1)
    assert Matching.between(real / 5, real).gains[3, 0] == 2  # the maximum


def test_channels_are_matched_separately(digits):
    real = np.concatenate([digits, -digits / 2, digits / 4], axis=-1)
    made = real[..., [1, 2, 0]]
    better = Matching.between(made, real)(made)
    for c in range(3):
        assert better[..., c].min() == pytest.approx(real[..., c].min(), abs=0.01)
        assert better[..., c].max() == pytest.approx(real[..., c].max(), abs=0.01)


@pytest.mark.parametrize("shape", [(8, 12, 1), (1, 1, 1), (2, 7, 3)])
def test_any_size_and_constant_images(shape):
    rng = np.random.default_rng(0)
    made, real = (rng.uniform(-1, 1, (5, *shape)).astype("float32") for _ in range(2))
    before = made.copy()
    better = Matching.between(made, real)(made)
    assert better.shape == made.shape
    assert better.dtype == np.float32
    assert np.isfinite(better).all()
    np.testing.assert_array_equal(made, before)
    constant = np.full((4, *shape), 0.25, "float32")
    assert np.isfinite(Matching.between(constant, real)(constant)).all()
    np.testing.assert_allclose(Matching.between(made, constant)(made), 0.25)
    assert len(Matching.between(made, real)(made[:0])) == 0


def test_a_matching_can_be_stored_as_json(digits):
    matching = Matching.between(blur(digits), digits)
    again = Matching(**json.loads(json.dumps(matching.to_config())))
    np.testing.assert_array_equal(matching(digits[:5]), again(digits[:5]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_are_not_changed_in_place(digits, dtype):
    made, real = blur(digits[:90]).astype(dtype), digits[90:].astype(dtype)
    before = made.copy(), real.copy()
    Matching.between(made, real)(made)
    np.testing.assert_array_equal(made, before[0])
    np.testing.assert_array_equal(real, before[1])
