import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

from melanet.exceptions import TranslationWarning
from melanet.over_sampling import _guidance, resolve_recipe
from melanet.over_sampling._guidance import guide_for, with_features

SHAPE = (32, 32, 1)
EDIT = resolve_recipe("default", SHAPE)
REDRAW = replace(EDIT, generator="resnet")


def network():
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, keras.layers.Conv2D(4, 3, strides=4)(inputs))


def test_the_network_is_recorded_in_the_recipe():
    recipe, found = with_features(EDIT, SHAPE, None)
    assert (recipe.features, found) == ("small", None)
    recipe, found = with_features(EDIT, SHAPE, network())
    assert (recipe.features, recipe.features_sha256) == (found.name, found.sha256)
    assert replace(recipe, features=EDIT.features, features_sha256=EDIT.features_sha256) == EDIT
    assert with_features(EDIT, SHAPE, found)[1] is found
    # The checksum tells networks of equal form apart.
    assert with_features(EDIT, SHAPE, network())[0].features_sha256 != recipe.features_sha256


def test_missing_weights_are_told_unless_small_networks_are_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.warns(TranslationWarning, match="No ImageNet weights lie in Keras' cache") as found:
        assert with_features(EDIT, SHAPE, stacklevel=1)[0].features == "small"
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_features(EDIT, SHAPE, None)
        with_features(EDIT, (32, 32, 5))
        with_features(REDRAW, SHAPE)


def test_a_recipe_that_redraws_takes_no_features_and_no_guide():
    for features in ("auto", None):
        assert with_features(REDRAW, SHAPE, features) == (REDRAW, None)
    with pytest.raises(ValueError, match="features='imagenet', but generator='resnet'"):
        with_features(REDRAW, SHAPE, "imagenet")
    images = np.zeros((2, *SHAPE), "float32")
    assert guide_for(REDRAW, images, images) is None


def test_features_that_do_not_exist_or_fit_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="features must be"):
        with_features(EDIT, SHAPE, tmp_path / "none.h5")
    with pytest.raises(ValueError, match=r"images of shape \(32, 32, 5\)"):
        with_features(EDIT, (32, 32, 5), "imagenet")


@pytest.mark.parametrize(("recipe", "verbose"), [(EDIT, 1), (EDIT, 0), (REDRAW, 1)])
def test_a_wait_for_the_guide_is_announced_before_it_begins(monkeypatch, capsys, recipe, verbose):
    printed = []
    monkeypatch.setattr(
        _guidance, "fit_guide", lambda *_, **__: printed.append(capsys.readouterr().out)
    )
    guide_for(recipe, [], [], verbose=verbose)
    assert [bool(text) for text in printed] == ([bool(verbose)] if recipe is EDIT else [])
    assert not capsys.readouterr().out
