"""Archives of fitted estimators: a zip file of a JSON card and Keras models, without pickle."""

import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from melanet._version import __version__
from melanet.utils._files import atomic_path
from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    import keras
    from sklearn.base import BaseEstimator

_CARD = "card.json"


def write_archive(
    path: PathLike, kind: str, card: dict[str, Any], models: "Sequence[keras.Model]"
) -> None:
    """Write an archive atomically.

    Parameters
    ----------
    path : str or path-like
        Path of the file. Missing parent folders are created.
    kind : str
        Class of the fitted object, such as "melanet.MelaNet".
    card : dict
        JSON-serializable values; NumPy values and paths are converted.
    models : sequence of keras.Model
        Networks of the object.
    """
    card = {"format": kind, "version": __version__, **card}
    with (
        atomic_path(path) as partial,
        tempfile.TemporaryDirectory(dir=partial.parent, prefix=f"{partial.name}.") as folder,
        zipfile.ZipFile(partial, "w") as archive,
    ):
        archive.writestr(_CARD, json.dumps(card, default=_to_json))
        for i, model in enumerate(models):
            file = Path(folder) / _model_name(i)
            model.save(file)
            archive.write(file, file.name)


def read_archive(
    path: PathLike, kind: str, read_model: "Callable[[str], keras.Model]"
) -> tuple[dict[str, Any], "list[keras.Model]"]:
    """Read an archive written by `write_archive`.

    Parameters
    ----------
    path : str or path-like
        Path of the file.
    kind : str
        Expected class of the fitted object.
    read_model : callable
        ``read_model(path) -> keras.Model``; must not execute code from the file.

    Returns
    -------
    card : dict
    models : list of keras.Model

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is corrupt, or not an archive of this kind.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"path must be an existing file. Received: {str(path)!r}")
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
            f"path must be an intact file written by {kind.removeprefix('melanet.')}.save. "
            f"Received: {str(path)!r} ({error})"
        ) from error
    return card, models


def json_params(estimator: "BaseEstimator", **overrides: Any) -> dict[str, Any]:
    """Return an estimator's parameters as JSON values.

    Parameters with other values (callables, random generators) are omitted with a warning.

    Parameters
    ----------
    estimator : sklearn.base.BaseEstimator
        Estimator.
    **overrides
        Values to store instead of the estimator's.

    Returns
    -------
    dict
    """
    params = {}
    for name, value in {**estimator.get_params(deep=False), **overrides}.items():
        try:
            params[name] = json.loads(json.dumps(value, default=_to_json))
        except TypeError:
            warnings.warn(
                f"The parameter {name}={value!r} cannot be written to a file. The loaded object "
                "will have its default.",
                stacklevel=3,
            )
    return params


def labels_to_json(labels: ArrayLike) -> dict[str, Any]:
    """Return labels as JSON values, with their dtype."""
    array = np.asarray(labels)
    return {"values": array.tolist(), "dtype": array.dtype.str}


def labels_from_json(card: dict[str, Any]) -> np.ndarray:
    """Return the array that was passed to `labels_to_json`."""
    return np.array(card["values"], dtype=card["dtype"])


def _model_name(index: int) -> str:
    return f"model-{index}.keras"


def _to_json(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
