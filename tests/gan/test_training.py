from dataclasses import replace

import numpy as np
import pytest

from melanet.exceptions import TrainingDiverged
from melanet.gan import training
from melanet.over_sampling import PRESETS


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def test_diverging_training_says_where_and_what_to_do(samples):
    recipe = replace(PRESETS["default"], learning_rate=1e30, steps=40, filters=2)
    with pytest.raises(
        TrainingDiverged, match=r"class 8: the loss became .* at step .*learning_rate"
    ):
        training.train(recipe, samples[:8], samples[8:], seed=0, name="class 8")


def test_a_budget_in_epochs_is_epochs_of_the_smaller_set(samples):
    recipe = replace(PRESETS["paper"], epochs=2, filters=2, discriminator_filters=2)
    cyclegan, history = training.train(recipe, samples[:8], samples[8:], seed=0)
    assert len(history["loss"]) == 2
    assert int(cyclegan.optimizer.iterations) == 2 * 5


@pytest.mark.parametrize("steps", [7, 20])
def test_a_budget_in_steps_is_kept(samples, steps):
    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    recipe = replace(PRESETS["default"], steps=steps, **small)
    cyclegan, _ = training.train(recipe, samples[:8], samples[8:], seed=0)
    assert int(cyclegan.optimizer.iterations) == steps


@pytest.mark.parametrize(("augment", "share"), [(0.25, 0.25), (True, 1.0), (0.0, 0.0)])
def test_the_share_of_training_images_that_is_changed(samples, augment, share):
    recipe = replace(PRESETS["default"], augment=augment, steps=40, batch_size=8)
    batches, epochs = training.unpaired_dataset(recipe, samples, samples, 0)
    assert epochs * len(batches) == 40
    known = {image.tobytes() for image in samples}
    seen = [a.tobytes() in known for i in range(len(batches)) for a in batches[i][0][0]]
    assert 1 - np.mean(seen) == pytest.approx(share, abs=0.25 * share * (1 - share) * 4)
