import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

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


MODULES = [
    module.name
    for module in pkgutil.walk_packages(melanet.__path__, "melanet.")
    if ">>>" in Path(module.module_finder.find_spec(module.name).origin).read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
