import shutil
from dataclasses import replace

import numpy as np
import pytest

from melanet import CycleGAN
from melanet.callbacks import PictureGrid
from melanet.datasets import make_lesions
from melanet.exceptions import TrainingDiverged
from melanet.gan import training
from melanet.gan._leased_training import unpaired_dataset
from melanet.over_sampling import PRESETS
from melanet.utils import clear_compiled_models


@pytest.fixture
def samples():
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def test_a_diverging_training_names_the_step_and_the_remedy(samples):
    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    recipe = replace(PRESETS["default"], learning_rate=1e30, steps=40, **small)
    with pytest.raises(
        TrainingDiverged, match=r"class 8: the loss became .* at step .*learning_rate"
    ):
        training.train(recipe, samples[:8], samples[8:], seed=0, name="class 8")


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, monkeypatch):
    class Interruption(Exception):
        pass

    class Interrupter(PictureGrid):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == 1:
                raise Interruption

    X, y = make_lesions(6, image_size=8, weights=(0.5, 0.5), random_state=0)
    small = {"generator": "unet", "steps": 3, "filters": 2, "discriminator_filters": 2}
    recipe = replace(PRESETS["default"], **small)
    options = {"recipe": recipe, "checkpoint_seconds": 0, "seed": 1}
    sets = X[y == 0], X[y == 1]
    uninterrupted = training.train_and_save(*sets, tmp_path / "whole.keras", **options)
    with monkeypatch.context() as patch:
        patch.setattr(training, "PictureGrid", Interrupter)
        with pytest.raises(Interruption):
            training.train_and_save(*sets, tmp_path / "cut.keras", **options)
    assert not (tmp_path / "cut.keras").exists()
    assert len(list((tmp_path / ".cut.keras.training").glob("epoch-00000002.*.npz"))) == 1
    resumed = training.train_and_save(*sets, tmp_path / "cut.keras", **options)
    assert (tmp_path / "cut.record.csv").read_text() == (tmp_path / "whole.record.csv").read_text()
    for a, b in zip(uninterrupted.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_that_cannot_be_written_at_the_end_is_written_by_the_next_call(
    tmp_path, monkeypatch
):
    X, y = make_lesions(6, image_size=8, weights=(0.5, 0.5), random_state=0)
    small = {"generator": "unet", "steps": 1, "filters": 2, "discriminator_filters": 2}
    recipe = replace(PRESETS["default"], **small)
    sets, path = (X[y == 0], X[y == 1]), tmp_path / "a.keras"
    with monkeypatch.context() as patch:
        patch.setattr(
            training, "write_csv", lambda *_: (tmp_path / "a.keras" / "in").mkdir(parents=True)
        )
        with pytest.raises(OSError, match="cannot be written") as caught:
            training.train_and_save(*sets, path, recipe)
    assert "the same call continues from it" in caught.value.__notes__[0]
    (finished,) = tmp_path.glob(".partial-*")
    first = CycleGAN.from_pretrained(finished)
    shutil.rmtree(path)
    steps = []
    monkeypatch.setattr(CycleGAN, "train_step", lambda *_: steps.append(1))
    training.train_and_save(*sets, path, recipe)
    clear_compiled_models()  # of the one that keeps this step
    assert steps == []
    again = CycleGAN.from_pretrained(path)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len((tmp_path / "a.record.csv").read_text().splitlines()) == 2
    assert not (tmp_path / ".a.keras.training").exists()


def test_an_output_is_tried_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "leased_training", None)
    (tmp_path / "a.samples").write_text("in the way")
    X = np.zeros((1, 8, 8, 1), np.uint8)
    with pytest.raises(OSError, match="cannot be written"):
        training.train_and_save(X, X, tmp_path / "a.keras", PRESETS["paper"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.samples"]


def test_file_name_and_sets_are_validated():
    with pytest.raises(ValueError, match="path must end in .keras"):
        training.train_and_save(np.zeros((1, 8, 8, 1)), [], "a.h5", PRESETS["paper"])
    with pytest.raises(ValueError, match="B must hold at least one image"):
        training.train_and_save(np.zeros((1, 8, 8, 1)), [], "a.keras", PRESETS["paper"])


def test_a_trained_model_is_independent_of_later_trainings(samples):
    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2, "steps": 2}
    recipe = replace(PRESETS["default"], **small)
    first, _ = training.train(recipe, samples[:8], samples[8:], seed=0)
    before = first.get_weights()
    training.train(recipe, samples[:8], samples[8:], seed=1)
    for a, b in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    first.fit(unpaired_dataset(recipe, samples[:8], samples[8:], 0)[0], verbose=0)
