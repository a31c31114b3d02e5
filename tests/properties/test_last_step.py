"""If the check before the work passes, the last step succeeds; names survive a CSV file."""

import os
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from properties import for_all, in_process

from melanet.utils._files import (
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
