"""The benchmark of photographs: its measures on drawn lesions, with stand-in oracles."""

import copy
import os
import pickle
import sys
import types
from collections import OrderedDict
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from melanet.datasets import make_lesions
from melanet.images import load_images

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import photographs
from measuring import arms, data, nuisances, pretrained, realism, report
from measuring.aims import aims
from measuring.measures import Bench, measure
from measuring.oracles import SmallNetwork
from measuring.running import Results

MIDDLE = (slice(None), slice(8, 24), slice(8, 24))


class Darkness:
    """A stand-in oracle: the darker the middle of a picture, the more it is of the class."""

    def __init__(self, name, channel):
        self.name, self.channel = name, channel

    def __call__(self, images):
        return 1 - images[MIDDLE][..., self.channel].mean(axis=(1, 2)) / 255


def thumbnails(images):
    """Return stand-in features: the picture in blocks of 4x4 pixels."""
    n, side, _, channels = images.shape
    blocks = images.reshape(n, side // 4, 4, side // 4, 4, channels)
    return blocks.mean(axis=(2, 4)).reshape(n, -1)


def darken(images):
    """Return the pictures with a dark middle, which alone makes the rare class here."""
    changed = images.copy()
    changed[MIDDLE] = np.rint(changed[MIDDLE] * 0.6)
    return changed


def frame(images):
    """Return pictures of the class in a white frame, as no real one has it."""
    changed = darken(images)
    changed[:, :2] = changed[:, -2:] = 255
    return changed


@pytest.fixture(scope="module")
def bench():
    X, _ = make_lesions(260, image_size=32, difficulty=1.0, random_state=0)
    y = np.arange(200) >= 150
    X[150:] = darken(X[150:])
    oracles = [Darkness("red", 0), Darkness("green", 1)]
    return Bench(X[:200], y, X[200:], oracles, thumbnails, ("vgg16",))


@pytest.fixture(scope="module")
def rows(bench):
    return arms.source_rows(bench, 0)


@pytest.fixture(scope="module")
def measured(bench, rows):
    """Return the figures of pictures made by name, measured once."""

    @cache
    def of(name):
        sources = bench.X[rows]
        made = {"perfect": darken, "framed": frame}
        images = made[name](sources) if name in made else arms.CONTROLS[name](bench, rows)
        return {**measure(images, rows, bench), "asked": len(rows), "cpu_s": 1.0}

    return lambda name: copy.deepcopy(of(name))


def missed(result):
    return {aim.name for aim in aims(result, pretrained=True) if not aim.met}


def test_as_many_sources_are_drawn_as_rare_pictures_are_missing(bench, rows):
    assert len(rows) == len(set(rows)) == 150 - 50
    assert not bench.y[rows].any()


def test_unchanged_pictures_are_like_their_sources_and_no_nearer_to_the_class(measured):
    result = measured("identity")
    for oracle in result["oracles"].values():
        assert oracle["evidence"] == oracle["low"] == oracle["high"] == oracle["towards"] == 0
    assert result["own"] == 1
    assert result["change"] == 0
    assert result["similarity"] == pytest.approx(1)
    assert [v for v in result["kept"].values() if v is not None] == pytest.approx([1] * 4)
    assert missed(result) == {"evidence", "towards", "realism"}


def test_pasted_pictures_of_the_class_are_copies(measured):
    result = measured("pasted")
    assert result["copied"] == 0
    assert result["own"] == 0
    assert {"copied", "kept"} <= missed(result)


def test_a_blend_misses_an_aim(bench, rows, measured):
    mixed = arms.blend(bench, rows)
    halves = (bench.X[rows].astype(float) + arms.pasted(bench, rows)) / 2
    assert np.abs(mixed - halves).max() <= 0.5
    assert missed(measured("blend"))


def test_a_perfect_translator_meets_every_aim(bench, rows, measured):
    made = darken(bench.X[rows])
    result = measured("perfect")
    before, after, real = (
        1 - part[MIDDLE][..., 0].mean() / 255 for part in (bench.X[rows], made, bench.X[150:])
    )
    red = result["oracles"]["red"]
    assert red["evidence"] == pytest.approx((after - before) / (real - before))
    assert red["low"] < red["evidence"] < red["high"]
    assert red["towards"] == 1
    assert result["change"] == pytest.approx(np.abs(made.astype(float) - bench.X[rows]).mean())
    assert missed(result) == set()


def test_framed_pictures_are_told_from_real_ones(measured):
    result = measured("framed")
    assert result["realism"]["translations"]["auc"] > 0.95
    assert result["kid"]["translations"] > 2 * result["kid"]["common"]
    assert "realism" in missed(result)


def test_a_feature_that_hardly_varies_does_not_outweigh_the_others():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, 2, 2, 1)).astype(np.uint8)

    def features(images):
        values = images.reshape(len(images), 4) / 255
        return np.concatenate([values, values[:, :1] > 2, 1e-9 * values[:, 1:2]], axis=1)

    bench = Bench(X, np.arange(40) < 10, X, [], features)
    z = bench.standardised(X)
    assert z[:, :4].std(axis=0) == pytest.approx(1)
    assert np.abs(z[:, 4:]).max() < 1e-6


def test_measures_reject_other_sizes_and_floats(bench, rows):
    with pytest.raises(ValueError, match=r"uint8 pictures of shape \(n, \(32, 32, 3\)\)"):
        measure(bench.X[rows] / 255, rows, bench)
    with pytest.raises(ValueError, match="translations must be"):
        measure(bench.X[rows, :16], rows, bench)


def test_an_oracle_that_is_little_better_than_chance_leaves_evidence_unmeasured(measured):
    result = measured("perfect")
    result["oracles"]["green"]["counts"] = False
    assert missed(result) == {"evidence", "towards"}


def test_the_sample_must_be_large_enough(measured):
    result = measured("perfect")
    for n, asked, short in ((100, 200, False), (100, 201, True), (99, 99, True)):
        assert ("sample" in missed({**result, "n": n, "asked": asked})) == short


def test_less_is_asked_without_pretrained_features(measured):
    result = measured("perfect")
    for oracle in result["oracles"].values():
        oracle["evidence"] = 0.5
    result["realism"]["translations"]["auc"] = 0.9
    assert missed(result) == {"evidence", "realism"}
    assert all(aim.met for aim in aims(result, pretrained=False))


def test_sets_of_one_distribution_are_not_told_apart_and_shifted_ones_are():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 200, 5))
    groups = np.arange(200), np.arange(200, 400)
    assert realism.told_from(a, b, *groups) == pytest.approx(0.5, abs=0.1)
    assert realism.told_from(a, c + 10, *groups) == 1
    assert realism.told_from(a[:80], c + 10, groups[0][:80], groups[1]) == 1


def test_copies_in_the_group_of_their_original_are_not_told_apart():
    a = np.random.default_rng(0).normal(size=(100, 50))
    same = np.arange(100)
    assert realism.told_from(a, a, same, same) == pytest.approx(0.5, abs=0.02)


def test_nuisances_of_pictures_made_for_them():
    flat = np.full((1, 64, 64, 3), 100, np.uint8)
    assert nuisances.mean_colour(flat) == pytest.approx(np.full((1, 3), 100 / 255))
    assert nuisances.light_gradient(flat) == pytest.approx(np.zeros((1, 2)), abs=1e-6)
    assert nuisances.sticker_area(flat) == 0
    slope = np.rint(127 + 51 * np.linspace(-1, 1, 64)).astype(np.uint8)
    tilted = np.broadcast_to(slope[None, :, None, None], flat.shape)
    assert nuisances.light_gradient(tilted) == pytest.approx(np.array([[0.2, 0]]), abs=0.002)
    framed = flat.copy()
    framed[:, :4] = framed[:, -4:] = framed[:, :, :4] = framed[:, :, -4:] = 0
    assert nuisances.border_darkness(framed) == pytest.approx(1, abs=1e-5)
    assert nuisances.border_darkness(flat) == pytest.approx(1 - 100 / 255, abs=1e-5)
    marked = flat.copy()
    marked[0, :16, :32] = (20, 60, 200)
    marked[0, 40:, :] = (190, 120, 90)  # skin
    assert nuisances.sticker_area(marked) == pytest.approx(16 * 32 / 64**2)
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1)).astype(np.uint8)
    smooth = gaussian_filter(noise.astype(float), (0, 6, 6, 0)).astype(np.uint8)
    shares = [nuisances.high_frequency_share(x)[0] for x in (noise, smooth)]
    assert shares[0] > 0.8 > 0.3 > shares[1]


def test_a_nuisance_that_is_lost_or_mixed_up_is_not_kept(bench):
    X = bench.X
    found = nuisances.kept(X, np.full_like(X, 90))
    assert {v for v in found.values() if v is not None} == {0}
    assert found["sticker area"] is None
    shuffled = nuisances.kept(X, np.roll(X, 1, axis=0))
    assert max(v for v in shuffled.values() if v is not None) < 0.5


def test_structural_similarity_of_flat_pictures_is_that_of_their_means():
    a, b = np.full((1, 32, 32, 1), 51, np.uint8), np.full((1, 32, 32, 1), 102, np.uint8)
    expected = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert nuisances.structural_similarity(a, b) == pytest.approx(expected, rel=1e-3)


def test_gradient_noise_is_small_and_moves_the_oracle():
    images = np.full((3, 8, 8, 1), 120, np.uint8)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255, -0.5)(inputs))
    initializer = keras.initializers.RandomNormal(seed=0)
    outputs = keras.layers.Dense(1, "sigmoid", kernel_initializer=initializer)(x)
    model = keras.Model(inputs, outputs)
    weights = model.get_weights()
    changed = arms._climb(model, images)
    assert 0 < np.abs(changed.astype(int) - images).max() <= arms.NOISE
    before, after = (model.predict(part.astype("float32"), verbose=0) for part in (images, changed))
    assert (after > before).all()
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights()))


def test_a_network_that_measures_may_not_serve_the_sampler():
    arms.refuse_inside({"features": "efficientnet-lite0"}, ("vgg16",))
    arms.refuse_inside({"features": None, "steps": 5}, ("vgg16", "efficientnet-lite0"))
    with pytest.raises(ValueError, match="Received: vgg16"):
        arms.refuse_inside({"features": {"name": "VGG16", "layers": 3}}, ("vgg16",))


def test_patients_are_read_from_file_names():
    names = ["IM-0011-0001-0002", "NORMAL2-IM-0011-0001", "person11_virus_3", "ISIC_0000011"]
    found = [data.patient(f"x/{name}.jpg") for name in names]
    assert found[0] == found[1]
    assert len({*found}) == 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two classes, with two pictures of each patient."""
    top = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for part, n in (("train", 20), ("test", 6)):
        for name, patients in (("ill", n // 2), ("well", n)):
            (top / part / name).mkdir(parents=True)
            for i in range(2 * patients):
                pixels = rng.integers(0, 256, (8, 8), np.uint8)
                path = top / part / name / f"person{name == 'ill'}{i // 2}_{i}.png"
                Image.fromarray(pixels).save(str(path).replace("True", "1").replace("False", "2"))
    return top


def test_no_picture_and_no_patient_is_in_both_parts(folder):
    parts = data.load_parts(str(folder), 8)
    assert parts.names == ("well", "ill")
    assert parts.X.shape[1:] == (8, 8, 1)
    assert len(parts.X) + len(parts.oracle_X) == 60
    assert parts.y.sum() == parts.oracle_y.sum() == 10
    rows = {image.tobytes(): i for i, image in enumerate(parts.oracle_X)}
    assert not any(image.tobytes() in rows for image in parts.X)
    paths = sorted((folder / "train").rglob("*.png"))
    patient_of = {
        image[..., :1].tobytes(): data.patient(path)
        for image, path in zip(load_images(paths, 8), paths)
    }
    assert not {patient_of[x.tobytes()] for x in parts.X} & set(parts.oracle_groups)


def test_the_last_table_uses_the_test_part_for_the_oracle_alone(folder):
    parts = data.load_parts(str(folder), 8, final=True)
    assert (len(parts.X), len(parts.oracle_X)) == (60, 18)
    assert (parts.y.sum(), parts.oracle_y.sum()) == (20, 6)
    tested = load_images(sorted((folder / "test" / "ill").iterdir()), 8)[..., :1]
    found = {image.tobytes() for image in parts.oracle_X[parts.oracle_y]}
    assert found == {image.tobytes() for image in tested}


def test_a_flat_folder_is_divided_into_training_and_test_part(folder):
    flat = str(folder / "train")
    whole, half = (data.load_parts(flat, 8, final) for final in (True, False))
    assert len(whole.X) + len(whole.oracle_X) == 60
    held_out = {image.tobytes() for image in whole.oracle_X}
    assert not any(x.tobytes() in held_out for x in (*half.X, *half.oracle_X))


def test_folders_of_other_layouts_are_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: 'nowhere'"):
        data.load_parts("nowhere", 8)


class Storage:
    """An array as PyTorch's old format refers to it."""

    def __init__(self, key, array):
        self.key, self.array = key, array


class Tensor:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture
def torch_like(monkeypatch):
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("the reader must not call it")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils", "_rebuild_tensor_v2",
    )  # fmt: skip
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def write_torch(path, torch, tensors, storages):
    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                return "storage", torch.FloatStorage, value.key, "cpu", value.array.size, None
            return None

    with path.open("wb") as file:
        for value in (1, 1001, {}):
            pickle.dump(value, file, 2)
        Pickler(file, 2).dump(OrderedDict(tensors))
        pickle.dump([s.key for s in storages], file, 2)
        for storage in storages:
            file.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())


def test_old_files_of_pytorch_are_read_with_their_strides(tmp_path, torch_like):
    a, b = Storage("7", np.arange(12, dtype="<f4")), Storage("3", np.ones(2, "<f4"))
    tensors = {
        "whole": Tensor(a, 0, (3, 4), (4, 1), False, OrderedDict()),
        "turned": Tensor(a, 2, (2, 3), (1, 4), False, OrderedDict()),
        "other": Tensor(b, 0, (2,), (1,), False, OrderedDict()),
    }
    write_torch(tmp_path / "w.pth", torch_like, tensors, [b, a])
    found = pretrained.read_torch(tmp_path / "w.pth")
    assert np.array_equal(found["whole"], np.arange(12).reshape(3, 4))
    assert np.array_equal(found["turned"], [[2, 6, 10], [3, 7, 11]])
    assert np.array_equal(found["other"], [1, 1])
    tensors = {"beyond": Tensor(a, 0, (4, 4), (4, 1), False, OrderedDict())}
    write_torch(tmp_path / "w.pth", torch_like, tensors, [a])
    with pytest.raises(pickle.UnpicklingError, match="beyond its storage"):
        pretrained.read_torch(tmp_path / "w.pth")


class Command:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_pickles_that_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = {"a": {"kernel": np.arange(6.0).reshape(2, 3)}}
    for value, fine in ((arrays, True), ({"a": Command()}, False)):
        Path("w.ckpt").write_bytes(pickle.dumps(value, 4))
        if fine:
            assert np.array_equal(
                pretrained.read_arrays("w.ckpt")["a"]["kernel"], arrays["a"]["kernel"]
            )
        else:
            with pytest.raises(pickle.UnpicklingError, match="mkdir"):
                pretrained.read_arrays("w.ckpt")
    parts = [pickle.dumps(value, 2) for value in (1, 1001, {}, Command())]
    Path("w.pth").write_bytes(b"".join(parts))
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        pretrained.read_torch("w.pth")
    assert not Path("made-by-a-pickle").exists()


def test_results_are_stored_and_an_interrupted_run_resumes(
    bench, rows, folder, tmp_path, monkeypatch
):
    made = arms.Made(darken(bench.X[rows]), rows, len(rows), {"cpu_s": 2.0})
    monkeypatch.setattr(arms, "make", lambda *_: made)
    store = Results(tmp_path, folder, 32)
    first = store.run("default", 0, bench)
    assert first["change"] == pytest.approx(
        np.abs(made.images - bench.X[rows].astype(float)).mean()
    )
    assert len(list(store.folder.glob("*.png"))) == 1
    monkeypatch.setattr(arms, "make", None)  # nothing is made anew
    assert Results(tmp_path, folder, 32).run("default", 0, bench) == first
    store.path("default", 0, ".json").write_text("{")  # killed while it was written
    assert store.run("default", 0, bench) == first
    assert store.stored("default", 1) is None


def test_the_report_marks_each_aim_and_says_when_a_control_passes(bench, measured):
    results = [
        {**measured("identity"), "arm": "identity", "seed": 0},
        {**measured("perfect"), "arm": "blend", "seed": 0},
    ]
    page = report.page("Lesions", bench, results)
    line = next(line for line in page.splitlines() if line.startswith("| identity"))
    assert line.endswith("| evidence, towards, realism |")
    assert "| 100 of 100 ✓ | 0.00 [0.00, 0.00] ✗ |" in line
    assert "**The aims are wrong: all of them are met by blend.**" in page


def test_the_report_averages_seeds(bench, measured):
    pair = (measured("perfect"), measured("identity"))
    results = [{**r, "arm": "default", "seed": i} for i, r in enumerate(pair)]
    mean = pair[0]["oracles"]["red"]["evidence"] / 2
    assert f"| {mean:.2f} ± {mean * 2**0.5:.2f} [" in report.page("Lesions", bench, results)


def test_the_command_prints_and_writes_the_table(bench, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(photographs, "open_bench", lambda *_, **__: bench)
    command = ["--data", str(folder), "--side", "32", "--arms", "identity", "--out", str(tmp_path)]
    photographs.main(command)
    written = (tmp_path / "photographs.md").read_text()
    assert written.strip() == capsys.readouterr().out.strip()
    assert "| identity | 1 | 100 of 100 ✓ |" in written
    with pytest.raises(SystemExit):
        photographs.main(["--seeds", "0"])
    assert "--seeds must be at least 1" in capsys.readouterr().err


def test_the_small_network_learns_and_reduces_large_pictures():
    rng = np.random.default_rng(0)
    y = np.arange(48) % 4 == 0
    X = rng.integers(0, 120, (48, 16, 16, 1)).astype(np.uint8)
    X[y] += 100
    settings = {"epochs": 6, "batch": 8, "rate": 5e-3, "seeds": 2}
    network = SmallNetwork((16, 16, 1), settings).fit(X[:32], y[:32])
    chances = network(X[32:])
    assert chances[y[32:]].min() > chances[~y[32:]].max()
    large = SmallNetwork((128, 128, 3), {**settings, "seeds": 1})
    x = rng.integers(0, 256, (2, 128, 128, 3)).astype(np.float32)
    reduced = x.reshape(2, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert large(x) == pytest.approx(large.members[0].predict(reduced, verbose=0)[:, 0], abs=1e-5)
