"""One fit, one translation and one round trip through a file, on the chosen backend.

Run ``KERAS_BACKEND=torch python tests/lanes/backend_lane.py``, and the same for jax and tensorflow.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from melanet import CycleGAN, GANOversampler, UnpairedImages
from melanet.images import Augmentation
from melanet.utils import reproducible

BACKEND = keras.backend.backend()


def main():
    """Raise an AssertionError if a check fails."""
    rng = np.random.default_rng(0)
    dark, bright = rng.uniform(-0.9, -0.5, (12, 9, 8, 1)), rng.uniform(0.5, 0.9, (7, 9, 8, 1))
    translations = []
    for _ in range(2):
        model = CycleGAN.from_shape((9, 8, 1), filters=4, discriminator_filters=4, seed=1)
        model.compile(optimizer=keras.optimizers.Adam(4e-3, beta_1=0.5))
        batches = UnpairedImages(
            dark, bright, batch_size=3, seed=2, steps=120, augment=Augmentation()
        )
        with reproducible():
            history = model.fit(batches, epochs=1, verbose=0).history
            translations.append(model.translate(dark, to="B"))
    assert all(np.isfinite(values).all() for values in history.values()), history
    np.testing.assert_array_equal(*translations)
    assert translations[0].mean() > 0.2, translations[0].mean()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path)
        with reproducible():
            np.testing.assert_array_equal(again.translate(dark), translations[0])
        again.fit(batches, epochs=1, verbose=0)

    X = np.concatenate([dark, bright[:5]])
    y = np.repeat(["dark", "bright"], [12, 5])
    sampler = GANOversampler(steps=4, generator="unet", reject=False, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert X_res.shape == (24, 9, 8, 1)
    assert sorted(np.unique(y_res, return_counts=True)[1]) == [12, 12]

    # Two rare classes by one training.
    three = np.repeat(["dark", "bright", "brightest"], [10, 4, 3])
    made = []
    for _ in range(2):
        sampler = GANOversampler(
            steps=6, generator="unet", reject=False, conditional=True, random_state=0
        )
        made.append(sampler.fit_resample(X, three)[0])
        assert np.isfinite(sampler.history_["bright"]["loss"]).all()
        assert len(sampler.translate(X[:3], "brightest")) == 3
    np.testing.assert_array_equal(*made)
    assert len(made[0]) == 30

    # Images of 32 pixels are edited, guided by small networks.
    large = np.concatenate([x.repeat(4, axis=1).repeat(4, axis=2) for x in (dark, bright[:5])])
    edited = []
    for _ in range(2):
        sampler = GANOversampler(
            steps=4,
            batch_size=2,
            features=None,
            reject=False,
            guard=False,
            copies=0,
            random_state=0,
        )
        edited.append(sampler.fit_resample(large, y)[0])
        assert sampler.recipe_.features == "small"
    np.testing.assert_array_equal(*edited)
    changed = sampler.translate(large[:12], "bright") - large[:12]
    assert np.abs(changed).max() > 0

    loaded = {"tensorflow", "torch", "jax"} & set(sys.modules)
    assert "tensorflow" not in loaded or BACKEND == "tensorflow", loaded
    print(f"{BACKEND}: fit, translation, round trip, fit_resample and edits passed")


if __name__ == "__main__":
    main()
