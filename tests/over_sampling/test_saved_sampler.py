"""The fitted state through JSON: nothing is lost, and older files are read."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from melanet.over_sampling import Matching, resolve_recipe
from melanet.over_sampling._generation import ClassReport
from melanet.over_sampling._saved_sampler import (
    counts_from_json,
    counts_to_json,
    fitted_from_card,
    fitted_to_card,
)
from melanet.preprocessing import read_form
from melanet.utils import _archive

MODELS = "first", "second"  # stored beside the card


def through_json(card):
    return json.loads(json.dumps(card, default=_archive._to_json))


@pytest.fixture
def sampler():
    """Fitted attributes of a sampler of classes "a" and "c", of which one is matched."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (4, 8, 8)).astype("float32")
    x = rng.uniform(-1, 1, (4, 8, 8, 1)).astype("float32")
    return SimpleNamespace(
        form_=read_form(images, None, (0, 16)),
        recipe_=resolve_recipe("default", (8, 8, 1), steps=7),
        cyclegans_=dict(zip("ac", MODELS)),
        history_={"a": {"loss": [0.5, 0.1 + 0.2]}, "c": {}},
        matchings_={"c": Matching.between(x / 2, x)},
        reports_={
            "a": ClassReport(5, 2, 4, 1, 1, {"evidence": 0.7}, "open: 3 of 4"),
            "b": ClassReport(3, 3),
        },
        sampling_strategy_={"a": 5, "b": 3},
        source_indices_=np.array([4, 0, 2]),
        source_kind_=np.array(["translation", "copy", "copy"]),
        sample_weight_=rng.random(3),
        n_features_in_=8,
        feature_names_in_=np.array(["x", "y"], object),
    )


def test_every_attribute_comes_back(sampler):
    again = SimpleNamespace()
    fitted_from_card(again, through_json(fitted_to_card(sampler)), MODELS)
    assert vars(again).keys() == vars(sampler).keys()
    for name in ("recipe_", "cyclegans_", "history_", "reports_", "sampling_strategy_"):
        assert getattr(again, name) == getattr(sampler, name), name
    for name in ("source_indices_", "source_kind_", "sample_weight_", "feature_names_in_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sampler, name))
        assert getattr(again, name).dtype == getattr(sampler, name).dtype
    assert again.form_.to_config() == sampler.form_.to_config()
    assert list(again.matchings_) == ["c"]
    x = np.linspace(-1, 1, 64, dtype="float32").reshape(1, 8, 8, 1)
    np.testing.assert_array_equal(again.matchings_["c"](x), sampler.matchings_["c"](x))


def test_older_files_have_no_reports_weights_or_names(sampler):
    card = through_json(fitted_to_card(sampler))
    for name in ("reports", "sample_weight", "feature_names_in"):
        del card[name]
    again = SimpleNamespace()
    fitted_from_card(again, card, MODELS)
    assert again.reports_ == {}
    assert vars(sampler).keys() - vars(again).keys() == {"sample_weight_", "feature_names_in_"}


@pytest.mark.parametrize(
    "counts",
    [
        {"b": 3, "a": 1},
        {2: 3, -1: 4},
        {True: 1, False: 2},
        {1.5: 2},
        {np.int64(4): np.int64(3), np.int64(0): 2},
        {np.str_("naevus"): 1},
        {},
    ],
)
def test_counts_keep_labels_that_are_no_text(counts):
    again = counts_from_json(through_json(counts_to_json(counts)))
    assert list(again.items()) == list(counts.items())
    assert all(type(n) is int for n in again.values())
