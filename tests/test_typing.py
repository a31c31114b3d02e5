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


# Mistakes, and the code of the error that names each.
MISTAKES = [
    ("steps=2", 'steps="two"', "arg-type"),
    ('"sampler.melanet"', "5", "arg-type"),
    ("epochs=1", "epoch=1", "call-arg"),
    ('to="B"', "to=2", "arg-type"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return mypy's strict errors of the script, and of one script for each mistake."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "right.py").write_text(USER)
    for i, (old, new, _) in enumerate(MISTAKES):
        assert old in USER
        (folder / f"wrong{i}.py").write_text(USER.replace(old, new))
    words = ["--strict", "--follow-imports=silent", "--cache-dir", folder / "cache"]
    environment = {k: v for k, v in os.environ.items() if k != "MYPYPATH"}
    parent = Path(melanet.__file__).parents[1]
    if parent.name != "site-packages":  # mypy finds installed packages itself
        environment["MYPYPATH"] = str(parent)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, words), *sorted(p.name for p in folder.iterdir())],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    errors = {path.name: [] for path in folder.glob("*.py")}
    for line in done.stdout.splitlines():
        if ": error: " in line:
            errors[line.partition(":")[0]].append(line)
    return errors


def test_a_users_script_is_accepted(found):
    assert found["right.py"] == []


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_mistakes_are_reported(found, number):
    (error,) = found[f"wrong{number}.py"]
    assert f"[{MISTAKES[number][2]}]" in error
