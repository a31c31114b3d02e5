"""`melanet.serving.serve` in a process of its own, and its errors."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import requests
from PIL import Image
from urllib3.util import Retry

pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
pytest.importorskip("uvicorn", reason='needs uvicorn: pip install "melanet[app]"')

from melanet.serving import serve


@pytest.fixture(scope="module")
def saved(tmp_path_factory, model, translator):
    folder = tmp_path_factory.mktemp("models")
    model.save(folder / "classifier.melanet")
    translator.save(folder / "translator.keras")
    return folder / "classifier.melanet", folder / "translator.keras"


def test_models_are_served_until_interrupted(saved, model, pictures, tmp_path):
    code = "from melanet.serving import serve; import sys; serve(*sys.argv[1:], port=0)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, saved)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        line = process.stdout.readline()
        assert "Not for diagnosis" in line
        url = line.split()[0]
        # Connections are refused until the networks are compiled.
        session = requests.Session()
        retries = Retry(total=10, connect=10, backoff_factor=0.2)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
        health = session.get(f"{url}/health", timeout=60)
        assert health.json()["translator"] is True
        Image.fromarray(pictures[0]).save(tmp_path / "a.png")
        with (tmp_path / "a.png").open("rb") as file:
            answer = requests.post(f"{url}/api/predict", files={"image": file}, timeout=60)
        probability = answer.json()["predictions"][1]["probability"]
        expected = model.predict_proba(pictures[:1])[0, 1]
        assert probability == pytest.approx(expected, abs=1e-5)
        rebound = requests.get(f"{url}/health", headers={"Host": "evil.example"}, timeout=10)
        assert rebound.status_code == 400
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def test_a_taken_port_raises_before_a_model_is_read():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on host='127.0.0.1' and port={port}"):
            serve("isic2016", port=port)
    with pytest.raises(OSError, match="cannot listen"):
        serve("isic2016", port=99999)
    with pytest.raises(OSError, match="cannot listen"):
        serve("isic2016", host="256.1.1.1", port=0)


def test_other_files_are_rejected_by_the_safe_readers(saved, tmp_path):
    model, _ = saved
    with pytest.raises(FileNotFoundError, match=r"none\.melanet"):
        serve(tmp_path / "none.melanet", port=0)
    pickled = tmp_path / "evil.melanet"
    pickled.write_bytes(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93.")
    with pytest.raises(ValueError, match=r"MelaNet\.save wrote"):
        serve(pickled, port=0)
    with pytest.raises(ValueError, match="labels must name the 2 classes"):
        serve(model, labels=["a"], port=0)
    with pytest.raises(FileNotFoundError):
        serve(model, tmp_path / "none.keras", port=0)
