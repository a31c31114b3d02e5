import numpy as np
import pytest

from melanet.datasets import load_images
from melanet.utils import _memory


def test_sizes_are_written_with_three_digits():
    sizes = [0, 7, 999, 999.9, 1000, 123_456, 999_600, 10**12, 10**21]
    assert [_memory.format_bytes(n) for n in sizes] == [
        "0 bytes",
        "7 bytes",
        "999 bytes",
        "1 kB",
        "1 kB",
        "123 kB",
        "1 MB",
        "1 TB",
        "1e+06 PB",
    ]


def test_a_request_beyond_the_memory_is_refused_with_both_figures(monkeypatch):
    monkeypatch.setattr(_memory, "total_memory", lambda: 2_000_000_000)
    _memory.check_memory(2e9, "It", "Ask for less")
    with pytest.raises(ValueError, match=r"It would take 2.1 GB .* are 2 GB. Ask for less"):
        _memory.check_memory(2.1e9, "It", "Ask for less")
    monkeypatch.setattr(_memory, "total_memory", lambda: None)
    _memory.check_memory(1e30, "It", "Ask for less")


def test_the_memory_of_a_container_counts(monkeypatch, tmp_path):
    whole = _memory.total_memory()
    assert whole is None or whole > 2**28
    (tmp_path / "limit").write_text("1234\n")
    monkeypatch.setattr(_memory, "_CGROUP_LIMIT", tmp_path / "limit")
    assert whole is None or _memory.total_memory() == 1234
    (tmp_path / "limit").write_text("max\n")
    assert whole is None or _memory.total_memory() >= whole


def test_a_huge_size_of_images_is_refused_before_any_is_read():
    with pytest.raises(ValueError, match=r"2 images of size=\(100000000, 1000000\)") as e:
        load_images(["missing.png"] * 2, np.array([10**8, 10**6]))
    assert "600 TB" in str(e.value)
