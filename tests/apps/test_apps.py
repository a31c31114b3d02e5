"""Each app is started once, by the command in its docstring, and queried once."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from PIL import Image

from melanet import MelaNet
from melanet.datasets import make_lesions

APPS = Path(__file__).parents[2] / "examples" / "apps"
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    X, y = make_lesions(20, weights=(0.5, 0.5), image_size=16, random_state=0)
    path = tmp_path_factory.mktemp("model") / "classifier.melanet"
    MelaNet(backbone="small", input_size=16, epochs=1, random_state=0).fit(X, y).save(path)
    return path, X


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(command, address, folder, **environment):
    """Run a command, wait until its address responds, and stop it afterwards."""
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            env={**os.environ, **QUIET, **environment},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(900):
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    if requests.get(address, timeout=5).ok:
                        break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(20)


def test_the_gradio_app_predicts(saved, tmp_path):
    pytest.importorskip("gradio", reason="needs gradio: pip install gradio")
    from gradio_client import Client, handle_file

    path, X = saved
    Image.fromarray(X[0]).save(tmp_path / "mole.png")
    port = str(free_port())
    address = f"http://127.0.0.1:{port}/"
    command = [APPS / "gradio_app.py", path]
    with running(command, address, tmp_path, GRADIO_SERVER_PORT=port):
        page = requests.get(address, timeout=10).text
        assert "Not for diagnosis" in page
        client = Client(address, verbose=False, analytics_enabled=False)
        label, overlay = client.predict(handle_file(tmp_path / "mole.png"), api_name="/predict")
    expected = MelaNet.load(path).predict_proba(X[:1])[0]
    got = {entry["label"]: entry["confidence"] for entry in label["confidences"]}
    assert got == pytest.approx({"0": expected[0], "1": expected[1]}, abs=1e-5)
    assert Path(overlay).is_file()


def test_the_streamlit_app_predicts(saved, tmp_path, monkeypatch):
    pytest.importorskip("streamlit", reason="needs streamlit: pip install streamlit")
    from streamlit.testing.v1 import AppTest

    path, X = saved
    app = APPS / "streamlit_app.py"
    port = str(free_port())
    options = ["--server.address", "127.0.0.1", "--server.port", port, "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false"]
    command = ["-m", "streamlit", "run", app, *options, "--", path]
    with running(command, f"http://127.0.0.1:{port}/_stcore/health", tmp_path):
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=10).ok
    monkeypatch.setattr(sys, "argv", [str(app), str(path)])
    script = AppTest.from_file(str(app), default_timeout=60).run()
    assert not script.exception
    assert "Not for diagnosis" in script.warning[0].value
    Image.fromarray(X[0]).save(tmp_path / "mole.png")
    if not hasattr(script, "file_uploader"):
        pytest.skip("needs a streamlit whose AppTest uploads files; the app itself starts")
    data = (tmp_path / "mole.png").read_bytes()
    script.file_uploader[0].upload("mole.png", data, "image/png").run()
    assert not script.exception
    expected = MelaNet.load(path).predict_proba(X[:1])[0]
    shown = [element.proto.text for element in script.get("progress")]
    assert shown == [f"{label}: {p:.1%}" for label, p in enumerate(expected.tolist())]
