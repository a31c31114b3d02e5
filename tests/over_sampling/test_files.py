import csv
import json
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from negatives import negative, write_colours
from PIL import Image

import melanet
from melanet.callbacks import StopOnNonFinite
from melanet.cli._oversample import oversample_folder
from melanet.datasets import make_lesions
from melanet.over_sampling import PRESETS, _files, _judge, oversample_files
from melanet.over_sampling._generation import ClassGenerator
from melanet.over_sampling._judge import Judge


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def tree(folder):
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def colour(path):
    pixels = np.asarray(Image.open(path))
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].astype(int)


def test_images_are_translations_of_the_sources_in_the_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_MAX_CHUNK", 4)
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 14, "b": 5, "c": 3})
    models = {"b": negative(), "c": negative()}
    made = oversample_files(paths, labels, tmp_path / "out", models=models, preset="paper", seed=2)
    assert made == {"b": 9, "c": 11}
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert [row["file"] for row in manifest] == [
        f"{'b' if i < 9 else 'c'}/synthetic-{i:06d}.png" for i in range(20)
    ]
    for row in manifest:
        assert (row["source_label"], row["kind"], row["seed"]) == ("a", "translation", "2")
        found = colour(tmp_path / "out" / row["file"])
        np.testing.assert_array_equal(found, 255 - colour(row["source"]))
    for label, n in made.items():  # each source is used once before any is used again
        assert len({row["source"] for row in manifest if row["label"] == label}) == n
    assert set(tree(tmp_path / "out")) == {row["file"] for row in manifest} | {
        "manifest.csv",
        "recipe.json",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_grey_images_become_grey_files_by_networks_of_one_channel(tmp_path, monkeypatch):
    use_small_recipe(monkeypatch)
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 8, "b": 4})
    for path in paths[::2]:  # the others are grey in colour files
        with Image.open(path) as image:
            grey = image.convert("L")
        grey.save(path)
    oversample_files(paths, labels, tmp_path / "trained", size=8)
    by_model = tmp_path / "negative"
    models = {"b": negative((8, 8, 1))}
    oversample_files(paths, labels, by_model, models=models, preset="paper")
    for folder in (tmp_path / "trained", by_model):
        files = [folder / row["file"] for row in rows(folder / "manifest.csv")]
        assert [Image.open(file).mode for file in files] == ["L"] * 4
    for row in rows(by_model / "manifest.csv"):
        assert colour(by_model / row["file"]) == 255 - colour(row["source"]).min()
    # A model of three channels is given what it takes, and an image in colour decides for all.
    options = {"models": {"b": negative()}, "preset": "paper"}
    oversample_files(paths, labels, tmp_path / "three", **options)
    assert {Image.open(file).mode for file in (tmp_path / "three").rglob("*.png")} == {"RGB"}
    Image.new("RGB", (8, 8), (9, 0, 0)).save(paths[-1])
    with pytest.raises(ValueError, match=r"shape \(8, 8, 1\). Received: .* shape \(8, 8, 3\)"):
        oversample_files(paths, labels, tmp_path / "x", models=models, preset="paper")


def test_beyond_the_limit_images_are_exact_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_MAX_CHUNK", 4)
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 14, "b": 4})
    options = {"models": {"b": negative()}, "preset": "paper", "max_translations": 1.5}
    assert oversample_files(paths, labels, tmp_path / "out", **options) == {"b": 10}
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert [row["kind"] for row in manifest] == ["translation"] * 6 + ["copy"] * 4
    assert {row["weight"] for row in manifest} == {"1"}  # this preset has no judge
    for row in manifest[6:]:
        np.testing.assert_array_equal(colour(tmp_path / "out" / row["file"]), colour(row["source"]))
    settings = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert settings["max_translations"] == 1.5
    for wrong in (-1, "many", float("nan")):
        with pytest.raises(ValueError, match="max_translations must be a number"):
            oversample_files(paths, labels, tmp_path / "x", **options | {"max_translations": wrong})


def test_models_without_translations_are_refused(tmp_path):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 6, "b": 2})
    options = {"models": {"b": negative()}, "max_translations": 0}
    with pytest.raises(ValueError, match="models are of no use without translations"):
        oversample_files(paths, labels, tmp_path / "out", **options)


def test_weights_in_the_manifest_follow_the_judge(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_MAX_CHUNK", 3)
    use_small_recipe(monkeypatch)

    def certainty(self, samples, code, sources=None):  # darker is less certain
        return (samples.mean(axis=(1, 2, 3)) + 1) / 2

    monkeypatch.setattr(Judge, "certainty", certainty)
    monkeypatch.setitem(PRESETS, "default", replace(PRESETS["default"], match=False, guard=False))
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 14, "b": 4})
    oversample_files(paths, labels, tmp_path / "out", models={"b": negative()})
    manifest = rows(tmp_path / "out" / "manifest.csv")
    sure = [
        colour(tmp_path / "out" / row["file"])[0] / 255 if row["kind"] == "translation" else 1
        for row in manifest
    ]
    assert len(set(sure)) >= 5
    expected = np.array(sure) / np.mean(sure)
    np.testing.assert_allclose([float(row["weight"]) for row in manifest], expected, rtol=1e-5)


def test_behind_a_shut_gate_files_are_exact_copies(tmp_path):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 14, "b": 4})
    with pytest.warns(UserWarning, match="Class 'b': no GAN is trained, .* 10 synth.* exact cop"):
        oversample_files(paths, labels, tmp_path / "out", gate="auto", size=8, features=None)
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert {(row["kind"], row["source_label"]) for row in manifest} == {("copy", "b")}
    for row in manifest:
        np.testing.assert_array_equal(colour(tmp_path / "out" / row["file"]), colour(row["source"]))
    settings = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert settings["gate"]["b"].startswith("shut: 100% of the majority's images")
    options = {"gate": "auto", "models": {"b": negative()}}
    with pytest.raises(ValueError, match="gate can only be used in a training"):
        oversample_files(paths, labels, tmp_path / "other", **options)
    with pytest.raises(ValueError, match="gate must be 'auto' or False. Received: gate=True"):
        oversample_files(paths, labels, tmp_path / "other", gate=True)


def test_a_table_may_name_files_in_any_folder(tmp_path):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 4, "b": 2})
    elsewhere = tmp_path / "elsewhere.png"
    Path(paths[0]).rename(elsewhere)
    gan = tmp_path / "gan.keras"
    negative().generator_ab.save(gan)
    names = [str(elsewhere)] + [str(Path(path).relative_to(tmp_path)) for path in paths[1:]]
    table = tmp_path / "table.csv"
    lines = [f"{i},{name},{label}" for i, (name, label) in enumerate(zip(names, labels))]
    table.write_text("\n".join(["age,path,label", *lines]) + "\n")
    options = {"models": [f"b={gan}"], "preset": "paper", "sampling_strategy": {"b": 6}}
    assert oversample_folder(table, tmp_path / "out", **options) == {"b": 4}
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert {row["source"] for row in manifest} == {"elsewhere.png", *names[1:4]}
    assert {row["model"] for row in manifest} == {str(gan)}
    for text, part in (
        ("path,label\na.png,\n", "in every row"),
        ("file,label\na.png,b\n", "the columns path and label"),
        ("path,label\na.png,b\na.png,c\n", "every file once"),
        ("path,label\n\udcff", "UTF-8"),
    ):
        table.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(ValueError, match=part):
            oversample_folder(table, tmp_path / "other", **options)


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[3])
from melanet.cli._oversample import oversample_folder
from melanet.over_sampling import _files
_files._MAX_CHUNK = 3
write = _files.write_images
def slowly(images, paths):
    write(images, paths)
    time.sleep(0.2)
_files.write_images = slowly
oversample_folder(sys.argv[1], sys.argv[2], models=[sys.argv[4]], preset="paper")
"""


def test_a_killed_run_resumes_and_repeats_nothing(tmp_path, monkeypatch):
    write_colours(tmp_path / "in", {"a": 50, "b": 2})
    gan = tmp_path / "gan.keras"
    negative().generator_ab.save(gan)
    root = str(Path(melanet.__file__).parents[1])
    words = [sys.executable, "-c", CHILD, tmp_path / "in", tmp_path / "out", root, gan]
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    journal = tmp_path / ".partial-out" / "journal.jsonl"
    while child.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert not (tmp_path / "out").exists()
    done = json.loads(journal.read_text().splitlines()[-1])["stop"]
    assert 12 <= done < 48
    with journal.open("a") as file:
        file.write('{"label": "b", "sto')  # as if killed while writing a line

    monkeypatch.setattr(_files, "_MAX_CHUNK", 3)
    starts = []
    generate = ClassGenerator.generate

    def recording(self, places, sources, n_copies):
        starts.append(places[0])
        return generate(self, places, sources, n_copies)

    monkeypatch.setattr(ClassGenerator, "generate", recording)
    options = {"models": [str(gan)], "preset": "paper"}
    assert oversample_folder(tmp_path / "in", tmp_path / "out", **options) == {"b": 48}
    assert starts == list(range(done, 48, 3))
    oversample_folder(tmp_path / "in", tmp_path / "whole", **options)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert not (tmp_path / ".partial-out").exists()


class QuickJudge(Judge):
    def __init__(self, *, steps=5, **options):
        super().__init__(steps=steps, **options)


def use_small_recipe(monkeypatch):
    monkeypatch.setattr(_judge, "Judge", QuickJudge)
    small = {"generator": "unet", "filters": 2, "discriminator_filters": 2}
    small |= {"steps": 4, "batch_size": 2}
    monkeypatch.setitem(PRESETS, "default", replace(PRESETS["default"], **small))


def test_an_interrupted_training_resumes(tmp_path, monkeypatch):
    use_small_recipe(monkeypatch)
    X, y = make_lesions(12, image_size=8, weights=(0.7, 0.3), random_state=0)
    for i, (image, label) in enumerate(zip(X, y)):
        path = tmp_path / "in" / "ab"[label] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    paths = sorted(map(str, (tmp_path / "in").rglob("*.png")))
    labels = np.array([Path(path).parent.name for path in paths])

    class Interruption(Exception):
        pass

    steps, last = [], 3
    on_train_batch_end = StopOnNonFinite.on_train_batch_end

    def interrupting(self, batch, logs=None):
        on_train_batch_end(self, batch, logs)
        steps.append(batch)
        if len(steps) == last:
            raise Interruption

    monkeypatch.setattr(StopOnNonFinite, "on_train_batch_end", interrupting)
    options = {"size": 8, "checkpoint_seconds": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a training that is too short
        with pytest.raises(Interruption):
            oversample_files(paths, labels, tmp_path / "out", **options)
        oversample_files(paths, labels, tmp_path / "out", **options)
        assert len(steps) == 4 + 1  # four epochs of one step, one of them repeated
        last = None
        oversample_files(paths, labels, tmp_path / "whole", **options)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert {row["label"] for row in rows(tmp_path / "out" / "manifest.csv")} == {"b"}


def test_unchanged_translations_are_replaced_by_copies(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "default", replace(PRESETS["default"], reject=False))
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 12, "b": 4})
    gan = negative()
    gan.generator_ab.layers[-1].scale = 1.0  # the identity
    with pytest.warns(UserWarning, match="100% of the translations hardly differ"):
        oversample_files(paths, labels, tmp_path / "out", models={"b": gan})
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert {(row["kind"], row["source_label"], row["model"]) for row in manifest} == {
        ("copy", "b", "")
    }


def test_rejected_input_leaves_no_files(tmp_path):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 6, "b": 2})
    Path(paths[1]).write_bytes(b"not an image")
    Path(paths[4]).write_bytes(Path(paths[4]).read_bytes()[:50])
    options = {"models": {"b": negative()}, "preset": "paper"}
    with pytest.raises(ValueError, match=r"2 of 8 images cannot be read: .*001.*004"):
        oversample_files(paths, labels, tmp_path / "out", **options)
    with pytest.raises(ValueError, match="names that a folder can have"):
        oversample_files(paths, ["../x"] * 4 + ["b"] * 4, tmp_path / "out", **options)
    with pytest.raises(ValueError, match="asks for no further image"):
        oversample_files(paths, list("aaaabbbb"), tmp_path / "out", **options)
    with pytest.raises(ValueError, match="must be a new or an empty folder"):
        oversample_files(paths, labels, tmp_path / "in", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
