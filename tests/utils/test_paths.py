import os

import pytest

from melanet.utils._paths import check_distinct_files, file_key


def test_paths_are_compared_by_the_file_that_they_lead_to(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    file, other = tmp_path / "a" / "x", tmp_path / "a" / "y"
    file.write_text("same"), other.write_text("same")
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "folder").symlink_to(tmp_path / "a")
    os.link(file, tmp_path / "hard")
    monkeypatch.chdir(tmp_path / "a")
    spellings = ["x", "./x", "b/../x", str(file), file, "../link", "../folder/x", "../hard"]
    assert len({file_key(path) for path in spellings}) == 1
    assert file_key(other) != file_key(file)
    missing = tmp_path / "none"
    assert file_key(missing) == file_key("b/../../none") != file_key(tmp_path / "None")


def test_files_that_are_named_twice_are_listed(tmp_path):
    (tmp_path / "a").touch(), (tmp_path / "b").symlink_to(tmp_path / "a")
    paths = [tmp_path / "a", tmp_path / "c", tmp_path / "b"]
    check_distinct_files("paths", paths[:2])
    with pytest.raises(ValueError, match=r"paths must.*row 0 \(.*a\) and row 2 \(.*b\) are the sa"):
        check_distinct_files("paths", paths)
    with pytest.raises(ValueError, match="Received: x and z are"):
        check_distinct_files("paths", paths, "xyz")
