"""A command that cannot do its work says so in one line, with status 2."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from paths import ROOT
from properties import for_all, in_process, starting_processes

from melanet import CycleGAN
from melanet.cli import main

sources = st.sampled_from(
    ["none", "file", "empty", "folder", "table.csv", "gone.csv", "binary.csv"]
)
models = st.sampled_from(["none", "file", "empty", "half.keras", "half.melanet", "g.keras"])
outputs = st.sampled_from(["empty", "file/a.keras", "full", ".", "loop/a.keras"])


def lay_out(folder):
    (folder / "file").write_bytes(b"\x89PNG, or not")
    (folder / "empty").mkdir()
    (folder / "folder" / "benign").mkdir(parents=True)
    (folder / "folder" / "malignant").mkdir()
    (folder / "folder" / "benign" / "a.png").write_bytes(b"no image")
    (folder / "folder" / "benign" / "c.png").write_bytes(b"\x89PNG")
    (folder / "folder" / "malignant" / "b.png").write_bytes(b"")
    (folder / "full" / "inside").mkdir(parents=True)
    (folder / "loop").symlink_to("loop")
    (folder / "table.csv").write_text("path,class\na.png,benign\n")
    (folder / "gone.csv").write_text("path,label\na.png,benign\nb.png,malignant\nc.png,benign\n")
    (folder / "binary.csv").write_bytes(os.urandom(50))
    gan = CycleGAN.from_shape((16, 16, 3), filters=2, discriminator_filters=2, seed=0)
    gan.save(folder / "g.keras")
    data = (folder / "g.keras").read_bytes()
    for name in ("half.keras", "half.melanet"):
        (folder / name).write_bytes(data[: len(data) // 2])


def call(argv):
    """Return the status of a command, and its standard error."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        try:
            return main(argv), errors.getvalue()
        except SystemExit as stop:
            return stop.code, errors.getvalue()


def words(folder, command, source, model, output):
    source, model, output = (str(folder / name) for name in (source, model, output))
    return {
        "train-gan": ["train-gan", source, "--out", output],
        "oversample": ["oversample", source, output, "--model", model],
        "train-classifier": ["train-classifier", source, "--out", output, "--backbone", "small"],
        "evaluate": ["evaluate", model, source, "--out", output],
        "serve": ["serve", "--model", model, "--port", "0"],
    }[command]


@in_process
def test_no_command_shows_a_traceback(n_examples):
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name))
        before = sorted(Path(name).rglob("*"))

        @for_all(
            n_examples,
            command=st.sampled_from(
                ["train-gan", "oversample", "train-classifier", "evaluate", "serve"]
            ),
            source=sources,
            model=models,
            output=outputs,
        )
        def check(command, source, model, output):
            status, errors = call(words(Path(name), command, source, model, output))
            assert status == 2
            (line,) = errors.splitlines()
            assert line.startswith("melanet: ")
            assert "unexpected" not in line
            assert name in line
            assert sorted(Path(name).rglob("*")) == before


ENDINGS = {  # words -> status and the words of the only line, without loading a backend that works
    ("oversample",): (2, "required: SRC, DST"),
    ("demo", "--seeds", "0"): (2, "--seeds: must be a whole number"),
    ("demo", "--seed", "1", "--seeds", "2"): (2, "--seeds must be given once"),
    ("evaluate", "m", "s", "--value-range", "9,1"): (2, "must be two increasing numbers"),
    ("train-gan", "s", "--out", "o", "--quality", "best"): (2, "invalid choice: 'best'"),
    ("fetch", "isic2015"): (2, "invalid choice: 'isic2015'"),
    ("nothing",): (2, "invalid choice: 'nothing'"),
    ("evaluate", "m", "s"): (2, "KERAS_BACKEND='none such'"),
    ("serve", "--verbose"): (2, "KERAS_BACKEND='none such'"),
    ("--version",): (0, ""),
    ("oversample", "--help"): (0, ""),
}


@starting_processes
def test_a_process_ends_with_its_status_and_at_most_one_line(n_examples, tmp_path):
    (tmp_path / "elsewhere é").mkdir()

    @for_all(
        n_examples,
        words=st.sampled_from(sorted(ENDINGS)),
        folder=st.sampled_from([".", "elsewhere é"]),
        encoding=st.sampled_from(["utf-8", "ascii", "latin-1"]),
        output=st.sampled_from(["read", "closed"]),
    )
    def check(words, folder, encoding, output):
        status, part = ENDINGS[words]
        variables = {"KERAS_BACKEND": "none such", "PYTHONIOENCODING": encoding}
        process = subprocess.Popen(
            [sys.executable, "-m", "melanet", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path / folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        )
        if output == "closed":
            process.stdout.close()
            errors = process.stderr.read()
        else:
            _, errors = process.communicate()
        process.wait()
        process.stderr.close()
        lines = errors.decode(encoding).splitlines()
        assert process.returncode == (141 if status == 0 and output == "closed" else status)
        if not part:
            assert lines == []
            return
        (line,) = lines
        assert line.startswith("melanet: ")
        assert part in line
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere é"]
