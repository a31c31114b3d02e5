import hashlib
import json
import re
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras2_files import unet, vgg_head
from loopback import serving_folder

from melanet import CycleGAN, GANOversampler, UnpairedImages
from melanet.utils import _download
from melanet.weights import _published, _reader

GENERATOR = "isic2016_benign_to_malignant_cyclegan_generator.h5"


def noise(*shape):
    return np.random.default_rng(1).uniform(-1, 1, shape).astype("float32")


def answers(model, x):
    return keras.ops.convert_to_numpy(model(x))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MELANET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_download, "_PAUSE", 0.0)
    return tmp_path / "home" / "weights"


@pytest.fixture
def folder(tmp_path):
    """Yield a folder and the address where it is served."""
    (tmp_path / "served").mkdir()
    with serving_folder(tmp_path / "served") as server:
        yield tmp_path / "served", server.url


def test_published_files_and_their_sources():
    generator, classifier = (
        _published.PUBLISHED["isic2016"][k] for k in ("generator", "classifier")
    )
    assert (generator[0], classifier[0]) == (GENERATOR, "MelaNet.h5")
    assert len(generator[1]) == 1
    assert [url.split("/")[2] for url in classifier[1]] == ["github.com", "huggingface.co"]


def test_fetch_and_read(home, folder):
    served, url = folder
    net = vgg_head(16, 2)
    plain = net.model()
    net.write(served / "MelaNet.h5")
    sources = [f"{url}/missing", f"{url}/"]
    path = _published.fetch("isic2016", "classifier", sources=sources)
    assert path == home / "MelaNet.h5"
    pin = json.loads((home / "MelaNet.h5.json").read_text())
    assert pin["sha256"] == hashlib.sha256((served / "MelaNet.h5").read_bytes()).hexdigest()
    x = noise(2, 16, 16, 3)
    model = _reader.read_model(_published.locate("isic2016", "classifier"))
    np.testing.assert_allclose(answers(model, x), answers(plain, x), atol=1e-6)


def test_fetch_refuses_what_is_no_model(home, folder):
    served, url = folder
    (served / GENERATOR).write_text("<html>moved</html>")
    with pytest.raises(ConnectionError, match="not a complete HDF5 file"):
        _published.fetch("isic2016", "generator", sources=[url])
    (served / GENERATOR).write_bytes(unet(16, 1).write(served / "whole.h5").read_bytes()[:-100])
    with pytest.raises(ConnectionError, match="not a complete HDF5 file"):
        _published.fetch("isic2016", "generator", sources=[url])
    with h5py.File(served / GENERATOR, "w") as file:
        file["x"] = np.ones(3)
    with pytest.raises(ConnectionError, match="without a model"):
        _published.fetch("isic2016", "generator", sources=[url])
    assert not list(home.glob("[!.]*"))


def test_fetch_says_what_to_do_offline(home):
    with pytest.raises(ConnectionError, match="give its path instead of 'isic2016'") as caught:
        _published.fetch("isic2016", "generator", sources=["http://127.0.0.1:9"])
    assert str(home / GENERATOR) in str(caught.value)


def test_unknown_names():
    with pytest.raises(ValueError, match="name='isic2017'"):
        _published.fetch("isic2017", "generator")
    with pytest.raises(ValueError, match="kind='judge'"):
        _published.fetch("isic2016", "judge")
    with pytest.raises(FileNotFoundError, match=r"one of \['isic2016'\].*'isic2017'"):
        _published.locate("isic2017", "generator")
    with pytest.raises(ValueError, match="Received: None"):
        _published.locate(None, "generator")


def test_published_name_gives_a_cyclegan(home):
    home.mkdir(parents=True)
    net = unet(16, 2)
    plain = net.model()
    net.write(home / GENERATOR)
    model = CycleGAN.from_pretrained("isic2016")
    x = noise(2, 16, 16, 3)
    np.testing.assert_allclose(model.translate(x), answers(plain, x), atol=1e-5)


@pytest.fixture
def single(tmp_path):
    """Return a CycleGAN of one generator, from a Keras 2 file."""
    net = unet(16, 2)
    net.model()
    return CycleGAN.from_pretrained(net.write(tmp_path / "generator.h5"))


def test_one_generator_translates_to_b_only(single):
    x = noise(3, 16, 16, 3)
    assert single.sample_shape == (16, 16, 3)
    assert single.translate(x, to="B").shape == x.shape
    with pytest.raises(ValueError, match=r'one generator.*to="A"'):
        single.translate(x, to="A")
    data = UnpairedImages(x, x, batch_size=1)
    for train in (single.fit, single.evaluate):
        with pytest.raises(ValueError, match="generator_ba, discriminator_a, discriminator_b"):
            train(data, verbose=0)


def test_one_generator_survives_saving(single, tmp_path):
    x = noise(2, 16, 16, 3)
    single.save(tmp_path / "single.keras")
    again = CycleGAN.from_pretrained(tmp_path / "single.keras")
    assert (again.generator_ba, again.discriminator_a, again.discriminator_b) == (None,) * 3
    np.testing.assert_array_equal(again.translate(x), single.translate(x))
    assert again.compiled
    assert CycleGAN.from_config(single.get_config()).sample_shape == single.sample_shape


def test_trained_cyclegan_is_read_without_its_optimizer(tmp_path):
    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    x = noise(2, 8, 8, 1)
    model.optimizer.build(model.trainable_variables)  # slots, as after training
    model.optimizer.iterations.assign(7)
    model.save(tmp_path / "trained.keras")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Skipping variable loading")
        again = CycleGAN.from_pretrained(tmp_path / "trained.keras")
    np.testing.assert_array_equal(again.translate(x), model.translate(x))
    assert int(again.optimizer.iterations) == 0


def test_exported_generators_are_plain_models(tmp_path):
    model = CycleGAN.from_shape((16, 16, 3), filters=2, discriminator_filters=2)
    paths = model.export_generators(str(tmp_path / "new" / "folder"))
    assert [path.name for path in paths] == ["b2m.keras", "m2b.keras"]
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)
    x = noise(2, 16, 16, 3)
    for path, to in zip(paths, "BA"):
        plain = keras.models.load_model(path)
        np.testing.assert_allclose(answers(plain, x), model.translate(x, to=to), atol=1e-6)
        np.testing.assert_array_equal(
            CycleGAN.from_pretrained(path).translate(x), model.translate(x, to=to)
        )


def test_export_needs_only_the_layers_to_be_read(tmp_path):
    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    with zipfile.ZipFile(model.export_generators(tmp_path)[0]) as whole:
        config = whole.read("config.json").decode()
    modules = set(re.findall(r'"module": "([^"]*)"', config))
    assert "melanet.layers" in modules
    assert all(m == "melanet.layers" or m.split(".")[0] == "keras" for m in modules)


def test_export_of_one_generator(single, tmp_path):
    assert [path.name for path in single.export_generators(tmp_path)] == ["b2m.keras"]


def test_failed_export_leaves_the_old_file(tmp_path, monkeypatch):
    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    (tmp_path / "b2m.keras").write_text("old")

    def fail(path):
        path.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model.generator_ab, "save", fail)
    with pytest.raises(OSError, match="space"):
        model.export_generators(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["b2m.keras"]
    assert (tmp_path / "b2m.keras").read_text() == "old"


def test_file_of_another_model_is_no_generator(tmp_path):
    net = vgg_head(16, 2)
    net.model()
    path = net.write(tmp_path / "c.h5")
    with pytest.raises(ValueError, match=r"c\.h5.*Functional from \(None, 16, 16, 3\)"):
        CycleGAN.from_pretrained(path)


def test_sampler_takes_a_published_generator(home):
    home.mkdir(parents=True)
    net = unet(16, 2)
    net.model()
    net.write(home / GENERATOR)
    X = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype="uint8")
    y = np.array([0] * 6 + [1] * 3)
    X_res, y_res = GANOversampler(pretrained={1: "isic2016"}, reject=False).fit_resample(X, y)
    assert (X_res.shape, X_res.dtype) == ((12, 16, 16, 3), np.uint8)
    assert np.bincount(y_res).tolist() == [6, 6]
    with pytest.raises(ValueError, match=r"\(16, 16, 3\).*\(8, 8, 3\).*Resize"):
        GANOversampler(pretrained={1: "isic2016"}).fit_resample(X[:, :8, :8], y)
