"""Tests of the strength of edits: less where they go beyond the class, otherwise untouched."""

from dataclasses import replace

import numpy as np
import pytest

from melanet import CycleGAN, GANOversampler
from melanet.gan import networks
from melanet.over_sampling import resolve_recipe
from melanet.over_sampling._strength import temper

SHAPE = (32, 32, 1)
RECIPE = replace(resolve_recipe("default", SHAPE), edit_strength=1.0)


def images_of(n, level, seed):
    """Return noisy images whose mean brightness varies around a level by .05."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(level, 0.05, (n, 1, 1, 1))
    return (levels + rng.normal(0, 0.1, (n, *SHAPE))).astype("float32")


SAMPLES = np.concatenate([images_of(40, -0.3, 0), images_of(30, 0.1, 1)])
ROWS = np.arange(40), np.arange(40, 70)


def brightening(amount):
    generator = networks.edit_generator(SHAPE, filters=4)
    edit = generator.get_layer("edit")
    edit.set_weights([np.zeros_like(edit.get_weights()[0]), np.full(1, np.arctanh(amount))])
    return CycleGAN(generator, None, None, None)


def tempered(cyclegan, recipe=RECIPE, rows=ROWS):
    networks.set_edit_strength(cyclegan.generator_ab, recipe.edit_strength)
    temper(cyclegan, SAMPLES, *rows, recipe)
    return networks.edit_strength(cyclegan.generator_ab)


def test_edits_that_reach_the_class_keep_their_strength():
    assert tempered(brightening(0.4)) == 1


def test_edits_that_go_beyond_the_class_are_reduced_to_reach_it():
    """The classes are .4 apart: .4 / .7 reaches it at seven tenths."""
    assert tempered(brightening(0.4 / 0.7)) == pytest.approx(0.7)


def test_where_no_strength_will_do_the_best_is_taken():
    assert tempered(brightening(-0.5)) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("recipe", "rows"),
    [(replace(RECIPE, guard=False), ROWS), (RECIPE, (ROWS[0], ROWS[1][:9]))],
    ids=["without a guard", "with nine samples"],
)
def test_the_strength_stays_as_it_is(recipe, rows):
    assert tempered(brightening(0.4 / 0.7), recipe, rows) == 1


def test_other_generators_stay_as_they_are():
    recipe = resolve_recipe("default", (16, 16, 1))
    cyclegan = CycleGAN.from_shape((16, 16, 1), filters=4, discriminator_filters=4)
    before = [w.copy() for w in cyclegan.generator_ab.get_weights()]
    temper(cyclegan, SAMPLES[:, :16, :16], *ROWS, recipe)
    for old, new in zip(before, cyclegan.generator_ab.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert networks.edit_strength(cyclegan.generator_ab) is None


def test_a_sampler_reports_the_strength(tmp_path):
    X, y = SAMPLES, np.repeat([0, 1], [40, 30])
    sampler = GANOversampler(steps=2, features=None, random_state=0)
    sampler.fit_resample(X, y)
    strength = sampler.reports_[1].measures["strength"]
    assert strength == networks.edit_strength(sampler.cyclegans_[1].generator_ab)
    assert strength in sampler.recipe_.edit_strength * np.float32([1, 0.85, 0.7, 0.55, 0.4])
