"""A fitted MelaNet as one file: what `melanet.archive` holds of it."""

import numpy as np

from melanet import archive, weights
from melanet.backbones import keras_scope

_KIND = "melanet.MelaNet"


def save_classifier(classifier, path):
    """Write a fitted classifier; see `MelaNet.save`."""
    instead = {}
    if isinstance(classifier.class_weight, dict):  # JSON would make strings of the labels
        instead["class_weight"] = {"pairs": list(classifier.class_weight.items())}
    card = {
        "params": archive.plain_params(classifier, **instead),
        "classes": archive.labels_to_card(classifier.classes_),
        "value_range": classifier.value_range_,
        "dtype": None if classifier.dtype_ is None else classifier.dtype_.str,
        "history": classifier.history_,
    }
    if hasattr(classifier, "n_features_in_"):
        card["n_features_in"] = classifier.n_features_in_
    if hasattr(classifier, "feature_names_in_"):
        card["feature_names_in"] = classifier.feature_names_in_
    archive.write(path, _KIND, card, [classifier.model_])


def load_classifier(cls, path):
    """Read a classifier; see `MelaNet.load`."""
    with keras_scope(0):
        card, (model,) = archive.read(path, _KIND, weights.read_model)
    params = card["params"]
    if isinstance(params.get("class_weight"), dict):
        params["class_weight"] = dict(params["class_weight"]["pairs"])
    classifier = cls(**params)
    classifier.classes_ = archive.labels_from_card(card["classes"])
    classifier.value_range_ = None if card["value_range"] is None else tuple(card["value_range"])
    classifier.dtype_ = None if card["dtype"] is None else np.dtype(card["dtype"])
    classifier.history_ = card["history"]
    classifier.model_ = model
    if "n_features_in" in card:
        classifier.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        classifier.feature_names_in_ = np.array(card["feature_names_in"], object)
    return classifier
