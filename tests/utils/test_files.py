import csv
import json

import pytest

from melanet.utils._files import atomic_path, write_csv, write_json


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
