"""Model files and files of weights: told by their bytes, read, or refused."""

import io
import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from melanet.gan.networks import unet_generator
from melanet.weights._reader import load_weights, read_model


def noise(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype("float32")


def answers(model, x):
    return keras.ops.convert_to_numpy(model(x))


def refused(path, match):
    with pytest.raises(ValueError, match=match) as caught:
        read_model(path)
    assert str(path) in str(caught.value)


def png():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


def archive(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as whole:
        for name, text in files.items():
            whole.writestr(name.replace("_", "."), text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (png(), "PNG"),
        (b"\xff\xd8\xff\xe0rest", "JPEG"),
        (json.dumps({"class_name": "Model"}).encode(), "JSON"),
        (b"<!doctype html>", "web page"),
        (pickle.dumps([1, 2]), "pickle"),
        (b"\x89HDF\r\n\x1a\n", "Keras 2"),
        (b"anything else", "neither HDF5 nor"),
        (archive(data_pkl="x"), "zip without config.json"),
        (archive(config_json="{"), "cannot be read"),
        (archive(config_json="3"), "cannot be read"),
    ],
)
def test_foreign_files_are_refused(tmp_path, data, match):
    for name in ("model.h5", "model.keras"):  # what a file is, its bytes say
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, match)


def test_keras_files_are_read(tmp_path):
    model = unet_generator((20, 12, 3), filters=2)
    model.compile("adam", "mse")
    model.save(tmp_path / "g.keras")
    again = read_model(tmp_path / "g.keras")
    x = noise(2, 20, 12, 3)
    np.testing.assert_array_equal(answers(again, x), answers(model, x))
    assert not again.compiled
    whole = (tmp_path / "g.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.keras", "cannot be read")


def test_lambda_in_a_keras_file_is_refused_and_does_not_run(tmp_path):
    trap = tmp_path / "it-ran"

    def spring(x):
        trap.touch()
        return x

    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: spring(x))])
    model.save(tmp_path / "l.keras")
    trap.unlink(missing_ok=True)  # building the model ran it
    refused(tmp_path / "l.keras", "keras.layers.Lambda, which is not admitted")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.layers", "TFSMLayer"),
        ("keras.layers", "TorchModuleWrapper"),
        ("keras.layers", "StringLookup"),
        ("keras.utils", "get_file"),
        ("keras.src.utils.file_utils", "get_file"),
        ("keras.layers.evil", "Dense"),
        ("keras_hub.layers", "Anything"),
        ("os", "system"),
        ("builtins", "eval"),
        ("keras.activations", "__lambda__"),
        (None, "Dense"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_classes_that_are_not_admitted_are_refused(tmp_path, module, name, deep):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as old:
        files = {entry: old.read(entry) for entry in old.namelist()}
    config = json.loads(files["config.json"])
    evil = {"module": module, "class_name": name, "config": {}, "registered_name": None}
    layer = config["config"]["layers"][1]
    if deep:
        layer["config"]["kernel_initializer"] = {"a": [evil]}
    else:
        layer.update(evil)
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
        for entry, data in {**files, "config.json": json.dumps(config)}.items():
            new.writestr(entry, data)
    refused(tmp_path / "m.keras", f"{module}.{name}, which is not admitted")


def test_classes_registered_by_the_user_are_admitted(tmp_path):
    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    inputs = keras.Input((3,))
    keras.Model(inputs, Twice()(inputs)).save(tmp_path / "t.keras")
    refused(tmp_path / "t.keras", "Twice, which is not admitted")
    keras.saving.register_keras_serializable("test_weights")(Twice)
    try:
        keras.Model(inputs, Twice()(inputs)).save(tmp_path / "t.keras")
        model = read_model(tmp_path / "t.keras")
        assert answers(model, np.ones((1, 3))).tolist() == [[2, 2, 2]]
    finally:
        keras.saving.get_custom_objects().pop("test_weights>Twice")


def test_a_missing_file_is_named(tmp_path):
    for read in (read_model, lambda path: load_weights(network(), path)):
        with pytest.raises(FileNotFoundError, match="missing.h5"):
            read(tmp_path / "missing.h5")


def network(width=3, seed=0):
    layers = [keras.layers.Conv2D(width, 3, name="c"), keras.layers.Dense(2, name="d")]
    model = keras.Sequential([keras.Input((5, 5, 3)), *layers])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def write_keras_2(model, path):
    """Write weights, without the model, in the layout of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        file.attrs["keras_version"] = b"2.3.1"
        for layer in model.layers:
            group, names = file.create_group(layer.name), []
            for variable in layer.weights:
                names.append(f"{layer.name}/{variable.name}:0".encode())
                group[names[-1]] = keras.ops.convert_to_numpy(variable)
            group.attrs["weight_names"] = names


@pytest.mark.parametrize("written", ["w.weights.h5", "whole.h5", "whole.keras", "keras 2"])
@pytest.mark.parametrize("name", ["weights", "WEIGHTS.H5", "weights.bin", "weights.weights.h5"])
def test_weights_are_told_by_their_bytes(tmp_path, written, name):
    model, again = network(), network(seed=1)
    if written == "w.weights.h5":
        model.save_weights(tmp_path / written)
    elif written == "keras 2":
        write_keras_2(model, tmp_path / written)
    else:
        model.save(tmp_path / written)
    (tmp_path / written).rename(tmp_path / name)
    load_weights(again, tmp_path / name)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "it is empty"),
        (pickle.dumps([1]), "it is a pickle, which can run any code and is never read"),
        (archive(config_json="{}"), "a zip without model.weights.h5, not a .keras file"),
        (b"PK\x03\x04 cut", "zip"),
        (b"\x89HDF\r\n\x1a\n cut", "these weights cannot be loaded"),
    ],
)
def test_files_without_weights_are_refused(tmp_path, data, match):
    (tmp_path / "w.h5").write_bytes(data)
    with pytest.raises(ValueError, match=f"(?i){match}") as caught:
        load_weights(network(), tmp_path / "w.h5")
    assert str(tmp_path / "w.h5") in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    network(width=2).save_weights(tmp_path / "narrow.weights.h5")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_weights(network(), tmp_path / "narrow.weights.h5")
    network(width=9).save_weights(tmp_path / "wide.weights.h5")
    with pytest.raises(ValueError, match=r"shape \(3, 3, 3, 9\) are of a larger network"):
        load_weights(network(), tmp_path / "wide.weights.h5")


def test_weights_that_lie_elsewhere_are_not_followed(tmp_path):
    network().save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5", "a") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ValueError, match="'elsewhere' are a link"):
        load_weights(network(), tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("w", (10**6, 10**6), "float32", chunks=(1000, 1000))
    with pytest.raises(ValueError, match="of a larger network"):
        load_weights(network(), tmp_path / "huge.h5")
