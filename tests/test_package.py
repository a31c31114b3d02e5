import doctest
import importlib
import subprocess
import sys

import pytest

import melanet

HEAVY = ("tensorflow", "keras", "torch", "jax")


@pytest.mark.parametrize(
    "code", ["import melanet", "from melanet.cli import build_parser; build_parser().format_help()"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    check = f"{code}; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there_and_others_are_not():
    for name in melanet.__all__:
        assert getattr(melanet, name) is not None
    assert set(melanet.__all__) <= set(dir(melanet))
    with pytest.raises(AttributeError, match="no attribute 'SMOTE'"):
        melanet.SMOTE  # noqa: B018


MODULES = (
    "augmentation",
    "callbacks",
    "cyclegan",
    "datasets.lesions",
    "judging",
    "layers",
    "networks",
    "over_sampling",
    "preprocessing",
    "reproducibility",
    "unpaired",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(f"melanet.{name}")
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
