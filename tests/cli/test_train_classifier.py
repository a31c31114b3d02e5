import csv
import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from negatives import negative, write_colours
from PIL import Image

from melanet.cli import main
from melanet.cli._oversample import oversample_folder
from melanet.cli._train_classifier import read_synthetic, run
from melanet.exceptions import ScaleWarning
from melanet.utils._files import write_csv


@pytest.fixture
def work(tmp_path):
    """Return a folder with 12 benign and 4 malignant images, and a model of negatives."""
    write_colours(tmp_path / "src", {"benign": 12, "malignant": 4})
    negative().generator_ab.save(tmp_path / "g.keras")
    return tmp_path


def oversample(work, source, name):
    options = {"models": [f"malignant={work / 'g.keras'}"], "preset": "paper"}
    assert oversample_folder(source, work / name, **options) == {"malignant": 8}
    return work / name


def table(work, folder, spell):
    """Write a CSV file of the images into a folder, with paths as `spell` writes them."""
    (work / folder).mkdir(exist_ok=True)
    lines = [f"{spell(p)},{p.parent.name}" for p in sorted((work / "src").rglob("*.png"))]
    path = work / folder / "labels.csv"
    path.write_text("\n".join(["path,label", *lines]) + "\n")
    return path


def sources(work):
    """Return sources in every spelling."""
    (work / "link").symlink_to(work / "src")
    yield "folder", work / "src"
    yield "link", work / "link"
    yield "dots", work / "src" / "benign" / ".." / ".." / "src"
    yield "absolute", table(work, "t", lambda path: path)
    yield (
        "dotted",
        table(work, "t2", lambda path: f"../src/benign/../{path.relative_to(work / 'src')}"),
    )
    yield "linked", table(work, "t3", lambda path: work / "link" / path.relative_to(work / "src"))
    yield "above", table(work, ".", lambda path: path.relative_to(work))


def test_pictures_made_of_validation_pictures_are_left_out_however_they_are_named(work, capsys):
    paths = sorted((work / "src").rglob("*.png"))
    benign = [path for path in paths if path.parent.name == "benign"]
    held = [*benign[::2], paths[-1]]
    kept = [path for path in paths if path not in held]
    allowed = {255 - np.asarray(Image.open(path))[0, 0, 0] for path in kept}
    for name, source in sources(work):
        made = oversample(work, source, f"made-{name}")
        with (made / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        n_kept = sum((made / row["source_file"]).resolve() in kept for row in rows)
        arguments = Namespace(source=work / "src", synthetic=made, size=8)
        X, y, _ = read_synthetic(arguments, kept, held)
        assert 0 < n_kept < 8
        assert len(X) == n_kept, name
        assert f"{8 - n_kept} of 8 synthetic images are left out" in capsys.readouterr().out
        assert {int(image[0, 0, 0]) for image in X} <= allowed, name
        assert set(y.tolist()) == {"malignant"}


def test_the_source_folder_may_have_moved(work):
    made = oversample(work, work / "src", "made")
    (work / "src").rename(work / "elsewhere")
    paths = sorted((work / "elsewhere").rglob("*.png"))
    arguments = Namespace(source=work / "elsewhere", synthetic=made, size=8)
    X, *_ = read_synthetic(arguments, paths[6:], paths[:6])
    (work / "src").mkdir()
    assert 0 < len(X) < 8
    with pytest.raises(ValueError, match="must have been made of"):
        read_synthetic(Namespace(**{**vars(arguments), "source": work / "src"}), [], [])


def test_pictures_of_another_folder_are_refused(work):
    write_colours(work / "other", {"benign": 12, "malignant": 4})
    made = oversample(work, work / "other", "made")
    paths = sorted((work / "src").rglob("*.png"))
    for path in paths:  # names that exist in both folders are not enough
        path.rename(path.with_name(f"x{path.name}"))
    paths = sorted((work / "src").rglob("*.png"))
    with pytest.raises(ValueError, match="must have been made of"):
        read_synthetic(Namespace(source=work / "src", synthetic=made, size=8), paths, [])


def test_validation_pictures_must_not_be_training_pictures(work):
    (work / "val").mkdir()
    os.symlink(work / "src" / "benign", work / "val" / "benign")
    os.symlink(work / "src" / "malignant", work / "val" / "malignant")
    for folder in ("src", "val"):
        arguments = Namespace(
            source=str(work / "src"),
            validation=str(work / folder),
            groups=None,
            size=8,
            seed=0,
            synthetic=None,
            backbone="small",
            backbone_weights=None,
            out=str(work / "m"),
        )
        with pytest.raises(ValueError, match=r"are the same file"):
            run(arguments)
    assert not Path(work / "m").exists()


def patients(work):
    """Write a table of four patients with three benign images and one malignant image each."""
    lines = [
        f"{path},{path.parent.name},P{i % 4}"
        for label in ("benign", "malignant")
        for i, path in enumerate(sorted((work / "src" / label).rglob("*.png")))
    ]
    path = work / "patients.csv"
    path.write_text("\n".join(["path,label,patient_id", *lines]) + "\n")
    return path


def split_by(work, monkeypatch, *options):
    """Run train-classifier on the table.

    Return the values of the images trained on and validated on, and the weights by value.
    """
    seen = []

    def fit(self, X, y, sample_weight, validation_data):
        seen.extend([X, validation_data[0], sample_weight])
        raise ArithmeticError("the split is known")

    monkeypatch.setattr("melanet.MelaNet.fit", fit)
    words = ["train-classifier", str(patients(work)), "--out", str(work / "m.melanet")]
    with pytest.raises(SystemExit):
        main([*words, "--backbone", "small", "--size", "8", *options])
    values = [[int(image[0, 0, 0]) for image in X] for X in seen[:2]]
    weights = None if seen[2] is None else dict(zip(values[0], seen[2].tolist(), strict=True))
    return *map(set, values), weights


def test_whole_groups_of_a_table_are_validated_on(work, monkeypatch, capsys):
    paths = sorted((work / "src").rglob("*.png"))
    patient = {}
    for label in ("benign", "malignant"):
        for i, path in enumerate(path for path in paths if path.parent.name == label):
            patient.setdefault(int(np.asarray(Image.open(path))[0, 0, 0]), f"P{i % 4}")
    for options in ([], ["--groups", "patient_id"], ["--seed", "3"]):
        trained, validated = (
            {patient[v] for v in part} for part in split_by(work, monkeypatch, *options)[:2]
        )
        assert trained | validated == {"P0", "P1", "P2", "P3"}
        assert not trained & validated
        assert "Groups of patient_id: 3 to train on, 1 to validate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["src", "--groups", "patient_id"], "--groups names a column of a CSV file"),
        (["patients.csv", "--groups", "ward"], "must have the columns path, label, ward"),
        (
            ["patients.csv", "--groups", "patient_id", "--validation", "src"],
            "--groups names a column of a CSV file. Received: --groups patient_id for src",
        ),
    ],
)
def test_groups_that_cannot_be_used_are_refused(work, monkeypatch, capsys, words, message):
    patients(work)
    monkeypatch.chdir(work)
    with pytest.raises(SystemExit):
        main(["train-classifier", *words, "--out", "m.melanet", "--backbone", "small"])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("column", ["patient_id", "ward"])
def test_groups_are_not_trained_on_and_validated_on(work, monkeypatch, capsys, column):
    table = patients(work)
    head, *lines = table.read_text().replace("patient_id", column).splitlines()
    options = [] if column == "patient_id" else ["--groups", column]
    for share, error in ((False, "the split is known"), (True, f"Received: {column} P3 in both")):
        held = [line for line in lines if line.endswith("P3")]
        rest = [line for line in lines if line not in held]
        if share:
            rest.append(held.pop(0))
        table.write_text("\n".join([head, *rest]) + "\n")
        (work / "held.csv").write_text("\n".join([head, *held]) + "\n")
        monkeypatch.setattr("melanet.MelaNet.fit", _stop)
        words = ["train-classifier", str(table), "--validation", str(work / "held.csv"), *options]
        with pytest.raises(SystemExit):
            main([*words, "--backbone", "small", "--size", "8", "--out", str(work / "m.melanet")])
        assert error in capsys.readouterr().err


def test_a_dark_folder_of_8_bits_gets_advice_that_can_be_followed(work, monkeypatch):
    for path in (work / "src").rglob("*.png"):
        Image.fromarray(np.asarray(Image.open(path)) // 16).save(path)
    ranges = []

    def fit(self, X, y, sample_weight, validation_data):
        ranges.append(self.value_range)
        _stop(self, X, y, sample_weight, validation_data)

    monkeypatch.setattr("melanet.MelaNet.fit", fit)
    words = ["train-classifier", str(work / "src"), "--backbone", "small", "--size", "8"]
    with pytest.raises(SystemExit), pytest.warns(ScaleWarning) as warned:
        main([*words, "--out", str(work / "m.melanet")])
    texts = {str(warning.message) for warning in warned}
    assert all("nearly black: their values of 0 to 255 reach" in text for text in texts)
    assert not any("value_range" in text or "--value-range" in text for text in texts)
    assert ranges == [(0, 255)]


def _stop(self, X, y, sample_weight, validation_data):
    raise ArithmeticError("the split is known")


def test_synthetic_images_of_a_table_are_trained_on_without_those_of_held_groups(work, monkeypatch):
    made = oversample(work, patients(work), "made")
    with (made / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:  # the group is the first of the patient's images
        number = sorted((work / "src/benign").iterdir()).index((work / row["source"]).resolve())
        first = sorted((work / "src/benign").iterdir())[number % 4]
        assert row["group"] == str(first)
    trained, validated, _ = split_by(work, monkeypatch, "--synthetic", str(made))
    sources = {255 - value for value in trained} & validated
    assert not sources


def test_synthetic_images_weigh_as_the_manifest_says(work, monkeypatch, capsys):
    made = oversample(work, patients(work), "made")
    manifest = made / "manifest.csv"
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {}
    for i, row in enumerate(rows):
        row["weight"] = f"{0.5 + i / 8}"
        expected[int(np.asarray(Image.open(made / row["file"]))[0, 0, 0])] = 0.5 + i / 8
    write_csv(manifest, rows)
    trained, _, weights = split_by(work, monkeypatch, "--synthetic", str(made))
    synthetic = trained & expected.keys()
    assert 0 < len(synthetic) < len(trained)
    assert {value: weights[value] for value in synthetic} == {v: expected[v] for v in synthetic}
    assert {weights[value] for value in trained - synthetic} == {1}
    assert split_by(work, monkeypatch)[2] is None

    for row in rows:
        del row["weight"]
    write_csv(manifest, rows)
    assert set(split_by(work, monkeypatch, "--synthetic", str(made))[2].values()) == {1}
    capsys.readouterr()
    for wrong in ("", "heavy", "-1", "inf"):
        write_csv(manifest, [{**row, "weight": wrong} for row in rows])
        words = ["train-classifier", str(work / "patients.csv"), "--synthetic", str(made)]
        with pytest.raises(SystemExit):
            main([*words, "--backbone", "small", "--size", "8", "--out", str(work / "m.melanet")])
        assert f"0 or more. Received: {wrong!r}, {manifest}, line 2" in capsys.readouterr().err
