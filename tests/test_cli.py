import subprocess
import sys

import pytest

from melanet import __version__
from melanet.cli import main


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "demo" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


def test_wrong_use_ends_with_status_2_and_a_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--seeds", "0", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "n_seeds must be at least 1" in capsys.readouterr().err


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "melanet", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"melanet {__version__}"
