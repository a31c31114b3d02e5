"""Published weights: where they are, fetching them, and reading model files without running them.

What other modules call, in one line each::

    path = weights.locate("isic2016", "classifier")   # a published name or a local path -> Path
    path = weights.fetch("isic2016", "generator")     # a published name -> Path in the cache
    model = weights.read_model(path)                  # Keras 2 .h5 or .keras -> keras.Model

`read_model` gives a functional model with the file's layer names and input size, and raises
ValueError, naming the file and what is wrong, for everything that it does not take.
"""

import json
import os
import re
import warnings
import zipfile
from pathlib import Path

from melanet.downloading import cache_folder, fetch_file
from melanet.writing import whole

_RELEASE = "https://github.com/hasibzunair/adversarial-lesions/releases/latest/download"
_MODEL_CARD = "https://huggingface.co/hasibzunair/melanet/resolve/main"
# name -> kind -> file, and the addresses of its folder, the first preferred
PUBLISHED = {
    "isic2016": {
        "generator": ("isic2016_benign_to_malignant_cyclegan_generator.h5", (_RELEASE,)),
        "classifier": ("MelaNet.h5", (_RELEASE, _MODEL_CARD)),
    }
}
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


def fetch(name="isic2016", kind="generator", *, sources=None):
    """Fetch a published model file, once, and return its place in the cache folder.

    The first fetch notes the file's sha256 beside it; a file that differs later is refused.

    Parameters
    ----------
    name : {"isic2016"}, default="isic2016"
        Which weights: those of Zunair & Ben Hamza (2020).
    kind : {"generator", "classifier"}, default="generator"
        The benign -> malignant generator, or MelaNet.
    sources : sequence of str or None, default=None
        Addresses of folders, such as a mirror's, in place of the publisher's.

    Returns
    -------
    Path
        The file, in the folder ``weights`` of ``MELANET_HOME`` (default ``~/.cache/melanet``,
        or ``melanet`` in ``XDG_CACHE_HOME``).

    Raises
    ------
    ValueError
        If `name` or `kind` is unknown, or the file is not the one that was first fetched.
    ConnectionError
        If no source gave the file.

    Examples
    --------
    >>> from melanet import weights
    >>> path = weights.fetch("isic2016", "generator")  # doctest: +SKIP
    """
    if name not in PUBLISHED:
        raise ValueError(f"name must be one of {list(PUBLISHED)}. Received: name={name!r}")
    if kind not in PUBLISHED[name]:
        raise ValueError(f"kind must be one of {list(PUBLISHED[name])}. Received: kind={kind!r}")
    file, folders = PUBLISHED[name][kind]
    path = cache_folder() / "weights" / file
    return fetch_file(
        [f"{folder.rstrip('/')}/{file}" for folder in sources or folders],
        path,
        check=_check_whole,
        remedy=f"Without a network: get the file elsewhere, and give its path in place of "
        f"{name!r}, or put it at {path}",
    )


def _check_whole(path):
    """Refuse a web page in place of the file, or a file that was cut before it came here."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            whole = "model_config" in file.attrs
    except OSError as error:
        raise ValueError(f"what came is no whole HDF5 file ({error})") from error
    if not whole:
        raise ValueError("what came is an HDF5 file without a model")


def locate(source, kind):
    """Find a model file by a published name or a path.

    Parameters
    ----------
    source : str or path-like
        "isic2016", which is fetched, or the path of a file.
    kind : {"generator", "classifier"}
        Which of the published files.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If `source` is neither text nor path-like.
    FileNotFoundError
        If it is neither a published name nor the path of a file.
    """
    if isinstance(source, str) and source in PUBLISHED:
        return fetch(source, kind)
    if not isinstance(source, (str, os.PathLike)):
        raise ValueError(
            f"A model must be given as a path or one of {list(PUBLISHED)}. Received: {source!r}"
        )
    if not Path(source).is_file():
        raise FileNotFoundError(
            f"There is no model file at this path, and published are {list(PUBLISHED)}. "
            f"Received: {str(source)!r}"
        )
    return Path(source)


def read_model(path):
    """Read a model file of Keras 2 (HDF5) or Keras 3 (``.keras``), executing nothing in it.

    Only known layers are admitted, and of a ``.keras`` file classes that this process has
    registered itself with ``keras.saving.register_keras_serializable``. Optimizer and loss are
    left out; a `CycleGAN` gets its default optimizer.

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
        from melanet import legacy

        return legacy.read(path)
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

    from melanet.cyclegan import CycleGAN  # which registers it

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
        if not isinstance(model, CycleGAN) and not hasattr(model, "output_shape"):
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


def read_generator(source, whole):
    """Read a generator, or the CycleGAN that holds it.

    Parameters
    ----------
    source : str or path-like
        A published name or a local path.
    whole : type
        The class of a whole CycleGAN.

    Returns
    -------
    keras.Model
        An instance of `whole`, or a generator: a model whose output has its input's shape.

    Raises
    ------
    ValueError
        If the file holds neither; further as `locate` and `read_model`.
    """
    path = locate(source, "generator")
    model = read_model(path)
    if not isinstance(model, whole):
        shape = model.input_shape
        if shape != model.output_shape or not all(isinstance(n, int) for n in shape[1:]):
            raise ValueError(
                "The file must hold a CycleGAN or a generator, whose output has its input's "
                f"shape. Received: {str(path)!r}, which holds a {type(model).__name__} from "
                f"{shape} to {model.output_shape}"
            )
    return model


def write_models(folder, models):
    """Write models as ``.keras`` files, each whole or not there.

    Parameters
    ----------
    folder : str or path-like
        Where to write; made if missing.
    models : dict
        Name of a file, without its ending -> keras.Model.

    Returns
    -------
    list of Path
        The files.
    """
    folder, paths = Path(folder), []
    for name, model in models.items():
        paths.append(folder / f"{name}.keras")
        with whole(paths[-1]) as partial:
            model.save(partial)
    return paths
