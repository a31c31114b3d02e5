"""The fitted state of a sampler as JSON values, for its file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from melanet.gan import CycleGAN
from melanet.over_sampling._generation import ClassReport
from melanet.over_sampling._matching import Matching
from melanet.over_sampling._presets import recipe_from_dict
from melanet.preprocessing import form_from_config
from melanet.utils import _archive


def fitted_to_card(sampler: Any) -> dict[str, Any]:
    """Return the fitted attributes of a GANOversampler, except its CycleGANs, as JSON values."""
    card = {
        "form": sampler.form_.to_config(),
        "recipe": sampler.recipe_.as_dict(),
        "labels": _archive.labels_to_json(list(sampler.cyclegans_)),
        "histories": list(sampler.history_.values()),
        "matchings": [
            matching and matching.to_config()
            for matching in map(sampler.matchings_.get, sampler.cyclegans_)
        ],
        "reports": {
            "labels": _archive.labels_to_json(list(sampler.reports_)),
            "values": [asdict(report) for report in sampler.reports_.values()],
        },
        "needs": counts_to_json(sampler.sampling_strategy_),
        "source_indices": sampler.source_indices_,
        "source_kind": sampler.source_kind_,
        "sample_weight": sampler.sample_weight_,
        "n_features_in": sampler.n_features_in_,
    }
    if hasattr(sampler, "feature_names_in_"):
        card["feature_names_in"] = sampler.feature_names_in_
    return card


def fitted_from_card(sampler: Any, card: Mapping[str, Any], models: Sequence[CycleGAN]) -> None:
    """Give a GANOversampler the fitted attributes that `fitted_to_card` returned.

    Parameters
    ----------
    sampler : GANOversampler
        Sampler with its parameters.
    card : dict
        Values, perhaps of an older file, which has fewer.
    models : sequence of CycleGAN
        Its CycleGANs.
    """
    labels = _archive.labels_from_json(card["labels"])
    sampler.form_ = form_from_config(card["form"])
    sampler.recipe_ = recipe_from_dict(card["recipe"])
    sampler.cyclegans_ = dict(zip(labels, models))
    sampler.history_ = dict(zip(labels, card["histories"]))
    sampler.matchings_ = {
        label: Matching(**config) for label, config in zip(labels, card["matchings"]) if config
    }
    sampler.sampling_strategy_ = counts_from_json(card["needs"])
    reports, sampler.reports_ = card.get("reports"), {}
    if isinstance(reports, dict):  # older files have none
        filled = _archive.labels_from_json(reports["labels"]).tolist()
        sampler.reports_ = {
            label: ClassReport(**report) for label, report in zip(filled, reports["values"])
        }
    sampler.source_indices_ = np.array(card["source_indices"], int)
    sampler.source_kind_ = np.array(card["source_kind"], "U11")
    if "sample_weight" in card:  # older files have none
        sampler.sample_weight_ = np.array(card["sample_weight"], float)
    sampler.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        sampler.feature_names_in_ = np.array(card["feature_names_in"], object)


def counts_to_json(counts: Mapping[Any, int]) -> dict[str, Any]:
    """Return label -> number as JSON values, which would turn labels into strings."""
    return {
        "labels": _archive.labels_to_json(list(counts)),
        "n_samples": [int(n) for n in counts.values()],
    }


def counts_from_json(card: Mapping[str, Any]) -> dict[Any, int]:
    """Return the dict that was passed to `counts_to_json`."""
    return dict(zip(_archive.labels_from_json(card["labels"]).tolist(), card["n_samples"]))
