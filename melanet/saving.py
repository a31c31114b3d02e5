"""A fitted sampler as one file: a zip of JSON and Keras models, without pickle."""

import json
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

from melanet._version import __version__
from melanet.cyclegan import CycleGAN
from melanet.preprocessing import form_from_config

_FORMAT = "melanet.GANOversampler"
_CARD = "sampler.json"


def _label_config(labels):
    array = np.asarray(list(labels))
    return {"values": array.tolist(), "dtype": array.dtype.str}


def _labels(config):
    return list(np.array(config["values"], dtype=config["dtype"]))


def _plain_params(sampler):
    """Return the parameters that JSON can hold; models and generators are not among them."""
    kept = {}
    for name, value in sampler.get_params(deep=False).items():
        if name == "pretrained":  # the models themselves are written
            continue
        if name == "sampling_strategy" and isinstance(value, dict):
            value = {"labels": _label_config(value), "n_samples": list(value.values())}
        try:
            json.dumps(value, default=_as_python)
        except TypeError:
            warnings.warn(
                f"The parameter {name}={value!r} cannot be written to a file and is left out; "
                "the loaded sampler has its default.",
                stacklevel=4,
            )
        else:
            kept[name] = value
    return kept


def _as_python(value):
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written")


def save_sampler(sampler, path):
    """Write a fitted sampler; see `GANOversampler.save`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    card = {
        "format": _FORMAT,
        "version": __version__,
        "params": _plain_params(sampler),
        "form": sampler.form_.to_config(),
        "recipe": sampler.recipe_,
        "labels": _label_config(sampler.cyclegans_),
        "histories": list(sampler.history_.values()),
        "needs": {
            "labels": _label_config(sampler.sampling_strategy_),
            "n_samples": [int(n) for n in sampler.sampling_strategy_.values()],
        },
        "source_indices": sampler.source_indices_.tolist(),
        "source_kind": sampler.source_kind_.tolist(),
        "n_features_in": sampler.n_features_in_,
    }
    if hasattr(sampler, "feature_names_in_"):
        card["feature_names_in"] = sampler.feature_names_in_.tolist()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        whole = Path(folder) / "sampler.zip"
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(_CARD, json.dumps(card, default=_as_python))
            for i, cyclegan in enumerate(sampler.cyclegans_.values()):
                part = Path(folder) / f"cyclegan-{i}.keras"
                cyclegan.save(part)
                archive.write(part, part.name)
        os.replace(whole, path)


def load_sampler(cls, path):
    """Read a sampler; see `GANOversampler.load`."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path names no file. Received: {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            card = json.loads(archive.read(_CARD))
            if card.get("format") != _FORMAT:
                raise KeyError("format")
            labels = _labels(card["labels"])
            models = [
                CycleGAN.from_pretrained(archive.extract(f"cyclegan-{i}.keras", folder))
                for i in range(len(labels))
            ]
    except (zipfile.BadZipFile, json.JSONDecodeError, KeyError) as error:
        raise ValueError(
            "path must name a file that GANOversampler.save wrote, whole. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    params = card["params"]
    strategy = params.get("sampling_strategy")
    if isinstance(strategy, dict):
        asked = np.array(_labels(strategy["labels"])).tolist()
        params["sampling_strategy"] = dict(zip(asked, strategy["n_samples"]))
    sampler = cls(**params)
    sampler.form_ = form_from_config(card["form"])
    sampler.recipe_ = card["recipe"]
    sampler.cyclegans_ = dict(zip(labels, models))
    sampler.history_ = dict(zip(labels, card["histories"]))
    needs = card["needs"]
    sampler.sampling_strategy_ = dict(zip(_labels(needs["labels"]), needs["n_samples"]))
    sampler.source_indices_ = np.array(card["source_indices"], int)
    sampler.source_kind_ = np.array(card["source_kind"], "U11")
    sampler.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        sampler.feature_names_in_ = np.array(card["feature_names_in"], object)
    return sampler
