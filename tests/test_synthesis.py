from types import SimpleNamespace

import numpy as np
import pytest

from melanet import synthesis
from melanet.callbacks import TrainingDiverged
from melanet.recipes import PRESETS


class Inverting:
    """Stands in for a trained CycleGAN where what it learned does not matter."""

    sample_shape = (6, 6, 1)

    def translate(self, x, to="B", batch_size=32):
        assert to == "B"
        return -x


@pytest.fixture
def samples():
    # Asymmetric, so that a mirror image differs.
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def make(samples, n, accepts=None, rng=0, **recipe):
    recipe = {**PRESETS["default"], "reject": accepts is not None, **recipe}
    rows, own = np.arange(8), np.arange(8, 13)
    return synthesis._make(
        recipe, Inverting(), accepts, samples, rows, own, n, np.random.default_rng(rng)
    )[:3]


def test_each_source_is_used_once_before_any_is_used_again(samples):
    made, source, kinds = make(samples, 8)
    assert sorted(source) == list(range(8))
    assert set(kinds) == {"translation"}
    np.testing.assert_array_equal(made, -samples[source])


def test_reused_sources_do_not_repeat_themselves(samples):
    made, source, _ = make(samples, 30)
    assert np.bincount(source, minlength=8).min() >= 3
    assert len(np.unique(made.reshape(30, -1), axis=0)) == 30


def test_second_use_is_the_mirror_image_where_flips_are_permitted(samples):
    made, source, _ = make(samples, 16, flip="horizontal")
    np.testing.assert_array_equal(made[:8], -samples[source[:8]])
    np.testing.assert_array_equal(made[8:], -samples[source[8:]][:, :, ::-1])


def test_reused_rows_of_a_table_are_jittered():
    rows = np.random.default_rng(0).uniform(-1, 1, (6, 3)).astype("float32")
    made, *_ = synthesis._make(
        {**PRESETS["default"], "flip": None, "guard": False},
        SimpleNamespace(translate=lambda x, to: x),
        None,
        rows,
        np.arange(4),
        np.arange(4, 6),
        12,
        np.random.default_rng(0),
    )
    assert len(np.unique(made, axis=0)) == 12


def test_what_the_judge_refuses_twice_becomes_an_augmented_copy(samples):
    calls = []

    def accepts(x):
        calls.append(len(x))
        return np.arange(len(x)) % 2 == 0

    made, source, kinds = make(samples, 8, accepts)
    assert calls == [8, 4]
    assert list(kinds).count("copy") == 2
    copies = kinds == "copy"
    assert (source[copies] >= 8).all()
    assert (source[~copies] < 8).all()
    np.testing.assert_array_equal(made[~copies & (np.arange(8) % 2 == 0)], -samples[source[::2]])
    for image, row in zip(made[copies], source[copies]):
        assert 0 < np.abs(image - samples[row]).mean() < np.abs(image + samples[row]).mean()


def test_a_judge_that_refuses_all_leaves_copies_only(samples):
    made, source, kinds = make(samples, 11, lambda x: np.zeros(len(x), bool))
    assert set(kinds) == {"copy"}
    assert (np.bincount(source, minlength=13)[8:] >= 2).all()
    assert len(np.unique(made.reshape(11, -1), axis=0)) == 11


def test_stretch_takes_each_image_to_the_full_range(samples):
    recipe = PRESETS["paper"]
    made = synthesis.translate(Inverting(), samples, recipe)
    np.testing.assert_allclose(made.min(axis=(1, 2, 3)), -1, atol=1e-6)
    np.testing.assert_allclose(made.max(axis=(1, 2, 3)), 1, atol=1e-6)
    flat = synthesis.translate(Inverting(), np.zeros((1, 6, 6, 1), "float32"), recipe)
    assert (flat == 0).all()


def test_diverging_training_says_where_and_what_to_do(samples):
    recipe = {**PRESETS["default"], "learning_rate": 1e30, "steps": 40, "filters": 2}
    with pytest.raises(
        TrainingDiverged, match=r"class 8: the loss became .* at step .*learning_rate"
    ):
        synthesis.train(recipe, samples[:8], samples[8:], seed=0, name="class 8")


def test_a_budget_in_epochs_is_epochs_of_the_smaller_set(samples):
    recipe = {**PRESETS["paper"], "epochs": 2, "filters": 2, "discriminator_filters": 2}
    cyclegan, history = synthesis.train(recipe, samples[:8], samples[8:], seed=0)
    assert len(history["loss"]) == 2
    assert int(cyclegan.optimizer.iterations) == 2 * 5


@pytest.mark.parametrize("steps", [7, 13, 20])
def test_a_budget_in_steps_is_kept(samples, steps):
    recipe = {**PRESETS["default"], "steps": steps, "filters": 2, "discriminator_filters": 2}
    recipe["generator"] = "unet"
    cyclegan, _ = synthesis.train(recipe, samples[:8], samples[8:], seed=0)
    assert int(cyclegan.optimizer.iterations) == steps
