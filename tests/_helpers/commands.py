"""Commands called in this process, and folders for them."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from melanet.cli import main
from melanet.datasets import make_lesions


def write_classes(folder, n, seed, size=24):
    """Write toy lesions, a quarter of them malignant, to a folder of classes."""
    X, y = make_lesions(n, weights=(0.75, 0.25), image_size=size, random_state=seed)
    for i, (image, label) in enumerate(zip(X, y)):
        path = folder / ("benign", "malignant")[label] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def read_rows(path):
    with Path(path).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def run(*argv):
    """Run a command that must succeed."""
    assert main([str(word) for word in argv]) == 0


def run_failing(capsys, *argv, status=2):
    """Run a command that must fail, and return its only line on standard error."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in argv])
    assert stop.value.code == status
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1, errors
    assert errors[0].startswith("melanet: ")
    return errors[0]


def list_files(folder):
    """Return the names of everything below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*"))
