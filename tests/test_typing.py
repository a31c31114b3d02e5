"""The package's annotations, as mypy shows them to a user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import melanet

pytest.importorskip("mypy", reason="needs mypy: nox -s types")

USER = """\
import numpy as np

from melanet import CycleGAN, GANOversampler, MelaNet, UnpairedImages
from melanet.metrics import screening_report

X, y = np.zeros((8, 4, 4), np.uint8), np.array([0] * 6 + [1] * 2)
sampler = GANOversampler(steps=2, copies=0.5, sampling_strategy={1: 6}, random_state=0)
sampler.save("sampler.melanet")
gan = CycleGAN.from_shape((4, 4, 1), seed=0)
made = gan.translate(np.zeros((2, 4, 4, 1)), to="B")
MelaNet(backbone="small", epochs=1).fit(X, y).predict_proba(X)
auc = screening_report(y, made.mean(axis=(1, 2, 3)))["auc"]
batches = UnpairedImages(made, made, batch_size=2, flip="horizontal")
"""


def check(code, folder):
    """Return the exit status and the output of mypy in strict mode."""
    path = folder / "user.py"
    path.write_text(code)
    words = ["--strict", "--follow-imports=silent", "--cache-dir", folder / "cache", path]
    environment = {k: v for k, v in os.environ.items() if k != "MYPYPATH"}
    parent = Path(melanet.__file__).parents[1]
    if parent.name != "site-packages":  # mypy finds installed packages itself
        environment["MYPYPATH"] = str(parent)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, words)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_users_script_is_accepted(tmp_path):
    status, text = check(USER, tmp_path)
    assert status == 0, text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("steps=2", 'steps="two"', "arg-type"),
        ('"sampler.melanet"', "5", "arg-type"),
        ("epochs=1", "epoch=1", "call-arg"),
        ('to="B"', "to=2", "arg-type"),
    ],
)
def test_mistakes_are_reported(tmp_path, old, new, expected):
    status, text = check(USER.replace(old, new), tmp_path)
    assert status == 1
    assert f"[{expected}]" in text
