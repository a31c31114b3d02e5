"""If the check before the work passes, the last step succeeds; names survive a CSV file."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from negatives import negative, write_colours
from paths import ROOT
from properties import for_all, in_process, starting_processes

from melanet import model_card, plotting
from melanet.callbacks import PictureGrid
from melanet.datasets import export_cyclegan_folders
from melanet.metrics import _quality_report, quality_report
from melanet.utils._files import (
    Journal,
    atomic_path,
    can_write_text,
    check_new_folder,
    check_writable,
    move_folder,
    read_csv,
    resolve,
    write_csv,
)

parts = st.sampled_from(
    ["file", "empty", "full", "link", "dangling", "loop", "new", "..", ".", "x" * 254]
)
paths = st.lists(parts, max_size=3)
any_text = st.text(st.characters(exclude_categories=())) | st.binary().map(os.fsdecode)


def lay_out(folder):
    (folder / "file").write_text("kept")
    (folder / "empty").mkdir()
    (folder / "full" / "inside").mkdir(parents=True)
    for name, target in (("link", "empty"), ("dangling", "nowhere"), ("loop", "loop")):
        (folder / name).symlink_to(target)


def refusal(function, *arguments):
    """Return the message of the error that a call raises, or None."""
    try:
        function(*arguments)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def write_all(path):
    with atomic_path(path) as partial:
        partial.write_text("all")


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@in_process
def test_a_file_that_may_be_written_is_written(n_examples):
    @for_all(n_examples, parts=paths)
    def check(parts):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "deep" / "er"
            folder.mkdir(parents=True)
            lay_out(folder)
            path, before = folder.joinpath(*parts), listing(Path(name))
            message = refusal(check_writable, path)
            assert listing(Path(name)) == before
            if message:
                assert repr(str(path)) in message
                assert refusal(write_all, path)
            else:
                write_all(path)
                assert resolve(path).read_text() == "all"


@in_process
def test_a_folder_that_may_be_made_is_made(n_examples):
    @for_all(n_examples, parts=paths)
    def check(parts):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "deep" / "er"
            folder.mkdir(parents=True)
            lay_out(folder)
            given, before = folder.joinpath(*parts), listing(Path(name))
            if message := refusal(resolve, given):
                assert repr(str(given)) in message
                return
            destination = resolve(given)
            work = destination.with_name(f".partial-{destination.name}")
            message = refusal(check_new_folder, destination, work)
            assert listing(Path(name)) == before
            if message:
                assert repr(str(destination)) in message
                return
            (work / "images" / "a").mkdir(parents=True)
            move_folder(work / "images", destination)
            assert (destination / "a").is_dir()


@in_process
def test_any_name_survives_a_csv_file(n_examples):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.csv"

        @for_all(n_examples, texts=st.lists(any_text, min_size=1))
        def check(texts):
            rows = [{"file": text, "n": "1"} for text in texts]
            if all(map(can_write_text, texts)):
                write_csv(path, rows)
                assert [row for _, row in read_csv(path, ("file", "n"), any_name=True)] == rows
            else:
                bad = next(text for text in texts if not can_write_text(text))
                assert "\0" in bad or any("\ud800" <= c <= "\udfff" for c in bad)


def begun(*args, **kwargs):
    raise AssertionError("the work has begun")


@in_process
def test_functions_try_their_output_before_they_work(n_examples, tmp_path, monkeypatch):
    paths, labels, _ = write_colours(tmp_path / "in", {"a": 4, "b": 4})
    X, y = np.random.default_rng(0).random((8, 8, 8)), np.repeat([0, 1], 4)
    report = quality_report(X, y, X, y, n_subsets=2)
    gan = negative()
    pair = X[..., None].repeat(3, axis=-1)
    words = {"name": "n", "data": "d", "license": "mit"}
    export = {"random_state": 0, "test_size": 0.5}
    writers = {
        "plot_images": lambda path: plotting.plot_images([X], path=path),
        "plot_edits": lambda path: plotting.plot_edits(X, X, path=path),
        "plot_curves": lambda path: plotting.plot_curves({"a": {"loss": [1]}}, path=path),
        "plot_embedding": lambda path: plotting.plot_embedding({"a": (X[0, :, :2], y)}, path=path),
        "model_card": lambda path: model_card(gan, path, **words),
        "quality report": report.picture,
        "grid": lambda path: PictureGrid(path, pair, pair).on_train_begin(),
        "export": lambda path: export_cyclegan_folders(path, paths, labels, **export),
        "resized export": lambda path: export_cyclegan_folders(
            path, paths, labels, size=4, **export
        ),
    }
    monkeypatch.setattr(plotting, "_make_figure", begun)
    monkeypatch.setattr(_quality_report, "draw_page", begun)
    monkeypatch.setattr("melanet._model_card._front_matter", begun)
    monkeypatch.setattr("melanet.datasets._folders.for_each", begun)
    places = ["file/a.png", "loop/a.png", "loop", "x" * 256, "file"]
    lay_out(tmp_path)
    before = listing(tmp_path)

    @for_all(n_examples, name=st.sampled_from(sorted(writers)), place=st.sampled_from(places))
    def check(name, place):
        if name != "grid" and "export" not in name and place == "file":
            place = "full"  # a file can be replaced, and a folder cannot
        with pytest.raises((OSError, ValueError)) as caught:
            writers[name](tmp_path / place)
        assert place.partition("/")[0] in str(caught.value)
        assert listing(tmp_path) == before


WRITER = """
import itertools, sys
from pathlib import Path
from melanet.utils._files import Journal, atomic_path, write_csv, write_json
folder = Path(sys.argv[1])
journal = Journal(folder / "journal")
print("ready", flush=True)
for i in itertools.count():
    write_json(folder / "a.json", [i] * 2000)
    write_csv(folder / "a.csv", [{"n": i}] * 2000)
    with atomic_path(folder / "deep" / "a.bin") as partial:
        partial.write_bytes(bytes([i % 256]) * 100_000)
    journal.add([i] * 500)
"""


@starting_processes
def test_a_killed_process_leaves_whole_files(n_examples):
    @for_all(n_examples, seconds=st.floats(0, 0.2))
    def check(seconds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, name],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            assert process.stdout.readline() == b"ready\n"
            time.sleep(seconds)
            process.kill()
            process.wait()
            process.stdout.close()
            lines = list(Journal(folder / "journal"))
            assert lines == [[i] * 500 for i in range(len(lines))]
            written = {path.name for path in folder.rglob("*") if path.is_file()}
            assert {name for name in written if not name.startswith(".partial-")} <= {
                *("journal", "a.json", "a.csv", "a.bin")
            }
            values = []
            if "a.json" in written:
                values.append(json.loads((folder / "a.json").read_text()))
            if "a.csv" in written:
                rows = (folder / "a.csv").read_text().splitlines()
                assert rows[0] == "n"
                values.append([int(row) for row in rows[1:]])
            for found in values:
                assert len(found) == 2000
                assert len(set(found)) == 1
                assert found[0] - len(lines) in (-1, 0)
            if "a.bin" in written:
                data = (folder / "deep" / "a.bin").read_bytes()
                assert len(data) == 100_000
                assert len(set(data)) == 1
