import csv
import json

import pytest

from melanet.utils._files import (
    ResumableFolder,
    atomic_path,
    read_json,
    write_csv,
    write_json,
)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as partial:
        partial.write_text("all")
        assert not path.exists()
        assert partial.suffix == path.suffix
    assert path.read_text() == "all"
    with pytest.raises(ValueError, match="not in fieldnames"):
        write_csv(path, [{"a": 1}, {"b": 2}])
    assert path.read_text() == "all"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_rows_and_json(tmp_path):
    rows = [{"a": 1, "b": "ä, b"}, {"a": 2, "b": ""}]
    write_csv(tmp_path / "rows.csv", iter(rows))
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{k: str(v) for k, v in row.items()} for row in rows]
    write_json(tmp_path / "value.json", {"a": [1, None]})
    assert json.loads((tmp_path / "value.json").read_text()) == {"a": [1, None]}


def test_equal_settings_keep_the_folder(tmp_path):
    folder = ResumableFolder(tmp_path / "work", {"size": (8, 8), "seed": None})
    assert not folder.matches()
    assert not folder.claim()
    (folder.path / "part.npz").write_text("done")
    (folder.path / ".partial-part-2.npz").write_text("half of it")
    again = ResumableFolder(folder.path, {"size": [8, 8], "seed": None})
    assert again.matches()
    assert again.claim()
    assert sorted(path.name for path in folder.path.iterdir()) == ["part.npz", "settings.json"]
    again.remove()
    assert not folder.path.exists()


def test_other_settings_empty_the_folder(tmp_path):
    ResumableFolder(tmp_path, None, ["*.npz"]).claim()
    (tmp_path / "part.npz").write_text("done")
    assert not ResumableFolder(tmp_path, {"seed": 1}, ["*.npz"]).claim()
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_a_folder_without_settings_does_not_match_null(tmp_path):
    assert not ResumableFolder(tmp_path, None).matches()


def test_foreign_files_are_not_deleted(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"holds other files \(thesis.txt\)"):
        ResumableFolder(tmp_path, None, ["*.npz"]).claim()
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("text", [None, "{", "\udcff"])
def test_read_json_returns_the_default_for_missing_and_invalid_files(tmp_path, text):
    path = tmp_path / "value.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_json(path, default={}) == {}
