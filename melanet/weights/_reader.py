"""Read model files without executing anything in them."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    import keras

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x80": "a pickle, which can run any code and is never read",
    b"{": "JSON",
    b"<": "a web page",
}
# Members of a .keras file that are read. Admitted layers have no assets.
_CONFIG, _ARRAYS = "config.json", "model.weights.h5"
# Classes that a .keras file may name. Admitted layers only compute on their inputs: no Lambda, no
# wrapped SavedModel or Torch module, no vocabulary read from a file.
_ADMITTED = re.compile(
    r"""
    keras\.layers\.(Activation|Add|Average|BatchNormalization|CenterCrop|Concatenate|Dense|
      DepthwiseConv2D|Dropout|ELU|Flatten|GaussianDropout|GaussianNoise|GroupNormalization|
      Identity|InputLayer|LayerNormalization|LeakyReLU|Maximum|Minimum|Multiply|Normalization|
      PReLU|Permute|Random(Brightness|Contrast|Flip|Rotation|Translation|Zoom)|ReLU|RepeatVector|
      Rescaling|Reshape|Resizing|SeparableConv2D|Softmax|SpatialDropout2D|Subtract|
      UnitNormalization|(Conv|Cropping|UpSampling|ZeroPadding)[12]D|Conv2DTranspose|
      (Global)?(Average|Max)Pooling[12]D)
    |keras(\.models|\.src\.models\.(functional|sequential))?\.
      (DTypePolicy|DTypePolicyMap|Functional|Model|Sequential)
    |keras\.(constraints|dtype_policies|initializers|losses|metrics|optimizers|
      optimizers\.schedules|regularizers)\.[A-Z]\w*  # classes, not functions such as ``get``
    |keras\.src\.ops\.(nn|numpy)\.[A-Z]\w*  # such as ``x + y`` in a functional model
    |None\.__(keras_tensor|numpy|tensor|ellipsis|slice)__
    """,
    re.VERBOSE,
)
# Functions that a .keras file may name: Keras' activations.
_FUNCTIONS = re.compile(
    r"""
    builtins\.(celu|elu|exponential|gelu|glu|hard_(shrink|sigmoid|silu|swish|tanh)|leaky_relu|
      linear|log_sigmoid|log_softmax|mish|relu6?|selu|sigmoid|silu|soft_shrink|softmax|softplus|
      softsign|sparse_plus|sparse_sigmoid|sparsemax|squareplus|swish|tanh|tanh_shrink|threshold)
    """,
    re.VERBOSE,
)


def read_model(path: PathLike) -> keras.Model:
    """Read a model file of Keras 2 (HDF5) or Keras 3 (``.keras``), executing nothing in it.

    The whole configuration is checked against a list of known layers before Keras sees any of
    it. A ``.keras`` file may also name classes that this process has registered with
    ``keras.saving.register_keras_serializable``, such as `CycleGAN` once `melanet.gan` is
    imported. Optimizer and loss are ignored.

    Parameters
    ----------
    path : str or path-like
        File to read; its content decides on the format, not its name.

    Returns
    -------
    keras.Model
        Model with the file's layer names and input size; in a Keras 2 model, up-sampling
        convolutions are fused (`melanet.layers.UpsamplingConv2D`).

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is truncated, is not a model, or names anything that is not admitted.

    Examples
    --------
    >>> import tempfile
    >>> from melanet import weights
    >>> from melanet.gan import networks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     networks.unet_generator((16, 16, 3), filters=4).save(f"{folder}/generator.keras")
    ...     model = weights.read_model(f"{folder}/generator.keras")
    >>> model.input_shape
    (None, 16, 16, 3)
    """
    path = Path(path)
    head = _read_head(path)
    if head == _HDF5:
        from melanet.weights._keras2 import read_keras2

        return read_keras2(path)
    if head.startswith(_ZIP):
        return _read_keras(path)
    raise ValueError(
        f"A model file must be HDF5 of Keras 2 or a .keras file. Received: {str(path)!r}, "
        f"which is {_describe_head(head)}"
    )


def load_weights(model: keras.Model, path: PathLike) -> None:
    """Load the weights of a network from a file of any name, executing nothing in it.

    Parameters
    ----------
    model : keras.Model
        Network whose weights are replaced.
    path : str or path-like
        Weights that Keras 2 or 3 wrote (HDF5), or a ``.keras`` file of the same network, of which
        only the weights are read. Its content decides on the format, not its name.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is truncated, holds no weights, or holds those of another network.
    """
    path = Path(path)
    head = _read_head(path)
    largest = max((math.prod(v.shape) for v in model.variables), default=0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            if head.startswith(_ZIP):
                with zipfile.ZipFile(path) as archive:
                    if _ARRAYS not in archive.namelist():
                        raise ValueError(f"it is a zip without {_ARRAYS}, not a .keras file")
                    found = archive.extract(_ARRAYS, folder)
            elif head == _HDF5:
                # Keras tells its own formats apart by the name.
                found = str(Path(folder, "w.h5" if _is_legacy(path) else "w.weights.h5"))
                shutil.copyfile(path, found)
            else:
                raise ValueError(f"it is {_describe_head(head)}")
            _check_arrays(found, largest)
            model.load_weights(found)
    except Exception as error:  # an untrusted file can raise anything
        raise ValueError(
            f"These weights cannot be loaded. Received: {str(path)!r} ({error})"
        ) from error


def _is_legacy(path: Path) -> bool:
    """Return whether an HDF5 file has the layout of Keras 2, which Keras 3 names ``.h5``."""
    import h5py

    with h5py.File(path, "r") as file:
        return "layer_names" in file.attrs or "model_weights" in file


def _read_head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(8)


def _describe_head(head: bytes) -> str:
    matches = (kind for start, kind in _FOREIGN.items() if head.startswith(start))
    return "empty" if not head else next(matches, "neither HDF5 nor .keras")


def _read_keras(path: Path) -> keras.Model:
    import keras

    import melanet.layers  # noqa: F401 (registers them)

    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            if _CONFIG not in archive.namelist():
                raise ValueError("it is a zip without config.json, not a model")
            config = json.loads(archive.read(_CONFIG))
            _admit(config)
            # Keras gets the checked configuration, not the file: it could take the file for
            # HDF5 because of its name, or unpack other members.
            Path(folder, _CONFIG).write_text(json.dumps(config), encoding="utf-8")
            _check_arrays(archive.extract(_ARRAYS, folder))
            with warnings.catch_warnings():
                # A CycleGAN compiles itself with a new optimizer.
                warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
                model = keras.saving.load_model(folder, compile=False, safe_mode=True)
        name = keras.saving.get_registered_name(type(model))
        if not name.startswith("melanet>") and not hasattr(model, "output_shape"):
            raise ValueError(f"it holds a {type(model).__name__}, not a functional model")
        return model
    except Exception as error:  # an untrusted file can raise anything
        raise ValueError(
            f"This .keras file cannot be read. Received: {str(path)!r} ({error})"
        ) from error


def _admit(config: Any) -> None:
    """Walk a configuration and reject each class and function that is not admitted.

    Optimizers and losses are removed: they are ignored, and their classes differ by backend.
    """
    if isinstance(config, list):
        for value in config:
            _admit(value)
    elif isinstance(config, dict):
        if "class_name" in config:
            _check_class(config)
            config.pop("compile_config", None)
        for value in config.values():
            _admit(value)


def _check_class(config: dict[str, Any]) -> None:
    from keras.saving import get_registered_object

    name, registered_name = config["class_name"], config.get("registered_name")
    if name == "function":  # Keras resolves "config" and ignores the registered name
        name = config.get("config")
        known = _FUNCTIONS.fullmatch(f"{config.get('module')}.{name}") is not None
        admitted = known or get_registered_object(name) is not None
    elif (registered := get_registered_object(registered_name)) is not None:
        # Keras resolves the class name where no module is given, and for its own names such as
        # __lambda__; otherwise the registered name. So both must name one class.
        admitted = "module" in config and name == getattr(registered, "__name__", None)
    else:
        admitted = _ADMITTED.fullmatch(f"{config.get('module')}.{name}") is not None
    if not admitted:
        raise ValueError(f"it holds {config.get('module')}.{name}, which is not admitted")


def _check_arrays(path: str, largest: float = math.inf) -> None:
    """Reject links and externally stored arrays, for which Keras would read other files.

    Arrays of more than `largest` numbers are rejected, too.
    """
    import h5py

    seen: set[int] = set()

    def check(group: Any) -> None:
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"weights {name!r} are a link")
            item = group[name]
            place = h5py.h5o.get_info(item.id).addr
            if isinstance(item, h5py.Group) and place not in seen:
                seen.add(place)
                check(item)
            elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                raise ValueError(f"weights {name!r} are stored in another file")
            elif isinstance(item, h5py.Dataset) and item.size and item.size > largest:
                raise ValueError(f"weights {name!r} of shape {item.shape} are of a larger network")

    with h5py.File(path, "r") as file:
        check(file)
