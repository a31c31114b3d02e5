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


def test_invalid_settings_are_rejected():
    with pytest.raises(ValueError, match="Received: flip=True"):
        resolve_recipe("default", (8, 8, 1), flip=True)
    with pytest.raises(ValueError, match=r"\['default', 'paper'\]. Received: preset='best'"):
        resolve_recipe("best", (8, 8, 1))


def test_a_recipe_can_be_stored_as_a_dict():
    recipe = replace(PRESETS["default"], copies=0.25)
    assert recipe_from_dict({**recipe.as_dict(), "of a later version": 1}) == recipe
