"""Checks of melanet, each in an environment of its own.

``nox --list`` shows the sessions; ``nox -s lint types tests`` runs some. Words after ``--`` go to
pytest: ``nox -s tests -- tests/metrics``.
"""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests"]
# TensorFlow's start-up notes and progress are no output of a check.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
# Folders and files whose tests train little: the half of the suite that the floors are tested with.
QUICK = [
    "tests/test_layers.py",
    "tests/test_losses.py",
    "tests/test_plotting.py",
    "tests/test_saved_files.py",
    "tests/datasets",
    "tests/gan/test_losses.py",
    "tests/gan/test_networks.py",
    "tests/gan/test_unpaired_dataset.py",
    "tests/images",
    "tests/metrics",
    "tests/over_sampling/test_balanced_batches.py",
    "tests/over_sampling/test_generation.py",
    "tests/over_sampling/test_guard.py",
    "tests/over_sampling/test_judge.py",
    "tests/over_sampling/test_matching.py",
    "tests/over_sampling/test_presets.py",
    "tests/over_sampling/test_tables.py",
    "tests/preprocessing",
    "tests/serving",
    "tests/utils",
    "tests/weights",
]


def group(name):
    """Return the requirements of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)


@nox.session
def lint(session):
    """Run the linter, the formatter's check and the spell checker."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session
def types(session):
    """Check types: those of the package, and those that its users see."""
    session.install(".[app,plot]", *group("types"))
    session.run("mypy", *session.posargs)
    session.run("pytest", "-o", "addopts=--import-mode=importlib", "tests/test_typing.py")


@nox.session
def tests(session):
    """Run the tests, and print how much of the package they cover."""
    session.install(".[test]", "pytest-cov")
    session.run("pytest", "--cov", "--cov-report=term:skip-covered", *session.posargs, env=QUIET)


@nox.session(python=["3.11", "3.12", "3.13"])
def floors(session):
    """Run the quick half of the tests with the oldest versions that are supported."""
    constraints = f"constraints/floors-{session.python}.txt"
    session.install(".[test]", "-c", constraints)
    session.run("pytest", *(session.posargs or QUICK), env=QUIET)
    session.run("python", "tests/lanes/backend_lane.py", env=QUIET)


def _install_without_tensorflow(session, *backend):
    project = nox.project.load_toml("pyproject.toml")["project"]
    needed = [line for line in project["dependencies"] if not line.startswith("tensorflow")]
    session.install(*backend, *needed)
    session.install("--no-deps", ".")


@nox.session
def torch(session):
    """Run a fit and a round trip on torch, without TensorFlow."""
    _install_without_tensorflow(session, "torch==2.13.0")
    session.run("python", "tests/lanes/backend_lane.py", env={"KERAS_BACKEND": "torch"})
    session.run("python", "tests/lanes/torch_loader_lane.py", env={"KERAS_BACKEND": "torch"})


@nox.session
def jax(session):
    """Run a fit and a round trip on JAX, without TensorFlow; then train on two devices."""
    _install_without_tensorflow(session, "jax")
    backend = {"KERAS_BACKEND": "jax"}
    session.run("python", "tests/lanes/backend_lane.py", env=backend)
    session.run("python", "tests/lanes/devices_lane.py", env=backend)
    session.run("python", "tests/lanes/devices_lane.py", "--processes", env=backend)


def _build_pages(session):
    words = ["-W", "--keep-going", "-q", "-b", "html", "docs", "docs/_build/html"]
    session.run("sphinx-build", *words, env=QUIET)


@nox.session
def docs(session):
    """Build the documentation with its gallery; a warning is an error."""
    session.install(".[docs]")
    shutil.rmtree("docs/generated", ignore_errors=True)  # pages of names that have gone
    _build_pages(session)


@nox.session
def slow(session):
    """Run what takes long: the pages in a browser, slow snippets and tests, the example apps."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.error("needs a browser: apt-get install chromium")
    session.install(".[test,docs]", "playwright", "streamlit", "gradio")
    # In a folder of its own, so that no page of an earlier build stays.
    source = Path(session.create_tmp()) / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    built = shutil.ignore_patterns("_build", "generated", "gallery")
    shutil.copytree("docs", source / "docs", ignore=built)
    for name in ("examples", "tests"):
        shutil.copytree(name, source / name)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(name, source)
    if (shared := Path("..", "shared").resolve()).is_dir():
        (source.parent / "shared").unlink(missing_ok=True)
        (source.parent / "shared").symlink_to(shared)
    session.chdir(source)
    _build_pages(session)
    pytest = ["pytest", "-n", "0", "-rs", "-m"]
    pages = ["tests/pages", "tests/test_documentation.py", "tests/serving/test_page.py"]
    site = {**QUIET, "MELANET_SITE": "docs/_build/html"}
    session.run(*pytest, "slow or not slow", *pages, "tests/apps", env=site)
    other = ["tests", "--ignore=tests/test_documentation.py"]
    session.run(*pytest, "slow", *other, env=QUIET)
