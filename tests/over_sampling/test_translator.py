import numpy as np
from negatives import negative

from melanet.over_sampling import PRESETS
from melanet.over_sampling._translator import translate


def test_stretch_maps_each_image_to_the_full_range():
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")
    gan, recipe = negative(samples.shape[1:]), PRESETS["paper"]
    made = translate(gan, samples, recipe)
    np.testing.assert_allclose(made.min(axis=(1, 2, 3)), -1, atol=1e-6)
    np.testing.assert_allclose(made.max(axis=(1, 2, 3)), 1, atol=1e-6)
    constant = np.zeros((1, 6, 6, 1), "float32")
    assert (translate(gan, constant, recipe) == 0).all()
    np.testing.assert_array_equal(translate(gan, samples, PRESETS["default"]), -samples)
