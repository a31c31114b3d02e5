import os

import numpy as np
import pytest
from negatives import write_colours

from melanet.over_sampling import load_synthetic
from melanet.over_sampling._manifest import MANIFEST, manifest_rows, read_manifest
from melanet.utils._files import Journal, write_csv


@pytest.fixture
def made(tmp_path):
    """Return a folder of three images of class "b", made of two images of class "a"."""
    write_colours(tmp_path / "src", {"a": 2, "b": 1})
    write_colours(tmp_path / "made", {"b": 3})
    rows = [
        {
            "file": f"b/{i:03}.png",
            "label": "b",
            "source": f"a/{source:03}.png",
            "source_file": f"../src/a/{source:03}.png",
            "weight": weight,
        }
        for i, (source, weight) in enumerate([(0, 0.5), (1, 1), (0, 1.5)])
    ]
    write_csv(tmp_path / "made" / MANIFEST, rows)
    return tmp_path / "made"


def rewrite(folder, **cells):
    """Change cells of the manifest's second row; None removes a column."""
    rows = [dict(row) for row in _rows(folder)]
    for name, value in cells.items():
        if value is None:
            for row in rows:
                del row[name]
        else:
            rows[1][name] = value
    write_csv(folder / MANIFEST, rows)


def _rows(folder):
    header, *lines = (folder / MANIFEST).read_text().splitlines()
    return [dict(zip(header.split(","), line.split(","))) for line in lines]


def test_rows_tell_the_origin_and_weights_have_a_mean_of_one(tmp_path):
    journal = Journal(tmp_path / "journal")
    for label, sources, kinds, certainty in (
        ("b", [0, 1], ["translation"] * 2, [0.2, 0.4]),
        ("c", [1], ["copy"], [1.0]),
        ("b", [3], ["copy"], [1.0]),
    ):
        files = [f"{label}/{i}.png" for i in sources]
        line = {"label": label, "files": files, "sources": sources, "kinds": kinds}
        journal.add({**line, "certainty": certainty})
    y, groups = np.array(["a", "a", "c", "b"]), np.array(["g", "g", "h", "i"])
    names, files = ["w", "x", "y", "z"], ["../w", "../x", "../y", "../z"]
    rows = list(manifest_rows(journal, names, files, y, groups, {"b": "b.keras"}, seed=4))
    assert [row["source"] for row in rows] == ["w", "x", "x", "z"]
    assert [row["source_file"] for row in rows] == ["../w", "../x", "../x", "../z"]
    assert [row["source_label"] for row in rows] == ["a", "a", "a", "b"]
    assert [row["group"] for row in rows] == ["g", "g", "g", "i"]
    assert [row["model"] for row in rows] == ["b.keras", "b.keras", "", ""]
    # Of class b .2, .4 and 1, divided by their mean of 1.6 / 3; of class c 1.
    weights = [float(row["weight"]) for row in rows]
    assert weights == pytest.approx([0.375, 0.75, 1, 1.875])
    assert {row["seed"] for row in rows} == {4}


def test_a_manifest_is_read_with_weights_and_keys_of_the_sources(made):
    first, second, third = read_manifest(made)
    assert [row.weight for row in (first, second, third)] == [0.5, 1, 1.5]
    assert first.source_keys == third.source_keys != second.source_keys
    assert os.path.samefile(first.root, made.parent / "src")
    rewrite(made, weight=None)
    assert [row.weight for row in read_manifest(made)] == [1, 1, 1]
    (made.parent / "src").rename(made.parent / "moved")
    assert read_manifest(made)[0].source_keys == frozenset()
    assert read_manifest(made, made.parent / "moved")[0].source_keys


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"source_file": None}, "must have the columns file, label, source, source_file"),
        ({"file": "b/./000.png"}, "line 2 .* line 3 .* are the same file"),
        ({"weight": "-1"}, "weight must be a finite number of 0 or more. Received: '-1', .*line 3"),
        ({"weight": "nan"}, "Received: 'nan'"),
        ({"weight": ""}, "Received: ''"),
    ],
)
def test_an_incomplete_manifest_is_refused(made, cells, message):
    rewrite(made, **cells)
    with pytest.raises(ValueError, match=message):
        read_manifest(made)


def test_images_are_loaded_without_those_of_excluded_sources(made):
    X, y, sources = load_synthetic(made, 4)
    assert X.shape == (3, 4, 4, 3)
    assert X[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert y.tolist() == ["b"] * 3
    assert sources.tolist() == ["a/000.png", "a/001.png", "a/000.png"]
    for excluded in ("a/000.png", made.parent / "src" / "a" / "000.png"):
        X, _, sources = load_synthetic(made, 4, exclude_sources=[excluded])
        assert X[:, 0, 0, 0].tolist() == [1]
        assert sources.tolist() == ["a/001.png"]
    with pytest.raises(ValueError, match=r"Received: 'a/9\.png', and the manifest has names such"):
        load_synthetic(made, 4, exclude_sources=["a/9.png"])
    held = made.parent / "src" / "b" / "000.png"
    (made.parent / "src" / "a").rename(made.parent / "elsewhere")
    with pytest.raises(ValueError, match="source_folder must be the folder of the sources"):
        load_synthetic(made, 4, exclude_sources=[held])


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"which holds no {MANIFEST}"):
        load_synthetic(tmp_path, 4)
