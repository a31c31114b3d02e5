"""Reading model files without running them."""

import json
import re
import warnings
import zipfile
from pathlib import Path

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x80": "a pickle, which could run any code and is never read",
    b"{": "JSON",
    b"<": "a web page",
}
# Classes that a .keras file may name. Layers: those that compute on their inputs and do nothing
# else (no Lambda, no wrapped SavedModel or Torch module, no vocabulary read from a file).
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
    |keras\.(activations|constraints|dtype_policies|initializers|losses|metrics|optimizers|
      optimizers\.schedules|regularizers)\.[A-Za-z]\w*
    |keras\.src\.ops\.(nn|numpy)\.[A-Za-z]\w*  # such as ``x + y`` in a functional model
    |builtins\.function  # of those that Keras has itself, by name
    |None\.__(keras_tensor|numpy|tensor|ellipsis|slice)__
    """,
    re.VERBOSE,
)


def read_model(path):
    """Read a model file of Keras 2 (HDF5) or Keras 3 (``.keras``), executing nothing in it.

    Only known layers are admitted, and of a ``.keras`` file classes that this process has
    registered itself with ``keras.saving.register_keras_serializable``, such as `CycleGAN` where
    `melanet.gan` has been imported. Optimizer and loss are left out.

    Parameters
    ----------
    path : str or path-like
        Name of the file; what it is, its bytes say.

    Returns
    -------
    keras.Model
        With the file's layer names and input size; a Keras 2 model with up-sampling
        convolutions fused (`melanet.layers.UpsamplingConv2D`).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, no model file, or holds something that is not admitted.

    Examples
    --------
    >>> import tempfile
    >>> from melanet import networks, weights
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     networks.unet_generator((16, 16, 3), filters=4).save(f"{folder}/generator.keras")
    ...     model = weights.read_model(f"{folder}/generator.keras")
    >>> model.input_shape
    (None, 16, 16, 3)
    """
    path = Path(path)
    with open(path, "rb") as file:
        head = file.read(8)
    if head == _HDF5:
        from melanet.weights import _keras2

        return _keras2.read_keras2(path)
    if head.startswith(_ZIP):
        return _read_keras(path)
    looks = (what for start, what in _FOREIGN.items() if head.startswith(start))
    what = "empty" if not head else next(looks, "neither HDF5 nor .keras")
    raise ValueError(
        f"A model file must be HDF5 of Keras 2 or a .keras file. Received: {str(path)!r}, "
        f"which is {what}"
    )


def _read_keras(path):
    import keras

    import melanet.layers  # noqa: F401 (registers them)

    try:
        with zipfile.ZipFile(path) as archive:
            if "config.json" not in archive.namelist():
                raise ValueError("it is a zip of something else: it has no config.json")
            config = json.loads(archive.read("config.json"))
        config.pop("compile_config", None)  # not read, and its classes differ by backend
        _admit(config)
        with warnings.catch_warnings():
            # A CycleGAN compiles itself, with an optimizer that has no slots yet.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        name = keras.saving.get_registered_name(type(model))
        if not name.startswith("melanet>") and not hasattr(model, "output_shape"):
            raise ValueError(f"it holds a {type(model).__name__}, no functional model")
        return model
    except Exception as error:  # the file is not trusted: whatever is wrong with it, say which
        raise ValueError(
            f"This .keras file cannot be read. Received: {str(path)!r} ({error})"
        ) from error


def _admit(config):
    """Walk a configuration and refuse each class that is not admitted."""
    import keras

    if isinstance(config, list):
        for value in config:
            _admit(value)
    elif isinstance(config, dict):
        if "class_name" in config:
            name = f"{config.get('module')}.{config['class_name']}"
            registered = keras.saving.get_registered_object(config.get("registered_name"))
            if registered is None and not _ADMITTED.fullmatch(name):
                raise ValueError(f"it holds {name}, which is not admitted")
        for value in config.values():
            _admit(value)
