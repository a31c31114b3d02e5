import email.utils
import errno
import hashlib
import http.server
import json
import re
import shutil
import threading
import time

import loopback
import numpy as np
import pytest

from melanet.utils import _download
from melanet.utils._download import fetch_file

BODY = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(310_000)


class Server(loopback.Server):
    """A server on loopback that does what `plan` says, one entry a request, then serves well."""

    def __init__(self):
        super().__init__(Handler)
        self.url += "/file.bin"
        self.body, self.tag, self.plan, self.seen = BODY, '"one"', [], []


class Handler(loopback.Quiet, http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.seen.append(dict(self.headers))
        step = server.plan.pop(0) if server.plan else {}
        if "publish" in step:
            server.body, server.tag = step["publish"]
        body = step.get("body", server.body)
        if "wait" in step:
            time.sleep(step["wait"])
        if "status" in step:
            self.send_response(step["status"])
            if "retry_after" in step:
                self.send_header("Retry-After", step["retry_after"])
            return self.end_headers()
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if self.headers.get("If-Range", server.tag) != server.tag and "careless" not in step:
            start = 0
        if "no_range" in step:
            start = 0
        start += step.get("shift", 0)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        if "no_length" not in step:
            self.send_header("Content-Length", str(step.get("length", len(body) - start)))
        self.end_headers()
        self.wfile.write(body[start:][: step.get("cut")])
        self.wfile.flush()
        self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_download, "_PAUSE", 0.0)
    with running() as server:
        yield server


def running():
    return loopback.serving(Server())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "file.bin"


def ranges(server):
    """Return where each request started, None for the whole file."""
    found = [headers.get("Range") for headers in server.seen]
    return [None if value is None else int(value[len("bytes=") : -1]) for value in found]


def left_over(path):
    return {f.name for f in path.parent.iterdir()} - {path.name, f"{path.name}.json"}


def test_fetched_once_pinned_and_nothing_left_over(server, path):
    assert fetch_file([server.url], str(path)) == path
    assert path.read_bytes() == BODY
    pin = json.loads((path.parent / "file.bin.json").read_text())
    assert pin == {"sha256": hashlib.sha256(BODY).hexdigest(), "size": len(BODY)}
    fetch_file([server.url], path)
    assert len(server.seen) == 1
    assert left_over(path) == {".file.bin.lock"}


def test_cut_is_resumed_where_it_broke(server, path):
    server.plan = [{"cut": 200_000}, {"cut": 50_000}]
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY
    first, second, third = ranges(server)
    assert first is None
    assert 180_000 < second <= 200_000
    assert second < third <= second + 50_000
    assert server.seen[1]["If-Range"] == '"one"'


def test_cut_is_resumed_by_a_later_call(server, path, monkeypatch):
    monkeypatch.setattr(_download, "_TRIES", 1)
    server.plan = [{"cut": 200_000}]
    with pytest.raises(ConnectionError, match=r"file\.bin could not be fetched"):
        fetch_file([server.url], path)
    assert not path.exists()
    fetch_file([server.url], path)
    assert ranges(server)[1] > 100_000
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("plan", "tag", "wanted"),
    [
        ([{"cut": 200_000}, {"no_range": 1}], '"one"', BODY),
        ([{"cut": 200_000}], "", BODY),  # nothing tells versions apart: not resumed
        ([{"cut": 200_000}], 'W/"weak"', BODY),
        ([{"cut": 200_000}, {"publish": (OTHER, '"two"')}], '"one"', OTHER),
        ([{"cut": 200_000}, {"publish": (OTHER, '"two"'), "careless": 1}], '"one"', OTHER),
        ([{"cut": 200_000}, {"shift": 7}], '"one"', BODY),
        ([{"cut": 200_000}, {"shift": -7}], '"one"', BODY),
        ([{"cut": 200_000}, {"status": 416}], '"one"', BODY),
    ],
    ids=["ignores-range", "no-tag", "weak-tag", "changed", "changed-206", "late", "early", "416"],
)
def test_starts_over_where_it_cannot_resume(server, path, plan, tag, wanted):
    server.plan, server.tag = plan, tag
    fetch_file([server.url], path)
    assert path.read_bytes() == wanted


def test_what_another_address_left_is_not_resumed(server, path):
    server.plan = [{"cut": 200_000}, {"status": 404}]
    with running() as mirror:
        mirror.body, mirror.tag = OTHER, '"one"'
        fetch_file([server.url, mirror.url], path)
        assert ranges(mirror) == [None]
    assert path.read_bytes() == OTHER


def test_progress_is_not_counted_as_failure(server, path):
    server.plan = [{"cut": 70_000}] * 4
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY
    assert len(server.seen) == 5


def test_passing_failures_are_tried_again_with_longer_pauses(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(_download, "_PAUSE", 1.0)
    monkeypatch.setattr(_download.time, "sleep", pauses.append)
    server.plan = [{"status": 500}, {"status": 503}, {"status": 429}]
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY
    assert pauses == [1.0, 2.0, 4.0]


def test_pause_is_as_long_as_the_server_asks(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(_download, "_PAUSE", 1.0)
    monkeypatch.setattr(_download.time, "sleep", pauses.append)
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    asked = ["7", in_a_minute, "nonsense"]
    server.plan = [{"status": 429, "retry_after": text} for text in asked]
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY
    assert pauses[0] == 7
    assert 55 < pauses[1] <= 60
    assert pauses[2] == 4
    server.plan = [{"status": 503, "retry_after": "86400"}]
    with pytest.raises(ConnectionError, match="503 .* asks for a pause of 86400 seconds"):
        fetch_file([server.url], path.with_name("other.bin"))
    assert len(pauses) == 3


def test_published_hash_decides_between_addresses(server, path):
    digest = hashlib.sha256(BODY).hexdigest()
    with running() as mirror:
        server.body = OTHER
        fetch_file([server.url, mirror.url], path, sha256=digest)
    assert path.read_bytes() == BODY
    other = path.with_name("other.bin")
    with pytest.raises(ConnectionError, match=f"the published one is {digest}"):
        fetch_file([server.url], other, sha256=digest)
    assert left_over(other) == {".file.bin.lock", ".other.bin.lock", "file.bin", "file.bin.json"}
    other.write_bytes(OTHER)  # put there by hand
    with pytest.raises(ValueError, match=f"the published one is {digest}"):
        fetch_file([], other, sha256=digest)
    assert other.read_bytes() == OTHER


@pytest.mark.parametrize("unpacked", [0.0, 1.0])
def test_room_is_asked_for_before_bytes_come(server, path, monkeypatch, unpacked):
    usage = type(shutil.disk_usage("/"))
    need = round((1 + unpacked) * len(BODY))
    for free in (need - 1, need):
        monkeypatch.setattr(_download.shutil, "disk_usage", lambda p: usage(9, 9, free))  # noqa: B023
        if free == need:
            fetch_file([server.url], path, unpacked=unpacked)
            continue
        with pytest.raises(OSError, match=r"file\.bin does not fit") as caught:
            fetch_file([server.url], path, unpacked=unpacked)
        assert caught.value.errno == errno.ENOSPC
        assert left_over(path) == {".file.bin.lock"}
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("room", [0, 1000, 100_000, len(BODY) - 1])
def test_disk_that_fills_up(server, path, room):
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, old[1]))
    try:
        with pytest.raises(OSError, match=r"file\.bin does not fit on its disk .*MELANET_HOME"):
            fetch_file([server.url], path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert left_over(path) == {".file.bin.lock"}
    assert not path.exists()
    assert fetch_file([server.url], path).read_bytes() == BODY


def test_stall_is_timed_out(server, path, monkeypatch):
    monkeypatch.setattr(_download, "_TIMEOUT", (1, 0.1))
    server.plan = [{"wait": 0.5}]
    fetch_file([server.url], path)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("step", "requests", "reason"),
    [
        ({"status": 404}, 1, "404 Not Found"),
        ({"status": 403}, 1, "403"),
        ({"status": 500}, 4, "500"),
        ({"length": len(BODY) + 5}, 4, "IncompleteRead"),  # five bytes that never come
        ({"length": 0}, 1, "nothing"),
        ({"length": 250_000}, 1, "too short"),
        ({"body": b"<html>log in first</html>"}, 1, "too short"),
    ],
)
def test_second_address_serves_where_the_first_does_not(server, path, step, requests, reason):
    def check(file):
        if not file.stat().st_size:
            raise ValueError("nothing came")
        if file.stat().st_size < len(BODY):
            raise ValueError("too short")

    with running() as mirror:
        server.plan = [step] * 9
        assert fetch_file([server.url, mirror.url], path, check=check).read_bytes() == BODY
        assert len(mirror.seen) == 1
    assert len(server.seen) == requests
    server.plan = [step] * 9
    other = path.with_name("alone.bin")
    with pytest.raises(ConnectionError, match=reason) as caught:
        fetch_file([server.url], other, check=check, remedy="Bring it yourself")
    assert server.url in str(caught.value)
    assert str(caught.value).endswith("Bring it yourself")
    assert not other.exists()
    assert not other.with_name("alone.bin.json").exists()


def test_length_that_is_not_told(server, path):
    server.plan = [{"no_length": 1}]
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY


def test_nobody_listens(path, monkeypatch):
    monkeypatch.setattr(_download, "_PAUSE", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running() as gone:
        url = gone.url
    with pytest.raises(ConnectionError, match="ConnectionError"):
        fetch_file([url], path)
    with pytest.raises(ConnectionError, match="nonsense"):
        fetch_file(["nonsense"], path)


def test_changed_bytes_are_refused(server, path):
    fetch_file([server.url], path)
    pin = path.with_name("file.bin.json")
    path.write_bytes(BODY[:-1] + bytes([BODY[-1] ^ 1]))
    with pytest.raises(ValueError, match="not the file that was first fetched") as caught:
        fetch_file([server.url], path)
    assert str(path) in str(caught.value)
    assert "delete" in str(caught.value)
    path.unlink()
    assert fetch_file([server.url], path).read_bytes() == BODY
    # The publisher's file changes: the pin outlives the file.
    server.body, server.tag = OTHER, '"two"'
    path.unlink()
    with pytest.raises(ValueError, match=re.escape(pin.name)):
        fetch_file([server.url], path)
    assert not path.exists()
    pin.unlink()
    assert fetch_file([server.url], path).read_bytes() == OTHER


def test_file_that_was_put_there_is_taken_and_pinned(path):
    path.parent.mkdir()
    path.write_bytes(BODY)
    assert fetch_file([], path) == path
    path.write_bytes(OTHER)
    with pytest.raises(ValueError, match="first fetched"):
        fetch_file([], path)


def test_file_that_was_put_there_is_checked(path):
    def check(file):
        raise ValueError("a web page")

    path.parent.mkdir()
    path.write_bytes(BODY)
    with pytest.raises(ValueError, match=r"file\.bin.*a web page"):
        fetch_file([], path, check=check)
    assert not path.with_name("file.bin.json").exists()


def test_torn_notes_do_no_harm(server, path):
    path.parent.mkdir()
    path.with_name(".file.bin.partial").write_bytes(OTHER[:1000])
    path.with_name(".file.bin.partial.json").write_text('{"url": ')
    fetch_file([server.url], path)
    assert path.read_bytes() == BODY
    assert ranges(server) == [None]


def test_two_at_once_fetch_once(server, path):
    pytest.importorskip("fcntl")
    server.plan = [{"wait": 0.2}]
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch_file([server.url], path)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [path] * 3
    assert path.read_bytes() == BODY
    assert len(server.seen) == 1


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MELANET_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _download.cache_folder() == tmp_path / ".cache" / "melanet"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert _download.cache_folder() == tmp_path / "xdg" / "melanet"
    monkeypatch.setenv("MELANET_HOME", "~/here")
    assert _download.cache_folder() == tmp_path / "here"
