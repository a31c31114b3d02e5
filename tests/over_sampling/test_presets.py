from dataclasses import replace

import numpy as np
import pytest

from melanet.over_sampling import PRESETS, resolve_recipe
from melanet.over_sampling._presets import recipe_from_dict


def test_without_overrides_the_recipe_is_the_preset():
    assert resolve_recipe("paper", (256, 256, 3), steps=None, flip=None) == PRESETS["paper"]


def test_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    assert paper.generator == "unet"
    assert (paper.filters, paper.discriminator_filters) == (32, 64)
    assert (paper.epochs, paper.batch_size, paper.learning_rate) == (100, 1, 2e-4)
    assert paper.flip == "horizontal"
    assert paper.stretch
    assert not any([paper.decay, paper.augment, paper.reject, paper.guard, paper.match])


def test_an_explicit_value_takes_precedence_even_if_false():
    recipe = resolve_recipe("paper", (8, 8, 1), flip=False, batch_size=np.int64(2), augment=True)
    assert recipe.flip is None
    assert recipe.batch_size == 2
    assert type(recipe.batch_size) is int
    assert recipe.augment == 1.0


def test_a_budget_in_steps_replaces_one_in_epochs_and_back():
    assert resolve_recipe("paper", (8, 8, 1), steps=7).epochs is None
    recipe = resolve_recipe("default", (8, 8, 1), epochs=3)
    assert (recipe.steps, recipe.epochs) == (None, 3)
    with pytest.raises(ValueError, match="steps or epochs, not both"):
        resolve_recipe("default", (8, 8, 1), steps=1, epochs=1)


@pytest.mark.parametrize(
    ("budget", "schedule"),
    [
        ({"epochs": 3}, (3, None)),
        ({"steps": 600}, (10, 60)),
        ({"steps": 14}, (7, 2)),
        ({"steps": 13}, (1, 13)),
    ],
)
def test_a_budget_is_divided_into_epochs(budget, schedule):
    assert resolve_recipe("default", (8, 8, 1), **budget).schedule() == schedule


def test_recipes_of_tables_have_no_image_settings():
    recipe = resolve_recipe("default", (20,))
    assert recipe.flip is None
    assert recipe.generator is None
    with pytest.raises(ValueError, match="images only"):
        resolve_recipe("default", (20,), flip="horizontal")


def test_a_table_gets_a_gan_only_if_a_setting_of_one_is_given():
    assert resolve_recipe("default", (20,), guard=False, conditional=False).copies == 1
    for given in ({"steps": 3}, {"max_translations": 0}, {"conditional": True}, {"copies": 0}):
        assert resolve_recipe("default", (20,), **given).copies == 0
    assert resolve_recipe("default", (20,), steps=3, copies=0.5).copies == 0.5
    assert resolve_recipe("paper", (20,)).copies == 0


def test_changed_copies_take_over_conditions_below_32_pixels_alone():
    found = {side: resolve_recipe("default", (side, 40, 3)).move for side in (8, 31, 32)}
    assert found == {8: True, 31: True, 32: False}
    assert not resolve_recipe("default", (64, 64, 3), generator="resnet").move
    assert not resolve_recipe("default", (20,)).move


def test_invalid_settings_are_rejected():
    with pytest.raises(ValueError, match="Received: flip=True"):
        resolve_recipe("default", (8, 8, 1), flip=True)
    with pytest.raises(ValueError, match=r"\['default', 'paper'\]. Received: preset='best'"):
        resolve_recipe("best", (8, 8, 1))


def test_a_recipe_can_be_stored_as_a_dict():
    recipe = replace(PRESETS["default"], copies=0.25)
    assert recipe_from_dict({**recipe.as_dict(), "of a later version": 1}) == recipe


@pytest.mark.parametrize(
    ("shape", "generator"),
    [((8, 8, 1), "resnet"), ((31, 64, 3), "resnet"), ((32, 32, 1), "edit"), ((64, 48, 3), "edit")],
)
def test_the_size_decides_between_redrawing_and_editing(shape, generator):
    recipe = resolve_recipe("default", shape)
    assert recipe.generator == generator
    assert f"{min(shape[:2])} pixels" in recipe.reason
    assert (recipe.edit_weight > 0) == (generator == "edit")


def test_a_generator_that_is_given_is_used_at_any_size():
    assert resolve_recipe("default", (8, 8, 1), generator="edit").edit_weight > 0
    redrawn = resolve_recipe("default", (64, 64, 3), generator="resnet")
    assert (redrawn.steps, redrawn.match, redrawn.edit_weight) == (600, True, 0)
    assert "as given" in redrawn.reason


def test_quality_sets_the_length_of_the_training():
    for shape in ((8, 8, 1), (64, 64, 3)):
        steps = [resolve_recipe("default", shape, q).steps for q in ("draft", "default", "high")]
        assert steps == sorted(set(steps))
    assert resolve_recipe("default", (64, 64, 3), "high").edit_side == 128
    assert resolve_recipe("default", (64, 64, 3), "draft", steps=7).steps == 7


@pytest.mark.parametrize(
    ("preset", "shape", "quality"),
    [("paper", (64, 64, 3), "high"), ("default", (5,), "draft"), ("default", (8, 8, 1), "best")],
)
def test_a_quality_that_cannot_be_used_is_refused(preset, shape, quality):
    with pytest.raises(ValueError, match=f"quality.*{quality}"):
        resolve_recipe(preset, shape, quality)
