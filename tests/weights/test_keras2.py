import base64
import marshal

import h5py
import keras
import numpy as np
import pytest
from keras2_files import Twin, unet, vgg_head
from paths import SHARED

from melanet.layers import UpsamplingConv2D
from melanet.weights import _keras2

to_numpy = keras.ops.convert_to_numpy
GENUINE = SHARED / "legacy"


def fused(model):
    return [layer.name for layer in model.layers if isinstance(layer, UpsamplingConv2D)]


def outputs(model, x):
    return to_numpy(model(x))


def assert_reads_as(net, path, x, atol=2e-5):
    plain = net.model()
    model = _keras2.read_keras2(net.write(path))
    np.testing.assert_allclose(outputs(model, x), outputs(plain, x), atol=atol)
    assert model.count_params() == plain.count_params()
    return model


def noise(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype("float32")


@pytest.mark.parametrize(("name", "n_fused"), [("generator", 4), ("melanet", 0)])
def test_files_of_keras_2_have_the_recorded_outputs(name, n_fused):
    files = [GENUINE / f"{name}.h5", GENUINE / f"{name}_io.npz"]
    if not all(file.exists() for file in files):
        pytest.skip(f"needs {files[0].name} and {files[1].name} in ../shared/legacy")
    model = _keras2.read_keras2(files[0])
    with np.load(files[1]) as recorded:
        y = outputs(model, recorded["x"].astype("float32"))
        np.testing.assert_allclose(y, recorded["y"], atol=1e-4)
    assert len(fused(model)) == n_fused
    assert model.input_shape == (None, 64, 64, 3)
    if name == "melanet":
        assert model.get_layer("block5_conv3").output.shape[-1] == 16


def test_the_unet_is_fused_and_keeps_its_kernels(tmp_path):
    net = unet(32, 4)
    model = assert_reads_as(net, tmp_path / "g.h5", noise(2, 32, 32, 3))
    ups = [node["name"] for node in net.nodes if node["class_name"] == "UpSampling2D"]
    assert len(fused(model)) == len(ups) == 4
    names = {layer.name for layer in model.layers}
    assert names.isdisjoint(ups)
    assert names | set(ups) == {node["name"] for node in net.nodes}
    with h5py.File(tmp_path / "g.h5") as file:
        for name in fused(model):
            kernel = file[f"model_weights/{name}/{name}/kernel:0"][()]
            np.testing.assert_array_equal(to_numpy(model.get_layer(name).kernel), kernel)


def test_full_size_generator(tmp_path):
    model = assert_reads_as(unet(256, 32), tmp_path / "g.h5", noise(1, 256, 256, 3), atol=1e-4)
    assert model.count_params() == 1545425
    assert len(fused(model)) == 4


def test_optimizer_slots_and_training_configuration_are_ignored(tmp_path):
    net = vgg_head(16, 4)
    plain = net.model()
    with h5py.File(net.write(tmp_path / "c.h5"), "a") as file:
        file.attrs["training_config"] = b'{"loss": "of_a_class_that_is_gone"}'
        file["optimizer_weights/slot:0"] = np.ones(3)
    model = _keras2.read_keras2(tmp_path / "c.h5")
    x = noise(3, 16, 16, 3)
    np.testing.assert_allclose(outputs(model, x), outputs(plain, x), atol=1e-6)
    assert not getattr(model, "optimizer", None)


def test_every_kind_of_layer(tmp_path):
    net = Twin((12, 10, 3))
    net.conv(4, 3, padding="valid", use_bias=False)
    net.add("BatchNormalization", axis=-1, epsilon=1e-2)
    net.add("ReLU", max_value=1.5, negative_slope=0.1, threshold=0.0)
    net.add("ZeroPadding2D", padding=[[1, 0], [2, 1]])
    left = net.conv(4, 3, dilation_rate=[2, 2])
    net.add("Activation", net.nodes[-2]["name"], activation="sigmoid")
    right = net.conv(4, [5, 1])
    net.add("Add", left, right)
    net.add("Cropping2D", cropping=[[1, 1], [0, 2]])
    net.add("InstanceNormalization", axis=3, epsilon=1e-3, center=True, scale=False)
    wide = net.add("AveragePooling2D", pool_size=[2, 2], strides=[1, 1], padding="same")
    net.add("Dropout", rate=0.5)
    flat = net.add("Flatten", data_format="channels_last")
    most = net.add("GlobalMaxPooling2D", wide)
    net.add("Concatenate", flat, most, axis=1)
    net.add("Dense", units=3, activation="elu", use_bias=False)
    assert_reads_as(net, tmp_path / "zoo.h5", noise(4, 12, 10, 3))


def test_defaults_are_those_of_keras_2(tmp_path):
    net = Twin((8, 8, 2))
    net.add("Conv2D", filters=3, kernel_size=[3, 3])
    net.add("LeakyReLU")
    net.nodes[-1]["config"].pop("negative_slope", None)
    net.add("BatchNormalization")
    net.add("MaxPooling2D")
    net.add("InstanceNormalization")
    model = assert_reads_as(net, tmp_path / "d.h5", noise(2, 8, 8, 2))
    assert model.get_layer("leakyrelu_2").negative_slope == pytest.approx(0.3)
    assert model.get_layer("batchnormalization_3").epsilon == pytest.approx(1e-3)
    assert model.get_layer("instancenormalization_5").epsilon == pytest.approx(1e-3)


def doubled(*sizes, size=(2, 2), **config):
    net = Twin((6, 6, 2))
    up = net.add("UpSampling2D", size=list(size))
    parts = [net.conv(3, k, up, **config) for k in sizes]
    if len(parts) > 1:
        net.add("Add", *parts)
    return net


@pytest.mark.parametrize(
    ("net", "n_fused"),
    [
        (doubled(3), 1),
        (doubled(4, use_bias=False), 1),
        (doubled(3, 5), 0),  # two consumers
        (doubled(3, size=(2, 1)), 0),
        (doubled(3, size=(3, 3)), 0),
        (doubled([3, 1]), 0),
        (doubled(3, strides=[2, 2]), 0),
        (doubled(3, padding="valid"), 0),
        (doubled(3, dilation_rate=[2, 2]), 0),
        (doubled(3, activation="softmax"), 0),  # mixes channels, so it cannot be fused
    ],
)
def test_only_equal_pairs_are_fused(tmp_path, net, n_fused):
    assert len(fused(assert_reads_as(net, tmp_path / "f.h5", noise(2, 6, 6, 2)))) == n_fused


def test_numbered_weight_names_are_read(tmp_path):
    net = vgg_head(16, 2)
    plain = net.model()
    with h5py.File(net.write(tmp_path / "c.h5"), "a") as file:
        part = file["model_weights/conv2d_1"]
        part.move("conv2d_1", "conv2d_1_7")
        part.move("conv2d_1_7/kernel:0", "conv2d_1_7/kernel_2:0")
        part.attrs["weight_names"] = [b"conv2d_1_7/kernel_2:0", b"conv2d_1_7/bias:0"]
    x = noise(2, 16, 16, 3)
    y = outputs(_keras2.read_keras2(tmp_path / "c.h5"), x)
    np.testing.assert_allclose(y, outputs(plain, x), atol=1e-6)


def assert_rejected(path, match):
    with pytest.raises(ValueError, match=match) as caught:
        _keras2.read_keras2(path)
    assert str(path) in str(caught.value)


def test_a_lambda_layer_is_rejected_and_does_not_run(tmp_path):
    trap = tmp_path / "it-ran"
    code = compile(f"lambda x: open({str(trap)!r}, 'w') and x", "trap", "eval").co_consts[0]
    text = base64.b64encode(marshal.dumps(code)).decode()

    def edit(config):
        node = config["config"]["layers"][1]
        node["class_name"] = "Lambda"
        node["config"] = {"name": node["name"], "function": [text, None, None]}

    assert_rejected(vgg_head(16, 2).write(tmp_path / "l.h5", edit), "'Lambda' are not supported")
    assert not trap.exists()


def set_node(index, where="config", **values):
    def edit(config):
        node = config["config"]["layers"][index]
        (node if where is None else node[where]).update(values)

    return edit


def set_model(**values):
    return lambda config: config["config"].update(values)


HUGE = [None, 1 << 20, 1 << 20, 3]


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (set_node(1, None, class_name="TFOpLambda"), "'TFOpLambda' are not supported"),
        (set_node(1, None, class_name="os.system"), "'os.system' are not supported"),
        (set_node(1, None, class_name="my_package>Conv2D"), "are not supported"),
        (set_node(1, activation="hard_sigmoid"), "activation 'hard_sigmoid'"),
        (set_node(1, activation={"class_name": "Lambda"}), "'conv2d_1': the activation"),
        (set_node(1, data_format="channels_first"), "channels_last"),
        (set_node(1, groups=2), "setting 'groups'"),
        (set_node(1, filters=10**9), "layer 'conv2d_1': .*too large"),
        (set_node(1, kernel_size=[10**5, 10**5]), "layer 'conv2d_1'"),
        (set_node(1, filters=3), r"\(3, 3, 3, 3\).* are needed, and the file has .*\(3, 3, 3, 2\)"),
        (set_node(1, filters=-1), "layer 'conv2d_1'"),
        (set_node(1, filters="many"), "layer 'conv2d_1'"),
        (set_node(6, units=10**12), "too large"),
        (set_node(0, batch_input_shape=HUGE), "too large"),
        (set_node(2, None, inbound_nodes=[]), "used 0 times"),
        (set_node(2, None, inbound_nodes=[[["conv2d_1", 0, 0, {}]]] * 2), "used 2 times"),
        (
            set_node(2, None, inbound_nodes=[[["conv2d_1", 0, 0, {"f": 1}]]]),
            "called in an unsupported way",
        ),
        (set_node(2, None, inbound_nodes=[[["nowhere", 0, 0, {}]]]), "lacks 'nowhere'"),
        (set_node(2, None, inbound_nodes=[[["dense_6", 0, 0, {}]]]), "lacks 'dense_6'"),
        (set_node(2, None, name="conv2d_1"), "two layers have one name"),
        (set_node(2, None, name="../up"), "cannot contain character"),
        (set_model(output_layers=[["nowhere", 0, 0]]), "nowhere"),
        (set_model(input_layers=[]), "values to unpack"),
        (set_model(layers=3), "int"),
        (lambda config: config.update(class_name="Sequential"), "holds a Sequential"),
        (lambda config: [config], "list"),
    ],
)
def test_hostile_configurations_are_rejected(tmp_path, edit, match):
    assert_rejected(vgg_head(16, 2).write(tmp_path / "h.h5", edit), match)


def test_huge_up_sampling_is_rejected(tmp_path):
    net = doubled(3)
    assert_rejected(net.write(tmp_path / "u.h5", set_node(1, size=[10**6, 10**6])), "too large")


def drop(group):
    del group["kernel:0"]


def integers(group):
    del group["kernel:0"]
    group["kernel:0"] = np.ones((3, 3, 3, 2), int)


def transposed(group):
    kernel = group["kernel:0"][()]
    del group["kernel:0"]
    group["kernel:0"] = kernel.transpose(3, 0, 1, 2)


def soft_link(group):
    group["other"] = group["kernel:0"][()]
    del group["kernel:0"]
    group["kernel:0"] = h5py.SoftLink(f"{group.name}/other")


def external_link(group):
    del group["kernel:0"]
    group["kernel:0"] = h5py.ExternalLink("other.h5", "/x")


def external_storage(group):
    del group["kernel:0"]
    group.create_dataset("kernel:0", (3, 3, 3, 2), "f4", external=[("other.raw", 0, 216)])


def virtual(group):
    del group["kernel:0"]
    layout = h5py.VirtualLayout((3, 3, 3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 3, 3, 2))
    group.create_virtual_dataset("kernel:0", layout)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (drop, "missing, or a link"),
        (integers, "no array of floating-point"),
        (transposed, "are needed, and the file has"),
        (soft_link, "missing, or a link"),
        (external_link, "missing, or a link"),
        (external_storage, "lies in another file"),
        (virtual, "lies in another file"),
    ],
)
def test_wrong_or_external_weights_are_rejected(tmp_path, edit, match):
    path = vgg_head(16, 2).write(tmp_path / "w.h5")
    with h5py.File(path, "a") as file:
        edit(file["model_weights/conv2d_1/conv2d_1"])
    assert_rejected(path, match)


def test_weights_larger_than_the_file_are_rejected_before_a_layer_is_built(tmp_path, monkeypatch):
    def build(*arguments):
        raise AssertionError("it was built")

    def grow(config):
        config["config"]["layers"][1]["config"].update(filters=1 << 20)

    path = vgg_head(16, 2).write(tmp_path / "w.h5", grow)
    with h5py.File(path, "a") as file:
        group = file["model_weights/conv2d_1/conv2d_1"]
        del group["kernel:0"], group["bias:0"]
        # Declared but never written, so they take no space in the file.
        group.create_dataset("kernel:0", (3, 3, 3, 1 << 20), "f4", chunks=(3, 3, 3, 1))
        group.create_dataset("bias:0", (1 << 20,), "f4", chunks=(1,))
    monkeypatch.setattr(keras.layers.Conv2D, "build", build)
    assert_rejected(path, "more bytes than the file has")


def write_text(path, text):
    with h5py.File(path, "w") as file:
        file.attrs.create("model_config", text)
    return path


def test_other_files_are_rejected(tmp_path):
    net = vgg_head(16, 2)
    assert_rejected(
        net.write(tmp_path / "3.h5", version="3.15.0"), "Keras 3.15.0; save the model as .keras"
    )
    content = net.write(tmp_path / "intact.h5").read_bytes()
    for size in (10, 200, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.h5").write_bytes(content[:size])
        assert_rejected(tmp_path / "cut.h5", "cannot be read as a Keras 2 model")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv"]
    assert_rejected(tmp_path / "weights.h5", "weights without the model")
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["x"] = np.ones(3)
    assert_rejected(tmp_path / "table.h5", "without model_config")
    assert_rejected(write_text(tmp_path / "text.h5", b"cos\nsystem\n"), "Expecting value")
    assert_rejected(write_text(tmp_path / "deep.h5", b"[" * 50000), "recursion")
    with h5py.File(net.write(tmp_path / "none.h5"), "a") as file:
        del file["model_weights"]
    assert_rejected(tmp_path / "none.h5", "no model_weights")
