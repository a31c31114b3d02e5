import csv
import json

import pytest

from melanet.utils._files import (
    ResumableFolder,
    atomic_path,
    check_new_folder,
    check_writable,
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


def test_a_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "far" / "a.txt")
    with atomic_path(tmp_path / "link") as partial:
        partial.write_text("all")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "a.txt").read_text() == "all"


def test_a_finished_file_that_cannot_be_renamed_is_kept_and_named(tmp_path):
    path = tmp_path / "a.txt"

    def write():
        with atomic_path(path) as partial:
            partial.write_text("all")
            (path / "in the way").mkdir(parents=True)

    with pytest.raises(OSError, match=r"a\.txt cannot be written.*finished file is") as caught:
        write()
    partial = tmp_path / ".partial-a.txt"
    assert str(partial) in str(caught.value)
    assert partial.read_text() == "all"


def test_check_writable_tries_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("kept")
    check_writable(tmp_path / "file", tmp_path / "new" / "er" / "a.txt")
    for path, error, message in (
        (tmp_path, ValueError, "which is a folder"),
        ("", ValueError, "which is a folder"),
        ("/dev/null", ValueError, "which is a device"),
        (tmp_path / "file" / "a", OSError, "cannot be written"),
        (tmp_path / ("x" * 250), OSError, "too long"),
    ):
        with pytest.raises(error, match=message):
            check_writable(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_check_new_folder_leaves_the_destination_as_it_is(tmp_path):
    check_new_folder(tmp_path / "new" / "out", tmp_path / "new" / ".partial-out")
    (tmp_path / "out").mkdir(mode=0o700)
    check_new_folder(tmp_path / "out", tmp_path / ".partial-out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    (tmp_path / "out" / "a").mkdir()
    with pytest.raises(OSError, match="not empty"):
        check_new_folder(tmp_path / "out", tmp_path / ".partial-out")
