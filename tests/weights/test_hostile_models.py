"""Model files that try to run something: each is refused, or read without the part that tries.

Each file is made here. A file has struck if its trap exists, or its victim does not; and Keras may
be called only after the whole configuration has been admitted.
"""

import base64
import io
import json
import marshal
import os
import tempfile
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from melanet import weights
from melanet.layers import InstanceNormalization

# What any process has registered that imports melanet.
REGISTERED = f"melanet>{InstanceNormalization.__name__}"


@pytest.fixture
def calls(monkeypatch):
    """Record each call by which the reader hands something to Keras."""
    made, load = [], keras.saving.load_model

    def spy(path, **options):
        made.append(path)
        return load(path, **options)

    monkeypatch.setattr(keras.saving, "load_model", spy)
    monkeypatch.setattr(keras.models, "load_model", spy)
    return made


@pytest.fixture
def trap(tmp_path):
    return tmp_path / "it-ran"


@pytest.fixture
def victim(tmp_path):
    (tmp_path / "victim").mkdir()
    return tmp_path / "victim"


def refused(path, match, calls, trap=None):
    with pytest.raises(ValueError, match=match) as caught:
        weights.read_model(path)
    assert str(path) in str(caught.value)
    assert calls == []
    assert trap is None or not trap.exists()


def marshalled(trap):
    """Return the code of a lambda that leaves a trace, as Keras writes it."""
    code = compile(f"lambda x: open({str(trap)!r}, 'w') and x", "trap", "eval").co_consts[0]
    return base64.b64encode(marshal.dumps(code)).decode()


def lambdas(trap):
    """Return the ways in which versions of Keras wrote a lambda."""
    code = marshalled(trap)
    parts = {"code": code, "defaults": None, "closure": None}
    return [
        {"class_name": "__lambda__", "config": parts},
        {"class_name": "__lambda__", "config": {"value": code}},
        {"class_name": "__lambda__", "module": "m", "registered_name": REGISTERED, "config": parts},
        [code, None, None],
    ]


def function(module, name, registered_name=None):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered_name or name,
    }


def members(model=None):
    """Return the members of a harmless .keras file: a Dense named "d"."""
    if model is None:
        inputs = keras.Input((3,))
        model = keras.Model(inputs, keras.layers.Dense(2, activation="relu", name="d")(inputs))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.keras")
        model.save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def write(path, edit=None, model=None, **more):
    """Write a .keras file whose configuration was edited; the edit gets the whole and "d"."""
    files = {**members(model), **more}
    if edit is not None:
        config = json.loads(files["config.json"])
        layers = config["config"]["layers"]
        edit(config, next((layer for layer in layers if layer["config"].get("name") == "d"), None))
        files["config.json"] = json.dumps(config)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def setting(name, value):
    return lambda whole, layer: layer["config"].__setitem__(name, value)


def put_layer(**values):
    """Put another layer in the place of "d", with its name and its inputs."""

    def edit(whole, layer):
        kept = {key: layer[key] for key in ("name", "inbound_nodes")}
        layer.clear()
        layer.update({**kept, **values})

    return edit


def put_lambda(how, trap, keys):
    config = {"name": "d", "function": lambdas(trap)[how]}
    return put_layer(class_name="Lambda", config=config, **keys)


@pytest.mark.parametrize("how", range(4))
@pytest.mark.parametrize(
    "keys",
    [
        {"module": "keras.layers", "registered_name": None},
        {"module": "keras.layers", "registered_name": "Lambda"},
        {"module": "keras.src.layers.core.lambda_layer"},
        {},  # as Keras 2 wrote it
        {"registered_name": REGISTERED},  # with no module, Keras goes by the class name
        {"module": "keras.layers", "registered_name": REGISTERED},
        {"module": None, "registered_name": REGISTERED},
    ],
)
def test_lambda_layers(tmp_path, calls, trap, how, keys):
    path = write(tmp_path / "l.keras", put_lambda(how, trap, keys))
    refused(path, "Lambda, which is not admitted", calls, trap)


@pytest.mark.parametrize("how", range(3))
@pytest.mark.parametrize("name", ["activation", "kernel_initializer", "bias_regularizer", "dtype"])
def test_lambdas_as_settings(tmp_path, calls, trap, how, name):
    path = write(tmp_path / "s.keras", setting(name, lambdas(trap)[how]))
    refused(path, "__lambda__, which is not admitted", calls, trap)


def test_lambda_in_a_nested_model(tmp_path, calls, trap):
    def nest(depth):
        inner = keras.Input((3,))
        layer = nest(depth - 1) if depth else keras.layers.Dense(2, name="deep")
        return keras.Model(inner, layer(inner), name="d" if depth == 2 else None)

    def edit(whole, layer):
        text = json.dumps(whole)
        start = text.rindex('{"module": "keras.layers", "class_name": "Dense"')
        deep, end = json.JSONDecoder().raw_decode(text[start:])
        assert deep["config"]["name"] == "deep"
        put_lambda(0, trap, {"module": "keras.layers", "registered_name": None})(None, deep)
        again = json.loads(text[:start] + json.dumps(deep) + text[start + end :])
        whole.clear()
        whole.update(again)

    inputs = keras.Input((3,))
    path = write(tmp_path / "n.keras", edit, keras.Model(inputs, nest(2)(inputs)))
    refused(path, "keras.layers.Lambda, which is not admitted", calls, trap)


FOREIGN = [
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("importlib", "import_module"),
    ("keras.layers", "TFSMLayer"),
    ("keras.layers", "TorchModuleWrapper"),
    ("keras.layers", "StringLookup"),
    ("keras.src.utils.file_utils", "get_file"),
    ("keras_hub.models", "Anything"),
    ("hostile_module", "Layer"),
]


@pytest.mark.parametrize("registered_name", [None, "os>system", "builtins>eval"])
@pytest.mark.parametrize(("module", "name"), FOREIGN)
def test_foreign_layers(tmp_path, calls, monkeypatch, module, name, registered_name):
    # A module that would leave a trace when imported lies within reach.
    (tmp_path / "hostile_module.py").write_text("open(__file__ + '.ran', 'w')\nclass Layer: pass")
    monkeypatch.syspath_prepend(tmp_path)
    values = {"module": module, "class_name": name, "registered_name": registered_name}
    path = write(tmp_path / "f.keras", put_layer(**values, config={"name": "d", "command": "id"}))
    refused(path, f"{module}.{name}, which is not admitted", calls)
    assert not (tmp_path / "hostile_module.py.ran").exists()


@pytest.mark.parametrize("registered_name", [None, REGISTERED])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        *FOREIGN,
        ("keras.src.utils.file_utils", "rmtree"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.saving", "load_model"),
        ("keras.activations", "deserialize"),
        ("builtins", "get"),
        ("keras.src.ops.numpy", "np"),
    ],
)
@pytest.mark.parametrize(
    "where", ["activation", "kernel_initializer", "kernel_regularizer", "bias_constraint"]
)
def test_foreign_functions(tmp_path, calls, module, name, registered_name, where):
    path = write(tmp_path / "f.keras", setting(where, function(module, name, registered_name)))
    refused(path, f"{module}.{name}, which is not admitted", calls)


@pytest.mark.parametrize("where", ["activation", "kernel_initializer", "kernel_regularizer"])
@pytest.mark.parametrize(("module", "name"), FOREIGN)
def test_foreign_classes_in_settings(tmp_path, calls, module, name, where):
    evil = {"module": module, "class_name": name, "config": {}, "registered_name": None}
    for i, value in enumerate([evil, {"a": [{"b": evil}]}]):
        path = write(tmp_path / f"{i}.keras", setting(where, value))
        refused(path, f"{module}.{name}, which is not admitted", calls)


def test_functions_that_are_admitted(tmp_path):
    """Keras' own activations and what the user registered, as Keras writes them."""

    @keras.saving.register_keras_serializable("test_hostile_models")
    def thrice(x):
        return 3 * x

    try:
        for registered_name in ("function", None):
            named = {**function("builtins", "tanh"), "registered_name": registered_name}
            path = write(tmp_path / "t.keras", setting("activation", named))
            assert weights.read_model(path).get_layer("d").activation is keras.activations.tanh
        named = keras.saving.serialize_keras_object(thrice)
        path = write(tmp_path / "3.keras", setting("activation", named))
        assert weights.read_model(path).get_layer("d").activation is thrice
    finally:
        keras.saving.get_custom_objects().pop("test_hostile_models>thrice")
    with pytest.raises(ValueError, match="thrice, which is not admitted"):
        weights.read_model(path)


@pytest.mark.parametrize("kind", ["Lambda", "Activation"])
def test_functions_of_keras_that_delete(tmp_path, calls, victim, kind):
    """Keras 3.9 deletes the folder while it builds the model, in its safe mode."""
    remove = function("keras.src.utils.file_utils", "rmtree", REGISTERED)
    if kind == "Lambda":
        keys = {"registered_name": REGISTERED}
        config = {"name": "d", "function": remove, "output_shape": [2]}
    else:
        keys = {"module": "keras.layers", "registered_name": None}
        config = {"name": "d", "activation": remove}
    node = {"args": [], "kwargs": {"inputs": str(victim)}}
    edit = put_layer(class_name=kind, config=config, inbound_nodes=[node], **keys)
    path = write(tmp_path / "r.keras", edit)
    refused(path, "which is not admitted", calls)
    assert victim.exists()


@pytest.mark.parametrize("where", ["build_config", "args", "kwargs"])
def test_foreign_classes_beside_the_settings(tmp_path, calls, where):
    evil = {"module": "os", "class_name": "system", "config": "id", "registered_name": None}

    def edit(whole, layer):
        if where == "build_config":
            layer["build_config"] = {"input_shape": evil}
        elif where == "args":
            layer["inbound_nodes"][0]["args"].append(evil)
        else:
            layer["inbound_nodes"][0]["kwargs"]["training"] = evil

    refused(write(tmp_path / "b.keras", edit), "os.system, which is not admitted", calls)


@pytest.mark.parametrize(
    "evil",
    [
        {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": "os"}},
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_the_configuration_of_the_training_is_left_out(tmp_path, calls, evil, inner):
    inside = keras.Input((3,))
    model = keras.Model(inside, keras.layers.Dense(2)(inside), name="d")
    inputs = keras.Input((3,))

    def edit(whole, layer):
        (layer if inner else whole)["compile_config"] = {"optimizer": evil, "loss": evil}

    path = write(tmp_path / "c.keras", edit, keras.Model(inputs, model(inputs)))
    model = weights.read_model(path)
    assert not model.compiled
    assert not inner or not model.get_layer("d").compiled
    assert len(calls) == 1


def test_typespecs_and_other_names_of_keras_own(tmp_path, calls):
    for name in ("__typespec__", "__bytes__", "__lambda__", "__anything__"):
        for registered_name in (None, REGISTERED):
            evil = {
                "class_name": name,
                "spec_name": "system",
                "module": "os",
                "registered_name": registered_name,
                "config": ["id"],
            }
            path = write(tmp_path / "t.keras", setting("units", evil))
            refused(path, f"os.{name}, which is not admitted", calls)


def test_registered_names_that_are_no_text(tmp_path, calls):
    for bad in ([], {}, [REGISTERED], 3, True):
        evil = {"module": "os", "class_name": "system", "config": {}, "registered_name": bad}
        path = write(tmp_path / "r.keras", setting("activation", evil))
        refused(path, "cannot be read", calls)
    evil = {"module": ["keras.layers"], "class_name": ["Lambda"], "config": {}}
    refused(write(tmp_path / "r.keras", setting("activation", evil)), "not admitted", calls)


def test_members_that_lie_elsewhere_are_not_unpacked(tmp_path, calls, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a" / "b"))
    outside = dict.fromkeys(("../up", "../../up", str(tmp_path / "absolute"), "assets/x"), b"x")
    path = write(tmp_path / "m.keras", **outside)
    before = sorted(tmp_path.rglob("*"))
    assert weights.read_model(path).get_layer("d").units == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_no_other_form_of_weights_is_read(tmp_path, calls):
    files = members()
    del files["model.weights.h5"]
    data = io.BytesIO()
    np.savez(data, evil=np.array([object()], dtype=object))  # a pickle
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        for name, text in {**files, "model.weights.npz": data.getvalue()}.items():
            archive.writestr(name, text)
    refused(tmp_path / "n.keras", "model.weights.h5", calls)


def test_file_that_is_a_zip_to_us_and_hdf5_to_keras(tmp_path, calls, trap):
    """By its name Keras 3.9 takes it for HDF5, and there its safe mode does not hold."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "lambda.h5")
    path = tmp_path / "generator.h5"
    with h5py.File(tmp_path / "lambda.h5") as old, h5py.File(path, "w", userblock_size=512) as new:
        config = json.loads(old.attrs["model_config"])
        config["config"]["layers"][1]["config"]["function"] = lambdas(trap)[0]
        new.attrs.update({**old.attrs, "model_config": json.dumps(config)})
        for name in old:
            old.copy(name, new)
    with open(path, "r+b") as file:
        file.write(b"PK\x03\x04")
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in members().items():
            archive.writestr(name, data)
    model = weights.read_model(path)  # the harmless one in the zip
    assert model.get_layer("d").units == 2
    assert not trap.exists()
    assert all(os.path.basename(call) != path.name for call in calls)


def test_second_configuration_of_one_name(tmp_path, calls, trap):
    files = members()
    evil = json.loads(files["config.json"])
    put_lambda(0, trap, {"module": "keras.layers"})(None, evil["config"]["layers"][1])
    path = tmp_path / "two.keras"
    for first, second in [(files["config.json"], json.dumps(evil)), (json.dumps(evil), b"")]:
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the double name
            for name, data in files.items():
                archive.writestr(name, first if name == "config.json" else data)
            if second:
                archive.writestr("config.json", second)
        refused(path, "Lambda, which is not admitted", calls, trap)
    # Two keys of one name in the text: Keras gets what was checked, not the text.
    text = files["config.json"].decode()
    twice = f'{{"class_name": "Lambda", "module": "keras.layers", {text[1:]}'
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, "config.json": twice}.items():
            archive.writestr(name, data)
    assert weights.read_model(path).get_layer("d").units == 2


def test_keras_gets_what_was_checked_and_not_the_file(tmp_path, calls):
    path = write(tmp_path / "m.keras")
    weights.read_model(path)
    assert len(calls) == 1
    assert not os.path.samefile(os.path.dirname(calls[0]), tmp_path)
    assert not os.path.exists(calls[0])  # and it is gone afterwards


def outside_array(group, kind, folder):
    """Put an array from elsewhere in the place of the kernel."""
    (folder / "secret").write_bytes(np.arange(6, dtype="f4").tobytes())
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = np.ones((3, 2), "f4")
        other.create_group("g/vars")["0"] = np.ones((3, 2), "f4")
    if kind == "external storage":
        group.create_dataset("0", (3, 2), "f4", external=[(str(folder / "secret"), 0, 24)])
    elif kind == "external link":
        group["0"] = h5py.ExternalLink(str(folder / "other.h5"), "/x")
    elif kind == "soft link":
        group.file["elsewhere"] = np.ones((3, 2), "f4")
        group["0"] = h5py.SoftLink("/elsewhere")
    else:
        layout = h5py.VirtualLayout((3, 2), "f4")
        layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (3, 2))
        group.create_virtual_dataset("0", layout)


KINDS = ["external storage", "external link", "soft link", "virtual"]


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_from_elsewhere_in_a_keras_file(tmp_path, calls, kind):
    data = io.BytesIO(members()["model.weights.h5"])
    with h5py.File(data, "a") as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if name.endswith("vars/0") else None)
        group = file[found[0]].parent
        del group["0"]
        outside_array(group, kind, tmp_path)
    path = write(tmp_path / "w.keras", **{"model.weights.h5": data.getvalue()})
    refused(path, "'0' (are a link|are stored in another file)", calls)


def test_groups_from_elsewhere_in_a_keras_file(tmp_path, calls):
    data = io.BytesIO(members()["model.weights.h5"])
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other.create_group("g/vars")["0"] = np.ones((3, 2), "f4")
    with h5py.File(data, "a") as file:
        name = next(iter(file["layers"]))
        del file[f"layers/{name}"]
        file[f"layers/{name}"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/g")
    path = write(tmp_path / "w.keras", **{"model.weights.h5": data.getvalue()})
    refused(path, "are a link", calls)


def test_groups_that_hold_each_other_end(tmp_path, calls):
    """2**40 ways through forty groups, and a circle."""
    data = io.BytesIO(members()["model.weights.h5"])
    with h5py.File(data, "a") as file:
        group = file.create_group("extra")
        for _ in range(40):
            inner = group.create_group("a")
            group["b"] = inner
            group = inner
        group["circle"] = file["extra"]
    path = write(tmp_path / "w.keras", **{"model.weights.h5": data.getvalue()})
    assert weights.read_model(path).get_layer("d").units == 2


def keras2(path, *nodes, keras_version="2.3.1"):
    """Write an HDF5 file of Keras 2: an input, then the given layers one on another."""
    size = {"name": "i", "batch_input_shape": [None, 3], "dtype": "float32"}
    layers = [{"name": "i", "class_name": "InputLayer", "config": size, "inbound_nodes": []}]
    for kind, config in nodes:
        name = f"l{len(layers)}"
        before = [[[layers[-1]["name"], 0, 0, {}]]]
        config = {"name": name, **config}
        layers.append({"name": name, "class_name": kind, "config": config, "inbound_nodes": before})
    ends = {"input_layers": [["i", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    config = {"class_name": "Model", "config": {"name": "m", "layers": layers, **ends}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = keras_version
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights/l1")
        group.attrs["weight_names"] = [b"l1/kernel:0", b"l1/bias:0"]
        group["l1/kernel:0"] = np.ones((3, 2), "f4")
        group["l1/bias:0"] = np.zeros(2, "f4")
    return path


def test_keras_2_file_that_is_read(tmp_path, calls):
    path = keras2(tmp_path / "d.h5", ("Dense", {"units": 2}))
    y = weights.read_model(path)(np.ones((1, 3), "f4"))
    assert np.asarray(y).tolist() == [[3, 3]]
    assert calls == []  # such a file is never Keras' to read


@pytest.mark.parametrize("how", range(4))
def test_lambda_in_a_keras_2_file(tmp_path, calls, trap, how):
    path = keras2(tmp_path / "l.h5", ("Lambda", {"function": lambdas(trap)[how]}))
    refused(path, "'Lambda' are not supported", calls, trap)
    path = keras2(tmp_path / "n.h5", ("Model", {"layers": [{"class_name": "Lambda"}]}))
    refused(path, "'Model' are not supported", calls, trap)
    path = keras2(tmp_path / "a.h5", ("Dense", {"units": 2, "activation": lambdas(trap)[how]}))
    refused(path, "the activation .* is not supported", calls, trap)
    path = keras2(tmp_path / "3.h5", ("Lambda", {"function": lambdas(trap)[how]}),
                  keras_version="3.9.0")  # fmt: skip
    refused(path, "written by Keras 3", calls, trap)


@pytest.mark.parametrize(("module", "name"), FOREIGN)
def test_foreign_names_in_a_keras_2_file(tmp_path, calls, module, name):
    evil = {"module": module, "class_name": name, "config": {}, "registered_name": REGISTERED}
    for kind in (name, f"{module}.{name}", f"{module}>{name}"):
        path = keras2(tmp_path / "k.h5", (kind, {"module": module}))
        refused(path, "are not supported", calls)
    for key in ("units", "use_bias"):
        path = keras2(tmp_path / "k.h5", ("Dense", {"units": 2, key: evil}))
        refused(path, "cannot be read", calls) if key == "units" else weights.read_model(path)
    for key in ("activation", "module", "compile_config", "build_config"):
        path = keras2(tmp_path / "k.h5", ("Dense", {"units": 2, key: evil}))
        refused(path, "is not supported|is unknown", calls)
    # Settings that do not change the answers are not looked at, and never reach Keras.
    for key in ("kernel_initializer", "kernel_regularizer", "bias_constraint", "dtype"):
        path = keras2(tmp_path / "k.h5", ("Dense", {"units": 2, key: evil}))
        assert weights.read_model(path).get_layer("l1").units == 2
    assert calls == []


@pytest.mark.parametrize("kind", [*KINDS, "group by external link", "group by soft link"])
def test_arrays_from_elsewhere_in_a_keras_2_file(tmp_path, calls, kind):
    path = keras2(tmp_path / "w.h5", ("Dense", {"units": 2}))
    keras2(tmp_path / "second.h5", ("Dense", {"units": 2}))
    with h5py.File(path, "a") as file:
        if kind == "group by external link":
            del file["model_weights"]
            file["model_weights"] = h5py.ExternalLink(str(tmp_path / "second.h5"), "/model_weights")
        elif kind == "group by soft link":
            file.move("model_weights", "other")
            file["model_weights"] = h5py.SoftLink("/other")
        else:
            group = file["model_weights/l1/l1"]
            outside_array(group, kind, tmp_path)
            del group["kernel:0"]
            group.move("0", "kernel:0")
    refused(path, "missing, or a link|lies in another file", calls)
