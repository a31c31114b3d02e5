"""Hostile and broken requests: each gets a 4xx and a sentence, and the server goes on."""

import gzip
import io
import socket
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from PIL import Image

pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
pytest.importorskip("uvicorn", reason='needs uvicorn: pip install "melanet[app]"')

from melanet.exceptions import ScaleWarning
from melanet.serving import Limits, create_app
from melanet.serving._uploads import decode_image

LIMITS = Limits(max_bytes=2_000_000, max_files=4, max_pending=6, max_uploads=40, body_seconds=1.5)


@pytest.fixture(scope="module")
def strict(model, translator, serve):
    with serve(create_app(model, translator=translator, limits=LIMITS)) as address:
        yield address


def lesion(kind="PNG", size=(64, 64), **options):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype="uint8")
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def text_bomb():
    """A PNG whose compressed text is 256 MB long."""
    text = zlib.compress(bytes(256 << 20), 9)
    whole = lesion()
    return whole[:33] + chunk(b"zTXt", b"k\0\0" + text) + whole[33:]


def animation(kind, n):
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), (50 * i, 0, 0)) for i in range(n)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def single(kind):
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, kind)
    return file.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(/etc/passwd) run\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
BAD_IMAGES = {
    "empty": (b"", 400, "is empty"),
    "text": (b"hello", 415, "not a readable image"),
    "SVG": (SVG, 415, "not a readable image"),
    "EPS, which Pillow hands to Ghostscript": (EPS, 415, "not a readable image"),
    "HTML": (b"<!doctype html><script>1</script>", 415, "not a readable image"),
    "zip": (b"PK\x03\x04" + bytes(60), 415, "not a readable image"),
    "gzip bomb": (gzip.compress(bytes(50 << 20)), 415, "not a readable image"),
    "GIF": (single("GIF"), 415, "not a readable image"),
    "TIFF": (single("TIFF"), 415, "not a readable image"),
    "pickle": (b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93.", 415, "not a readable image"),
    "NUL bytes": (bytes(1000), 415, "not a readable image"),
    "half a PNG": (lesion()[:6000], 422, "cannot be used"),
    "half a JPEG": (lesion("JPEG")[:1500], 422, "cannot be used"),
    "half a WebP": (lesion("WEBP")[:1500], (415, 422), "image"),
    "head of a PNG": (lesion()[:40], 415, "not a readable image"),
    "PNG without pixels": (png(64, 64), 422, "cannot be used"),
    "PNG with a broken checksum": (lesion()[:45] + b"!" + lesion()[46:], 422, "cannot be used"),
    "100000 x 100000 PNG": (png(100_000, 100_000), 413, "million pixels"),
    "9000 x 9000 PNG": (png(9000, 9000), 413, "million pixels"),
    "PNG of 0 x 0": (png(0, 0), (415, 422), "image"),
    "PNG of 256 MB of text": (text_bomb(), 422, "cannot be used"),
    "animated WebP": (animation("WEBP", 5), 422, "it is animated"),
    "animated PNG": (animation("PNG", 5), 422, "it is animated"),
    "too large": (bytes(3_000_000), 413, "larger than 2 MB"),
    "much larger": (bytes(20_000_000), 413, "larger than 2 MB"),
}


def assert_rejected(answer, status, sentence):
    allowed = (status,) if isinstance(status, int) else status
    assert answer.status_code in allowed, answer.text
    body = answer.json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert sentence in body["error"]
    assert body["error"].endswith(".")
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text


def assert_works(address):
    answer = requests.post(f"{address}/api/predict", files={"image": lesion()}, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images_are_rejected_with_a_sentence(strict, name):
    data, status, sentence = BAD_IMAGES[name]
    start = time.monotonic()
    try:
        for query in ("", "?overlay=true&translation=true"):
            answer = requests.post(
                f"{strict}/api/predict{query}", files={"image": ("x.png", data)}, timeout=30
            )
            assert_rejected(answer, status, sentence)
    except requests.ConnectionError:
        # A client that sends 10 times the limit can be cut off before it listens.
        assert name == "much larger"
    assert time.monotonic() - start < 10
    assert_works(strict)


START = b'--a\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
BAD_REQUESTS = {
    "no body": ({}, 415, "as a form"),
    "JSON": ({"json": {"image": "x"}}, 415, "as a form"),
    "an image without a form": ({"data": b"\x89PNG"}, 415, "as a form"),
    "no boundary": (
        {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "boundary",
    ),
    "an endless boundary": (
        {
            "data": b"x",
            "headers": {"Content-Type": "multipart/form-data; boundary=" + "a" * 5000},
        },
        400,
        "form",
    ),
    "garbage as a form": (
        {"data": b"garbage", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
        400,
        "form",
    ),
    "an empty form": (
        {"data": b"--a--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
        400,
        "no field 'image'",
    ),
    "a part without a name": (
        {
            "data": b"--a\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "form",
    ),
    "a part with a head of 1 MB": (
        {
            "data": b"--a\r\nX-Long: " + b"y" * 1_000_000 + b"\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "form",
    ),
    "another field": ({"files": {"picture": lesion()}}, 400, "no field 'image'"),
    "text in the field": ({"files": {"image": (None, "text")}}, 400, "must be a file"),
    "two images": ({"files": [("image", lesion())] * 2}, 413, "At most 1 image "),
    "fifty images": ({"files": [("image", lesion())] * 50}, 413, "At most 1 image "),
    "a hundred fields": (
        {"files": [(f"f{i}", (None, "x")) for i in range(100)]},
        400,
        "Too many fields",
    ),
    "a field of 100 kB": ({"files": {"other": (None, "x" * 100_000)}}, 400, "maximum size"),
    "a body without a length that does not end": (
        {
            "data": (START if i == 0 else bytes(100_000) for i in range(31)),
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        413,
        "larger than 2 MB",
    ),
    "an option that is not a boolean": (
        {"files": {"image": lesion()}, "params": {"overlay": "perhaps"}},
        422,
        "'overlay' cannot be used",
    ),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests_are_rejected_with_a_sentence(strict, name):
    options, status, sentence = BAD_REQUESTS[name]
    assert_rejected(requests.post(f"{strict}/api/predict", timeout=30, **options), status, sentence)
    assert_works(strict)


def test_the_size_of_a_batch_is_limited(strict):
    path = f"{strict}/api/predict/batch"
    five = requests.post(path, files=[("images", lesion())] * 5, timeout=30)
    assert_rejected(five, 413, "At most 4 images")
    assert requests.post(path, files=[("images", lesion())] * 4, timeout=30).status_code == 200


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\0b.png", "x" * 3000, "C:\\con", "<script>.png"]
)
def test_file_names_are_not_used(strict, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = requests.post(f"{strict}/api/predict", files={"image": (name, lesion())}, timeout=30)
    assert answer.status_code in (200, 400)
    assert name not in answer.text
    assert not list(tmp_path.iterdir())
    assert_works(strict)


@pytest.mark.parametrize(
    "path",
    ["/page/", "/static/", "/../app.py", "/%2e%2e/app.py", "/style.css/../app.py", "/index.html",
     "/api/", "/melanet", "/api/examples/..", "/redoc"],
)  # fmt: skip
def test_no_other_path_is_served(strict, path):
    host, port = strict.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    status = int(answer.split()[1])
    assert 400 <= status < 500
    assert b'"error"' in answer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_rejected_with_a_sentence(strict, method):
    answer = requests.request(method, f"{strict}/api/predict", timeout=10)
    assert_rejected(answer, 405, f"does not take {method}")


def slow_client(address, body_bytes=100_000):
    """Return a connection that has sent the head of a request and a little of its body."""
    host, port = address.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=20)
    client.sendall(
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: multipart/form-data; boundary=a\r\n"
        + f"Content-Length: {body_bytes}\r\n\r\n--a\r\n".encode()
    )
    return client


def test_slow_clients_block_nobody_and_time_out(strict):
    slow = [slow_client(strict) for _ in range(20)]
    try:
        start = time.monotonic()
        assert_works(strict)
        assert time.monotonic() - start < LIMITS.body_seconds
        for client in slow:
            answer = b""
            while b"}" not in answer:
                answer += client.recv(65536) or b"}"
            assert answer.split()[1] == b"408"
            assert b"did not arrive within" in answer
    finally:
        for client in slow:
            client.close()
    assert_works(strict)


def test_too_many_arriving_requests_are_told_to_retry(strict):
    slow = [slow_client(strict) for _ in range(LIMITS.max_uploads)]
    try:
        deadline = time.monotonic() + LIMITS.body_seconds
        while True:
            answer = requests.post(f"{strict}/api/predict", files={"image": lesion()}, timeout=30)
            if answer.status_code == 429 or time.monotonic() > deadline:
                break
        assert_rejected(answer, 429, "Try again")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        for client in slow:
            client.close()
    time.sleep(LIMITS.body_seconds)
    assert_works(strict)


def test_disconnected_clients_are_forgotten(strict):
    for _ in range(30):
        slow_client(strict).close()
    time.sleep(0.2)
    assert_works(strict)
    assert requests.get(f"{strict}/health", timeout=10).json()["pending"] == 0


def test_a_full_queue_tells_clients_to_retry(strict):
    data = lesion(size=(400, 400))
    seen = []

    def ask(_):
        answer = requests.post(
            f"{strict}/api/predict?overlay=1&translation=1", files={"image": data}, timeout=60
        )
        seen.append(answer.status_code)
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) > 0
            assert "queue is full" in answer.json()["error"]

    most = 0
    with ThreadPoolExecutor(24) as pool:
        jobs = [pool.submit(ask, i) for i in range(72)]
        while not all(job.done() for job in jobs):
            most = max(most, requests.get(f"{strict}/health", timeout=30).json()["pending"])
        for job in jobs:
            job.result()
    assert set(seen) == {200, 429}
    assert 0 < most <= LIMITS.max_pending
    assert_works(strict)


def test_broken_http_ends_only_its_connection(strict):
    host, port = strict.removeprefix("http://").split(":")
    for data in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"A" * 200_000):
        with socket.create_connection((host, int(port)), timeout=10) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(1024)
            except OSError:
                answer = b""
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert_works(strict)


def test_an_upload_that_uses_few_of_its_16_bits_is_logged():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8), 4095, "uint16")).save(file, "PNG")
    with pytest.warns(ScaleWarning, match="use 12 of them.*--value-range 0,4095"):
        decode_image(file, [(8, 8)], Limits())


def test_the_range_of_grey_uploads_of_16_bits_is_given(model, serve):
    deep, shallow = io.BytesIO(), io.BytesIO()
    ramp = np.arange(64, dtype="uint16").reshape(8, 8) * 65  # 0 to 4095
    Image.fromarray(ramp).save(deep, "PNG")
    Image.fromarray((ramp / 4095 * 255).round().astype("uint8")).save(shallow, "PNG")
    app = create_app(model, value_range=(0, 4095))
    with serve(app) as address:
        answers = [
            requests.post(f"{address}/api/predict", files={"image": file.getvalue()}, timeout=60)
            for file in (deep, shallow)
        ]
        Image.fromarray(ramp + 1).save(brighter := io.BytesIO(), "PNG")
        refused = requests.post(
            f"{address}/api/predict", files={"image": brighter.getvalue()}, timeout=60
        )
    first, second = (answer.json()["predictions"] for answer in answers)
    assert first == second
    assert refused.status_code == 422
    assert "value_range=(0, 4095) must hold its values" in refused.json()["error"]
    with pytest.raises(ValueError, match="value_range"):
        create_app(model, value_range=(4095, 0))
