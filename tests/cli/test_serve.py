import argparse
import os
import signal
import socket
import subprocess
import sys

import pytest
import requests
from PIL import Image

pytest.importorskip("fastapi", reason='needs fastapi: pip install "melanet[app]"')
pytest.importorskip("uvicorn", reason='needs uvicorn: pip install "melanet[app]"')

from melanet.classifier._melanet import load_classifier
from melanet.cli._serve import SERVE, serve
from melanet.cli._toys import train_toys


def parsed(*argv):
    name, _, _, add_arguments, run = SERVE
    parser = argparse.ArgumentParser(prog=f"melanet {name}")
    add_arguments(parser.add_argument)
    return run, parser.parse_args([str(word) for word in argv])


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    return train_toys(tmp_path_factory.mktemp("toys") / "new", size=16, epochs=1, steps=1)


def test_what_the_demo_leaves_behind_is_served_until_interrupted(toys, pictures, tmp_path):
    model, translator = toys
    code = "from melanet.cli._serve import serve; import sys; serve(*sys.argv[1:], port=0)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(model), str(translator)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        line = process.stdout.readline()
        assert "Not for diagnosis" in line
        url = line.split()[0]
        Image.fromarray(pictures[0]).save(tmp_path / "a.png")
        with (tmp_path / "a.png").open("rb") as file:
            # The socket listens once the networks are compiled; until then it refuses.
            session = requests.Session()
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=_patient()))
            health = session.get(f"{url}/health", timeout=60)
            answer = requests.post(f"{url}/api/predict", files={"image": file}, timeout=60)
        assert health.json()["translator"] is True
        probability = answer.json()["predictions"][1]["probability"]
        expected = load_classifier(model).predict_proba(pictures[:1])[0, 1]
        assert probability == pytest.approx(expected, abs=1e-5)
        rebound = requests.get(f"{url}/health", headers={"Host": "evil.example"}, timeout=10)
        assert rebound.status_code == 400
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def _patient():
    from urllib3.util import Retry

    return Retry(total=10, connect=10, backoff_factor=0.2)


def test_without_a_model_it_names_the_command_that_makes_one():
    run, arguments = parsed()
    with pytest.raises(ValueError, match=r"`melanet demo` leaves a small one behind"):
        run(arguments)


def test_a_taken_port_is_said_before_a_model_is_read():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen at --host 127.0.0.1 --port {port}"):
            serve("isic2016", port=port)
    with pytest.raises(OSError, match="cannot listen"):
        serve("isic2016", port=99999)
    with pytest.raises(OSError, match="cannot listen"):
        serve("isic2016", host="256.1.1.1", port=0)


def test_what_is_no_model_is_refused_by_the_safe_readers(toys, tmp_path):
    model, _ = toys
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        serve(tmp_path / "none.melanet", port=0)
    pickled = tmp_path / "evil.melanet"
    pickled.write_bytes(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93.")
    with pytest.raises(ValueError, match=r"save wrote"):
        serve(pickled, port=0)
    with pytest.raises(ValueError, match="labels must name the 2 classes"):
        serve(model, labels=["a"], port=0)
    with pytest.raises(FileNotFoundError):
        serve(model, tmp_path / "none.keras", port=0)


def test_without_the_extra_it_is_named(toys):
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from melanet.cli._serve import SERVE\n"
        "from types import SimpleNamespace\n"
        "SERVE[4](SimpleNamespace(model='x', translator=None, host='127.0.0.1', port=0,"
        " labels=None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode
    assert 'melanet.serving needs fastapi, which is not installed: pip install "melanet[app]"' in (
        done.stderr
    )


def test_nothing_heavy_is_imported_to_know_the_command():
    code = "import melanet.cli._serve, melanet.serving, sys; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
