"""One file for something fitted: a zip of a JSON card and Keras models, without pickle."""

import json
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

from melanet._version import __version__

_CARD = "card.json"


def write_archive(path, kind, card, models):
    """Write a file that is whole or not there.

    Parameters
    ----------
    path : str or path-like
        Name of the file; a missing folder is made.
    kind : str
        What it holds, such as "melanet.MelaNet".
    card : dict
        What JSON can hold; NumPy's values and paths are turned into Python's.
    models : list of keras.Model
        The networks.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    card = {"format": kind, "version": __version__, **card}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        whole = Path(folder) / "whole.zip"
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(_CARD, json.dumps(card, default=_as_python))
            for i, model in enumerate(models):
                part = Path(folder) / _model_name(i)
                model.save(part)
                archive.write(part, part.name)
        os.replace(whole, path)


def read_archive(path, kind, read_model):
    """Read a file that `write_archive` wrote.

    Parameters
    ----------
    path : str or path-like
        Name of the file.
    kind : str
        What it must hold.
    read_model : callable
        ``read_model(path) -> keras.Model``; must execute nothing that the file holds.

    Returns
    -------
    card : dict
    models : list of keras.Model

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is torn, or was written by something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path names no file. Received: {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            card = json.loads(archive.read(_CARD))
            if not isinstance(card, dict) or card.get("format") != kind:
                raise KeyError("format")
            n_models = sum(name.endswith(".keras") for name in archive.namelist())
            names = [_model_name(i) for i in range(n_models)]
            models = [read_model(archive.extract(name, folder)) for name in names]
    except (zipfile.BadZipFile, json.JSONDecodeError, KeyError) as error:
        raise ValueError(
            f"path must name a file that {kind.removeprefix('melanet.')}.save wrote, whole. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    return card, models


def json_params(estimator, **instead):
    """Return an estimator's parameters as JSON knows them.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        Whose parameters; those that JSON cannot hold (callables, generators) are left out with
        a warning.
    **instead
        What to write for a parameter in place of its value.

    Returns
    -------
    dict
    """
    kept = {}
    for name, value in {**estimator.get_params(deep=False), **instead}.items():
        try:
            kept[name] = json.loads(json.dumps(value, default=_as_python))
        except TypeError:
            warnings.warn(
                f"The parameter {name}={value!r} cannot be written to a file and is left out; "
                "what is loaded has its default.",
                stacklevel=5,
            )
    return kept


def labels_to_json(labels):
    """Return labels as JSON knows them, with their dtype."""
    array = np.asarray(labels)
    return {"values": array.tolist(), "dtype": array.dtype.str}


def labels_from_json(card):
    """Return what `labels_to_json` was given, as an array."""
    return np.array(card["values"], dtype=card["dtype"])


def _model_name(index):
    return f"model-{index}.keras"


def _as_python(value):
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written")
