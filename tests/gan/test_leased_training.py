"""Trainings on compiled models that are leased from a store."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from melanet.gan import training
from melanet.gan._leased_training import leased_training, unpaired_dataset
from melanet.over_sampling import PRESETS


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def test_an_epoch_is_a_pass_over_the_smaller_set(samples):
    recipe = replace(PRESETS["paper"], epochs=2, filters=2, discriminator_filters=2)
    with leased_training(recipe, samples[:8], samples[8:], seed=0) as finished:
        assert len(finished.history["loss"]) == 2
        assert int(finished.cyclegan.optimizer.iterations) == 2 * 5


@pytest.mark.parametrize("steps", [7, 20])
def test_a_budget_in_steps_is_kept(samples, steps):
    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    recipe = replace(PRESETS["default"], steps=steps, **small)
    with leased_training(recipe, samples[:8], samples[8:], seed=0) as finished:
        assert int(finished.cyclegan.optimizer.iterations) == steps


@pytest.mark.parametrize(("augment", "share"), [(0.25, 0.25), (True, 1.0), (0.0, 0.0)])
def test_the_share_of_augmented_training_images(samples, augment, share):
    recipe = replace(PRESETS["default"], augment=augment, steps=40, batch_size=8)
    batches, epochs = unpaired_dataset(recipe, samples, samples, 0)
    assert epochs * len(batches) == 40
    originals = {image.tobytes() for image in samples}
    unchanged = [a.tobytes() in originals for i in range(len(batches)) for a in batches[i][0][0]]
    assert 1 - np.mean(unchanged) == pytest.approx(share, abs=0.25 * share * (1 - share) * 4)


def test_callbacks_of_the_users_own_see_a_model_that_is_not_shared(samples):
    class Keeper(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.kept = self.model

    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2, "steps": 2}
    recipe = replace(PRESETS["default"], **small)
    keepers = Keeper(), Keeper()
    for keeper in keepers:
        training.train(recipe, samples[:8], samples[8:], callbacks=[keeper])
    assert keepers[0].kept is not keepers[1].kept
