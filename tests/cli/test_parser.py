import errno
import importlib.util
import os
import subprocess
import sys
import warnings

import pytest
from commands import run_failing, write_classes
from PIL import Image

from melanet import __version__
from melanet.cli import main
from melanet.utils._files import resumable


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in ("demo", "fetch", "train-gan", "oversample", "train-classifier", "evaluate"):
        assert command in printed
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


def test_help_imports_no_backend():
    code = (
        "import sys\nfrom melanet.cli import main\n"
        "try:\n    main(['oversample', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('keras', 'tensorflow', 'torch', 'jax', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_invalid_use_exits_with_status_2_and_a_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "--seeds: must be a whole number of at least 1" in run_failing(
        capsys, "demo", "--seeds", 0, "--out", tmp_path
    )


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "melanet", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"melanet {__version__}"


def test_commands_reject_bad_input_in_one_line(work, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    one_class = tmp_path / "one"
    (one_class / "benign").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(one_class / "benign" / "a.png")
    train, model = work / "train", work / "model.melanet"
    small = ("--backbone", "small", "--size", 16)
    for words, part in (
        (("train-gan", tmp_path / "none", "--out", "a.keras"), "is not a folder"),
        (("train-gan", one_class, "--out", "a.keras"), "two classes or more"),
        (("train-gan", train, "--size", 16, "--out", tmp_path / "a.h5"), "must end in .keras"),
        (("train-gan", train, "--out", tmp_path / "a.keras", "--to", "x"), "--to must be one of"),
        (("oversample", train, work / "made"), "new or an empty folder"),
        (("oversample", train, tmp_path / "m", "--model", tmp_path / "x.keras"), "x.keras"),
        (("oversample", train, tmp_path / "m", "--sampling-strategy", "a=b"), "'malignant=900"),
        (("train-classifier", tmp_path / "empty", "--out", "m", *small), "has no subfolders"),
        (
            ("train-classifier", train, "--synthetic", train, "--out", "m", *small),
            "no manifest.csv",
        ),
        (("fetch", "isic2016", "--data-home", tmp_path / "one", "--mirror", "x"), "http://"),
        (("evaluate", tmp_path / "none", work / "test"), "path of an existing file"),
        (("evaluate", model, one_class, "--positive", "x"), "positive='x'"),
    ):
        assert part in run_failing(capsys, *words), words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "one"]


def fail_with(monkeypatch, error):
    """Make a command raise an error after it has started."""

    def run(arguments):
        raise error

    monkeypatch.setattr("melanet.cli._fetch.run", run)


def test_an_interruption_says_what_remains(monkeypatch, capsys, tmp_path):
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), resumable(tmp_path):
        raise error
    fail_with(monkeypatch, error)
    line = run_failing(capsys, "fetch", "isic2016", status=130)
    assert line == (
        f"melanet: interrupted. The work so far is kept in {tmp_path}; the same call continues "
        "from it."
    )


def test_a_full_disk_is_named_without_its_number(monkeypatch, capsys):
    fail_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/x/a.png"))
    line = run_failing(capsys, "fetch", "isic2016")
    assert "No space left on device" in line
    assert "/x/a.png" in line


def test_an_unexpected_error_shows_its_traceback_only_with_verbose(monkeypatch, capsys):
    fail_with(monkeypatch, TypeError("two\nlines"))
    line = run_failing(capsys, "fetch", "isic2016")
    assert line.startswith("melanet: unexpected TypeError: two lines. --verbose")
    with pytest.raises(TypeError, match="two"):
        main(["fetch", "isic2016", "--verbose"])


def test_a_reader_that_has_gone_is_no_error(monkeypatch, capsys):
    fail_with(monkeypatch, BrokenPipeError())
    with pytest.raises(SystemExit) as stop:
        main(["fetch", "isic2016"])
    assert stop.value.code == 141
    assert capsys.readouterr().err == ""


def test_an_option_is_given_once(capsys):
    line = run_failing(capsys, "demo", "--seeds", 1, "--seeds", 2)
    assert "--seeds must be given once. Received: 1 and 2" in line


@pytest.mark.parametrize("backend", ["nonsense", "torch"])
def test_a_backend_that_cannot_be_loaded_is_named_in_one_line(backend):
    if backend == "torch" and importlib.util.find_spec("torch"):
        pytest.skip("torch is installed")
    done = subprocess.run(
        [sys.executable, "-m", "melanet", "evaluate", "a", "b"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"KERAS_BACKEND={backend!r}" in line
    assert "tensorflow, torch or jax" in line


def test_a_warning_is_one_line_and_the_backends_own_messages_are_hidden(tmp_path):
    """TensorFlow's compiled code writes its messages to the file descriptor."""
    write_classes(tmp_path / "in", 8, 0)
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "beside.png")
    done = subprocess.run(
        [sys.executable, "-m", "melanet", "oversample", "in", "in/out"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
    )
    assert done.returncode == 2
    warning, error = done.stderr.splitlines()
    assert warning.startswith("melanet: warning: in has images outside the folders of its classes")
    assert warning.endswith("1 (beside.png). Move them into the folder of their class, or away")
    assert error.startswith("melanet: destination must lie outside")


def test_the_form_of_warnings_is_restored(monkeypatch):
    usual = warnings.formatwarning
    fail_with(monkeypatch, ValueError("x"))
    with pytest.raises(SystemExit):
        main(["fetch", "isic2016"])
    assert warnings.formatwarning is usual


def test_outputs_lie_outside_of_the_folder_of_classes(tmp_path, capsys):
    source = write_classes(tmp_path / "in", 8, 0)
    (tmp_path / "link").symlink_to("in")
    before = sorted(tmp_path.rglob("*"))
    for words in (
        ("train-gan", source, "--out", source / "gan.keras", "--size", 16),
        ("train-gan", tmp_path / "link", "--out", source / "benign" / "gan.keras"),
        ("oversample", source, tmp_path / "link" / "made"),
        ("evaluate", "m", source, "--out", source / "evaluation"),
    ):
        line = run_failing(capsys, *words)
        assert "must lie outside of" in line
        assert "whose folders are classes" in line
    assert sorted(tmp_path.rglob("*")) == before
