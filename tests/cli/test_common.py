"""Parsers of options, and the sources of images that commands take."""

import argparse
import os

import numpy as np
import pytest
from PIL import Image

from melanet.cli import _common
from melanet.exceptions import ScaleWarning


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (_common.number_pair, "0,4095", (0, 4095)),
        (_common.number_pair, "-1e3, 0.5", (-1000, 0.5)),
        (_common.finite_number, "-2.5", -2.5),
        (_common.seconds, "0.25", 0.25),
        (_common.whole_number(0), "0", 0),
        (_common.whole_number(1, 3), "3", 3),
    ],
)
def test_numbers_are_parsed(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "texts", "message"),
    [
        (
            _common.number_pair,
            ["", "1", "1,", "1,1", "2,1", "0,1,2", "a,b", "nan,1", "0,inf", "0;1"],
            "two increasing numbers such as 0,4095",
        ),
        (_common.finite_number, ["", "x", "nan", "inf", "-inf", "1e999"], "must be a number"),
        (_common.seconds, ["0", "-1"], "must be more than 0"),
        (_common.seconds, ["inf"], "must be a number"),
        (_common.whole_number(1, 3), ["0", "4", "1.0", "", "one"], "from 1 to 3"),
    ],
)
def test_other_texts_are_refused_as_received(parse, texts, message):
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError, match=message) as caught:
            parse(text)
        assert str(caught.value).endswith(f"Received: {text!r}")


def test_none_is_the_only_name_of_no_features():
    assert _common.parse_features("none") is None
    assert [_common.parse_features(text) for text in ("auto", "None", "a.h5")] == [
        "auto", "None", "a.h5",
    ]  # fmt: skip


def draw(path, level=200, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (6, 4), level if mode != "RGB" else (level,) * 3).save(path)
    return path


@pytest.fixture
def pairs(tmp_path):
    """A folder as CycleGAN code expects it."""
    for name in ("trainA", "trainB", "testA", "testB"):
        draw(tmp_path / "pairs" / name / f"{name}.png")
    return tmp_path / "pairs"


def listed(found):
    return [(os.path.basename(path), label) for path, label in zip(found.paths, found.labels)]


def test_the_part_of_a_folder_of_pairs_is_chosen(pairs):
    for subset in ("train", "test"):
        found = _common.list_source(pairs, subset)
        assert listed(found) == [(f"{subset}A.png", "A"), (f"{subset}B.png", "B")]
        assert (found.groups, found.group_columns, found.folder) == (None, {}, pairs)


def test_a_folder_of_classes_has_one_part(tmp_path):
    draw(tmp_path / "benign" / "b.png")
    draw(tmp_path / "malignant" / "m.png")
    for subset in ("train", "test"):
        found = _common.list_source(str(tmp_path), subset)
        assert listed(found) == [("b.png", "benign"), ("m.png", "malignant")]


def test_a_table_brings_groups_and_the_folder_of_its_paths(tmp_path):
    table = tmp_path / "lesions.csv"
    table.write_text("path,label,lesion_id,eye\na.png,x,L1,left\nb.png,y,L1,right\nc.png,x,,left\n")
    found = _common.list_source(table)
    assert found.folder == tmp_path
    assert listed(found) == [("a.png", "x"), ("b.png", "y"), ("c.png", "x")]
    assert found.groups[0] == found.groups[1] != found.groups[2]
    assert list(found.group_columns) == ["lesion_id"]
    by_eye = _common.list_source(table, groups="eye")
    assert by_eye.groups[0] == by_eye.groups[2] != by_eye.groups[1]
    assert by_eye.group_columns["eye"].tolist() == ["left", "right", "left"]


def test_groups_of_a_folder_are_refused(pairs):
    with pytest.raises(ValueError, match="--groups eye for .*, which is a folder$"):
        _common.list_source(pairs, groups="eye")
    with pytest.raises(ValueError, match="which is a folder or does not exist$"):
        _common.list_source(pairs / "none.csv", groups="eye")


def test_an_output_lies_outside_by_its_real_path(tmp_path, monkeypatch):
    source = tmp_path / "in"
    source.mkdir()
    (tmp_path / "link").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    for inside in (source, source / "new" / "deep", "in/x", "link/x", "in2/../in/x"):
        with pytest.raises(ValueError, match="--out must lie outside of") as caught:
            _common.check_outside("--out", inside, "link")
        assert str(caught.value).endswith(f"Received: {str(inside)!r}")
    for outside in (tmp_path, tmp_path / "in2", "in/../x", "in.csv"):
        _common.check_outside("--out", outside, source)


def test_classes_are_counted_by_name():
    labels = np.array(["b", "a", "b", "c", "b"])
    assert list(_common.count_classes(labels, "src").items()) == [("a", 1), ("b", 3), ("c", 1)]
    with pytest.raises(ValueError, match=r"src must hold images of two classes.*\['b'\]"):
        _common.count_classes(labels[[0, 2]], "src")


@pytest.mark.parametrize(("level", "warns"), [(0, False), (31, True), (32, False), (200, False)])
def test_pictures_that_are_nearly_black_are_warned_of(tmp_path, recwarn, level, warns):
    paths = np.array([str(draw(tmp_path / "a.png", 0)), str(draw(tmp_path / "b.png", level))])
    images = _common.load_pictures(paths, 5, None)
    assert images.shape == (2, 5, 5, 3)
    assert [images[0].max(), images[1].min()] == [0, level]
    told = [str(w.message) for w in recwarn if w.category is ScaleWarning]
    assert len(told) == warns
    assert all(f"reach {level}." in text for text in told)


def test_values_of_files_of_16_bits_are_scaled_by_the_range(tmp_path, recwarn):
    Image.fromarray(np.full((4, 4), 4095, "uint16")).save(tmp_path / "deep.png")
    images = _common.load_pictures(np.array([str(tmp_path / "deep.png")]), 4, (0, 8190))
    np.testing.assert_allclose(images, 127.5, atol=0.51)
    assert not [w for w in recwarn if w.category is ScaleWarning]


def test_standard_error_is_back_after_the_backend_is_loaded(capfd):
    for quiet in (True, False):
        _common.load_backend(quiet=quiet)
        os.write(2, b"heard")
        assert "heard" in capfd.readouterr().err
