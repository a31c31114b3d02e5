"""A fitted MelaNet as one file: a zip of JSON and one Keras model, without pickle."""

import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from melanet import weights
from melanet._version import __version__
from melanet.backbones import keras_scope

_FORMAT = "melanet.MelaNet"
_CARD = "classifier.json"
_MODEL = "model.keras"


def _plain(value):
    """Return paths and NumPy's values as JSON knows them."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError


def _plain_params(classifier):
    """Return the parameters that JSON can hold; callbacks and generators are not among them."""
    kept = classifier.get_params(deep=False)
    if isinstance(kept["class_weight"], dict):  # JSON would make strings of the labels
        kept["class_weight"] = {"pairs": list(kept["class_weight"].items())}
    for name, value in list(kept.items()):
        try:
            kept[name] = json.loads(json.dumps(value, default=_plain))
        except TypeError:
            del kept[name]
    return kept


def save_classifier(classifier, path):
    """Write a fitted classifier; see `MelaNet.save`."""
    path = Path(path)
    card = {
        "format": _FORMAT,
        "version": __version__,
        "params": _plain_params(classifier),
        "classes": {
            "values": classifier.classes_.tolist(),
            "dtype": classifier.classes_.dtype.str,
        },
        "value_range": classifier.value_range_,
        "dtype": None if classifier.dtype_ is None else classifier.dtype_.str,
        "history": classifier.history_,
    }
    if hasattr(classifier, "n_features_in_"):
        card["n_features_in"] = classifier.n_features_in_
    if hasattr(classifier, "feature_names_in_"):
        card["feature_names_in"] = classifier.feature_names_in_.tolist()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        whole = Path(folder) / "classifier.zip"
        part = Path(folder) / _MODEL
        classifier.model_.save(part)
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(_CARD, json.dumps(card))
            archive.write(part, part.name)
        os.replace(whole, path)


def load_classifier(cls, path):
    """Read a classifier; see `MelaNet.load`."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path names no file. Received: {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            card = json.loads(archive.read(_CARD))
            if card.get("format") != _FORMAT:
                raise KeyError("format")
            with keras_scope(0):
                model = weights.read_model(archive.extract(_MODEL, folder))
    except (zipfile.BadZipFile, json.JSONDecodeError, KeyError) as error:
        raise ValueError(
            "path must name a file that MelaNet.save wrote, whole. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    params = card["params"]
    if isinstance(params.get("class_weight"), dict):
        params["class_weight"] = dict(params["class_weight"]["pairs"])
    classifier = cls(**params)
    classifier.classes_ = np.array(card["classes"]["values"], dtype=card["classes"]["dtype"])
    classifier.value_range_ = None if card["value_range"] is None else tuple(card["value_range"])
    classifier.dtype_ = None if card["dtype"] is None else np.dtype(card["dtype"])
    classifier.history_ = card["history"]
    classifier.model_ = model
    if "n_features_in" in card:
        classifier.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        classifier.feature_names_in_ = np.array(card["feature_names_in"], object)
    return classifier
