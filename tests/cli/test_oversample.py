import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import list_files, read_rows, run, run_failing, write_classes
from negatives import negative
from PIL import Image

from melanet.exceptions import ScaleWarning
from melanet.over_sampling import _files, load_synthetic


def test_oversample_writes_a_manifest_with_the_sources(work):
    made = read_rows(work / "made" / "manifest.csv")
    files = {p.relative_to(work / "made").as_posix() for p in (work / "made").rglob("*.png")}
    assert files == {row["file"] for row in made}
    assert len(made) == 18 - 6  # 24 images, a quarter malignant
    assert {(r["label"], r["source_label"], r["kind"], r["seed"]) for r in made} == {
        ("malignant", "benign", "translation", "3")
    }
    assert {row["model"] for row in made} == {str(work / "b2m.keras")}
    assert len({row["source"] for row in made}) == 12  # no source is used twice
    assert all((work / "train" / row["source"]).is_file() for row in made)
    assert {Image.open(work / "made" / file).size for file in files} == {(16, 16)}
    assert sum(1 for _ in (work / "train").rglob("*.png")) == 24


@pytest.fixture
def source(tmp_path):
    return write_classes(tmp_path / "src", 8, 0, size=16)


def oversample(source, destination, model, *options):
    run("oversample", source, destination, "--model", model, "--preset", "paper", *options)


def test_a_link_to_an_empty_folder_is_filled(source, tmp_path, untrained):
    (tmp_path / "big").mkdir(mode=0o750)
    (tmp_path / "out").symlink_to(tmp_path / "big")
    oversample(source, tmp_path / "out", untrained)
    assert (tmp_path / "out").is_symlink()
    assert len(read_rows(tmp_path / "big" / "manifest.csv")) == 4
    assert (tmp_path / "big").stat().st_mode & 0o777 == 0o750
    assert {path.name for path in tmp_path.iterdir()} == {"src", "big", "out"}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text")
def test_names_that_are_not_utf_8_keep_their_bytes(source, tmp_path, untrained):
    for path in (source / "benign").iterdir():
        path.rename(os.fsdecode(os.fsencode(path.parent) + b"/na\xefve\r" + path.name.encode()))
    oversample(source, tmp_path / "out", untrained)
    made = read_rows(tmp_path / "out" / "manifest.csv")
    assert {b"na\xefve\r" in os.fsencode(row["source"]) for row in made} == {True}
    assert all((source / row["source"]).is_file() for row in made)
    assert len(load_synthetic(tmp_path / "out", 16)[0]) == 4


def test_a_destination_that_cannot_be_replaced_is_refused_at_once(
    source, tmp_path, untrained, monkeypatch, capsys
):
    destination = tmp_path / "out"
    destination.mkdir()
    rmdir = os.rmdir

    def refuse(path, **options):
        if os.fspath(path) == str(destination):
            raise OSError(errno.EBUSY, "Device or resource busy")
        rmdir(path, **options)

    monkeypatch.setattr(os, "rmdir", refuse)
    before = list_files(tmp_path)
    words = ["oversample", source, destination, "--model", untrained]
    line = run_failing(capsys, *words)
    assert f"{str(destination)!r} cannot be written (Device or resource busy)" in line
    assert list_files(tmp_path) == before
    monkeypatch.undo()
    monkeypatch.chdir(destination)
    assert "current folder" in run_failing(capsys, "oversample", source, ".", *words[3:])
    inside = source / "made"
    assert "must lie outside" in run_failing(capsys, "oversample", source, inside, *words[3:])


def test_a_last_step_that_fails_all_the_same_is_finished_by_the_next_call(
    source, tmp_path, untrained, monkeypatch, capsys
):
    def fail(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(_files, "move_folder", fail)
    words = ["oversample", source, tmp_path / "out", "--model", untrained, "--preset", "paper"]
    line = run_failing(capsys, *words)
    assert f"The work so far is kept in {tmp_path / '.partial-out'}" in line
    monkeypatch.undo()
    monkeypatch.setattr(_files, "ClassGenerator", fail)  # nothing is made again
    oversample(source, tmp_path / "out", untrained)
    assert "Continues the work in" in capsys.readouterr().out
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4
    assert not (tmp_path / ".partial-out").exists()


def test_unfinished_work_of_other_arguments_is_named_before_it_is_removed(
    source, tmp_path, untrained
):
    (tmp_path / ".partial-out").mkdir()
    (tmp_path / ".partial-out" / "settings.json").write_text("{}")
    with pytest.warns(UserWarning, match=r"unfinished work in .*\.partial-out is of other"):
        oversample(source, tmp_path / "out", untrained)


def test_a_model_of_a_class_that_gets_no_images_is_refused(source, tmp_path, untrained, capsys):
    model = f"benign={untrained}"
    line = run_failing(capsys, "oversample", source, tmp_path / "out", "--model", model)
    assert "models of ['benign']" in line


def test_files_of_12_bits_in_16_are_translated_on_their_scale(tmp_path):
    values = np.array([100, 900, 1700, 4095, 2000], "uint16")
    for i, value in enumerate(values):
        folder = tmp_path / "in" / ("a" if i < 4 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), value)).save(folder / f"{i}.png")
    negative().generator_ab.save(tmp_path / "g.keras")
    words = ["oversample", tmp_path / "in", "--model", tmp_path / "g.keras", "--preset", "paper"]
    with pytest.warns(ScaleWarning, match="value_range=\\(0, 4095\\)") as caught:
        run(*words, tmp_path / "dark")
    assert sum(w.category is ScaleWarning for w in caught) == 1
    run(*words, tmp_path / "out", "--value-range", "0,4095")
    for row in read_rows(tmp_path / "out" / "manifest.csv"):
        value = values[int(Path(row["source"]).stem)] / 4095 * 255
        with Image.open(tmp_path / "out" / row["file"]) as image:
            # The paper's preset stretches a translation; one of a single grey level stays.
            assert image.getpixel((3, 3))[0] == pytest.approx(255 - value, abs=1)


def test_the_limit_of_translations_and_the_gate_are_passed_on(source, tmp_path, untrained, capsys):
    oversample(source, tmp_path / "out", untrained, "--max-translations", "0.5")
    kinds = [row["kind"] for row in read_rows(tmp_path / "out" / "manifest.csv")]
    assert kinds == ["translation", "copy", "copy", "copy"]  # two real images of the class
    words = ["oversample", source, tmp_path / "other", "--model", untrained]
    assert "gate can only be used in a training" in run_failing(capsys, *words, "--gate")
    assert "max_translations must be" in run_failing(capsys, *words, "--max-translations", "-1")
