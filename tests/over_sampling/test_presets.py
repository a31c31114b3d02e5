from types import SimpleNamespace

import pytest

from melanet.over_sampling import PRESETS
from melanet.over_sampling._presets import resolve

NAMES = "generator steps epochs batch_size learning_rate augment flip match copies reject guard"
NONE = dict.fromkeys(NAMES.split())


def choices(preset="default", **chosen):
    return SimpleNamespace(preset=preset, **{**NONE, **chosen})


def test_nothing_chosen_is_the_preset():
    assert resolve(choices("paper"), (256, 256, 3)) == PRESETS["paper"]


def test_paper_preset_is_the_papers():
    paper = PRESETS["paper"]
    assert paper["generator"] == "unet"
    assert (paper["filters"], paper["discriminator_filters"]) == (32, 64)
    assert (paper["epochs"], paper["batch_size"], paper["learning_rate"]) == (100, 1, 2e-4)
    assert paper["flip"] == "horizontal"
    assert paper["stretch"]
    assert not paper["decay"]
    assert not paper["augment"]
    assert not paper["reject"]
    assert not paper["guard"]


def test_an_explicit_value_wins_even_if_it_is_false():
    recipe = resolve(choices("paper", flip=False, batch_size=2, augment=True), (8, 8, 1))
    assert recipe["flip"] is None
    assert recipe["batch_size"] == 2
    assert recipe["augment"] is True


def test_a_budget_in_steps_replaces_one_in_epochs_and_back():
    assert resolve(choices("paper", steps=7), (8, 8, 1))["epochs"] is None
    recipe = resolve(choices("default", epochs=3), (8, 8, 1))
    assert (recipe["steps"], recipe["epochs"]) == (None, 3)
    with pytest.raises(ValueError, match="steps or epochs, not both"):
        resolve(choices(steps=1, epochs=1), (8, 8, 1))


def test_tables_take_what_fits_them():
    recipe = resolve(choices(), (20,))
    assert recipe["flip"] is None
    assert recipe["generator"] is None
    with pytest.raises(ValueError, match="images only"):
        resolve(choices(flip="horizontal"), (20,))


def test_flip_true_says_which():
    with pytest.raises(ValueError, match="Received: flip=True"):
        resolve(choices(flip=True), (8, 8, 1))
