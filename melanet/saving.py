"""A fitted sampler as one file: what `melanet.archive` holds of it."""

import numpy as np

from melanet import archive
from melanet.cyclegan import CycleGAN
from melanet.matching import Matching
from melanet.preprocessing import form_from_config

_KIND = "melanet.GANOversampler"


def _counts_to_card(counts):
    # JSON would make strings of the labels.
    return {
        "labels": archive.labels_to_card(list(counts)),
        "n_samples": [int(n) for n in counts.values()],
    }


def _counts_from_card(card):
    return dict(zip(archive.labels_from_card(card["labels"]).tolist(), card["n_samples"]))


def save_sampler(sampler, path):
    """Write a fitted sampler; see `GANOversampler.save`."""
    instead = {"pretrained": None}  # the models themselves are written
    if isinstance(sampler.sampling_strategy, dict):
        instead["sampling_strategy"] = _counts_to_card(sampler.sampling_strategy)
    card = {
        "params": archive.plain_params(sampler, **instead),
        "form": sampler.form_.to_config(),
        "recipe": sampler.recipe_,
        "labels": archive.labels_to_card(list(sampler.cyclegans_)),
        "histories": list(sampler.history_.values()),
        "matchings": [
            matching and matching.to_config()
            for matching in map(sampler.matchings_.get, sampler.cyclegans_)
        ],
        "needs": _counts_to_card(sampler.sampling_strategy_),
        "source_indices": sampler.source_indices_,
        "source_kind": sampler.source_kind_,
        "n_features_in": sampler.n_features_in_,
    }
    if hasattr(sampler, "feature_names_in_"):
        card["feature_names_in"] = sampler.feature_names_in_
    archive.write(path, _KIND, card, sampler.cyclegans_.values())


def load_sampler(cls, path):
    """Read a sampler; see `GANOversampler.load`."""
    card, models = archive.read(path, _KIND, CycleGAN.from_pretrained)
    params = card["params"]
    if isinstance(params.get("sampling_strategy"), dict):
        params["sampling_strategy"] = _counts_from_card(params["sampling_strategy"])
    labels = archive.labels_from_card(card["labels"])
    sampler = cls(**params)
    sampler.form_ = form_from_config(card["form"])
    sampler.recipe_ = card["recipe"]
    sampler.cyclegans_ = dict(zip(labels, models))
    sampler.history_ = dict(zip(labels, card["histories"]))
    sampler.matchings_ = {
        label: Matching(**config) for label, config in zip(labels, card["matchings"]) if config
    }
    sampler.sampling_strategy_ = _counts_from_card(card["needs"])
    sampler.source_indices_ = np.array(card["source_indices"], int)
    sampler.source_kind_ = np.array(card["source_kind"], "U11")
    sampler.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        sampler.feature_names_in_ = np.array(card["feature_names_in"], object)
    return sampler
