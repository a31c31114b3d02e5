import numpy as np
import pytest
from test_filling import Inverting

from melanet.over_sampling import PRESETS, _translator


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def test_stretch_takes_each_image_to_the_full_range(samples):
    recipe = PRESETS["paper"]
    made = _translator.translate(Inverting(), samples, recipe)
    np.testing.assert_allclose(made.min(axis=(1, 2, 3)), -1, atol=1e-6)
    np.testing.assert_allclose(made.max(axis=(1, 2, 3)), 1, atol=1e-6)
    flat = _translator.translate(Inverting(), np.zeros((1, 6, 6, 1), "float32"), recipe)
    assert (flat == 0).all()


def test_matching_is_measured_on_the_translations(samples):
    rows, own = np.arange(8), samples[8:]
    recipe = PRESETS["default"]
    matching, known = _translator.matching_of(recipe, Inverting(), samples.__getitem__, rows, own)
    made = matching(-samples[:8])
    assert made.std() == pytest.approx(own.std(), rel=0.05)
    assert np.quantile(made, 0.9) == pytest.approx(np.quantile(own, 0.9), abs=0.05)
    assert sorted(known) == rows.tolist()
    for row, image in known.items():
        np.testing.assert_array_equal(image, -samples[row])
