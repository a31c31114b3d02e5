"""melanet compare on folders of real image files, with features of a VGG16 of random weights."""

import json
import re

import joblib
import keras
import numpy as np
import pytest
from commands import read_rows, run, run_failing, write_classes
from PIL import Image

from melanet.cli._compare import parse_remedies
from melanet.features._networks import VGG16_FILE

REMEDIES = "nothing; nothing, tuned threshold; class weights; SMOTE of features"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("lesions"), 48, 0, size=16)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    path = tmp_path / "keras" / "models" / VGG16_FILE
    path.parent.mkdir(parents=True)
    keras.applications.VGG16(include_top=False, weights=None).save(path)
    monkeypatch.setenv("KERAS_HOME", str(path.parent.parent))


def test_a_folder_is_compared_written_and_resumed(folder, weights, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["compare", folder, "--out", out, "--size", 16, "--remedies", REMEDIES]
    command += ["--folds", 3, "--repeats", 2]
    run(*command)
    printed = capsys.readouterr().out
    rows = read_rows(out / "results.csv")
    assert [row["remedy"] for row in rows] == REMEDIES.split("; ")
    assert [row["estimator"] for row in rows] == 4 * ["frozen features"]
    assert [row["n_folds"] for row in rows] == 4 * ["6"]
    assert len(read_rows(out / "scores.csv")) == 3 * 6
    assert f"{float(rows[0]['auc']):.3f}" in printed
    assert "Not for diagnosis" in printed
    page = (out / "report.html").read_text()
    assert "<svg" in page
    assert not re.findall(r"href=|url\(|@import|<script|<link", page)
    assert re.findall(r"src='(.{5})", page) == ["data:"] * page.count("src=")
    log = out / "work" / "fits.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    assert len(lines) == 3 * 6
    # As a kill in the middle of a line leaves it.
    log.write_text("".join(lines[:10]) + lines[10][:7])
    before = (out / "scores.csv").read_text()
    run(*command)
    resumed = [{**row, "seconds": ""} for row in read_rows(out / "scores.csv")]
    assert len(before.splitlines()) == len(resumed) + 1
    (out / "before.csv").write_text(before)
    assert resumed == [{**row, "seconds": ""} for row in read_rows(out / "before.csv")]
    assert [json.loads(line) for line in log.read_text().splitlines()[:10]] == [
        json.loads(line) for line in lines[:10]
    ]
    error = run_failing(capsys, *command, "--seed", 1)
    assert "other arguments" in error
    assert "random_state was 0 and is 1" in error


def test_a_dry_run_estimates_and_writes_nothing(folder, weights, tmp_path, capsys):
    out = tmp_path / "out"
    run("compare", folder, "--out", out, "--size", 16, "--remedies", "nothing", "--dry-run")
    assert re.search(
        r"^Estimate: (under )?\d+ s in all: nothing (under )?\d+ s$", capsys.readouterr().out, re.M
    )
    assert not out.exists()


def test_grey_images_in_colour_files_are_compared_in_one_channel(folder, weights, tmp_path):
    for path in sorted(folder.rglob("*.png")):
        out = tmp_path / "grey" / path.relative_to(folder)
        out.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("L").convert("RGB").save(out)
    command = ["--out", tmp_path / "out", "--size", 16, "--remedies", "nothing", "--repeats", 1]
    run("compare", tmp_path / "grey", *command)
    settings = json.loads((tmp_path / "out" / "work" / "settings.json").read_text())
    files = sorted((tmp_path / "grey").rglob("*.png"))
    X = np.stack([np.asarray(Image.open(file).convert("L"))[..., None] for file in files])
    assert settings["X"] == joblib.hash(X)


def test_a_csv_file_splits_by_its_groups(folder, weights, tmp_path, capsys):
    files = sorted(folder.rglob("*.png"))
    table = tmp_path / "table.csv"
    lines = [f"{file},{file.parent.name},p{i // 2},q" for i, file in enumerate(files)]
    table.write_text("path,label,patient_id,site\n" + "\n".join(lines) + "\n")
    command = ["compare", table, "--size", 16, "--remedies", "nothing", "--folds", 2]
    out = tmp_path / "out"
    run(*command, "--repeats", 1, "--out", out)
    n = -(-len(files) // 2)
    assert f"Folds split by patient_id: {n} groups" in capsys.readouterr().out
    assert json.loads((out / "work" / "settings.json").read_text())["groups"] is not None
    assert "person" in run_failing(capsys, *command, "--groups", "person", "--dry-run")
    # One site holds all of each class.
    assert "site" not in run_failing(capsys, *command, "--groups", "site", "--dry-run").split()
    assert "--groups names a column" in run_failing(capsys, "compare", folder, "--groups", "a")


def test_names_and_qualities_of_remedies(folder, capsys, tmp_path):
    assert parse_remedies("all") == "all"
    found = parse_remedies("nothing; ganoversampler", "draft")
    assert found["SMOTE"] is None
    assert found["GANOversampler"] is None
    assert "nothing" not in found
    assert found["GANOversampler, quality draft"].quality == "draft"
    without = parse_remedies("all", features=None)["GANOversampler, features none"]
    assert without.features is None
    assert without.quality == "default"
    with pytest.raises(ValueError, match="--quality high is for GANOversampler"):
        parse_remedies("nothing; SMOTE", "high")
    error = run_failing(
        capsys, "compare", folder, "--remedies", "nothing; SMOT", "--size", 16, "--out", tmp_path
    )
    assert "did you mean 'SMOTE'" in error
