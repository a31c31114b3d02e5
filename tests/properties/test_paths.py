"""Paths meet by the file that they lead to: same as a table of files, or an error that names it."""

import os
import subprocess
import sys
import warnings

import pytest
from hypothesis import strategies as st
from labelled import class_lists, respelt
from negatives import negative, write_colours
from paths import ROOT
from properties import for_all, in_process, starting_processes

from melanet.datasets import load_image_folder, load_image_table
from melanet.over_sampling import load_synthetic, oversample_files
from melanet.utils._paths import file_key

N = 8


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Return a folder with N images, links to them and to their folders, and synthetic images."""
    work = tmp_path_factory.mktemp("work")
    paths, labels, _ = write_colours(work / "src", {"a": 6, "b": 2})
    (work / "link").symlink_to(work / "src")
    (work / "src" / "back").symlink_to(work)
    (work / "pool").mkdir()
    for i, path in enumerate(paths):
        (work / "pool" / f"soft {i}.png").symlink_to(path)
        os.link(path, work / "pool" / f"hard{i}.png")
    oversample_files(paths, labels, work / "made", models={"b": negative()}, preset="paper")
    return work, paths, labels


def spellings(work, path):
    """Return a strategy of paths that lead to a file."""
    work, i = work[0], work[1].index(path)
    inner = os.path.relpath(path, work / "src")
    return st.sampled_from(
        [
            path,
            f"{work}/link/{inner}",
            f"{work}/src/a/../{inner}",
            f"{work}/src/back/src/./{inner}",
            f"{work}/pool/soft {i}.png",
            f"{work}/pool/hard{i}.png",
            f"{work}/pool/../link//{inner}",
            os.path.relpath(path),
        ]
    )


@in_process
def test_paths_are_equal_if_their_files_are(n_examples, work):
    @for_all(n_examples, data=st.data(), i=st.integers(0, N - 1), j=st.integers(0, N - 1))
    def check(data, i, j):
        first, second = (data.draw(spellings(work, work[1][k])) for k in (i, j))
        assert (file_key(first) == file_key(second)) == (i == j)


@in_process
def test_a_table_names_every_file_once(n_examples, work):
    @for_all(
        n_examples,
        data=st.data(),
        rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=6),
        names=class_lists(),
        blank=st.sampled_from([None] * 3 + ["", "  ", "nan", "<NA>"]),
        here=st.sampled_from(["src", "pool", ".", "link"]),
    )
    def check(data, rows, names, blank, here):
        table = work[0] / here / "table.csv"
        codes = [data.draw(st.integers(0, len(names) - 1)) for _ in rows]
        labels = [str(respelt(data, names[code])).strip() for code in codes]
        if blank is not None:
            labels[0] = blank
        paths = [data.draw(spellings(work, work[1][row])) for row in rows]
        paths = [
            os.path.relpath(path, table.parent.resolve())
            if len(path) % 2
            else os.path.abspath(path)
            for path in paths
        ]
        lines = [f'1,"{path} "," {label}"' for path, label in zip(paths, labels)]
        table.write_text("\n".join(["id,path,label ", *lines]) + "\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if blank is not None:
                with pytest.raises(ValueError, match="line 2"):
                    load_image_table(table)
            elif len(set(rows)) < len(rows):
                second = next(k for k, row in enumerate(rows) if row in rows[:k])
                first = rows.index(rows[second])
                with pytest.raises(ValueError, match=rf"line {first + 2} .*line {second + 2} "):
                    load_image_table(table)
            else:
                found = load_image_table(table)
                same = [os.path.samefile(p, work[1][row]) for p, row in zip(found.paths, rows)]
                assert all(same)
                equal = [[a == b for a in codes] for b in codes]
                assert [[a == b for a in found.labels] for b in found.labels] == equal


@in_process
def test_images_made_of_excluded_sources_are_left_out(n_examples, work):
    folder, paths, _ = work
    _, _, sources = load_synthetic(folder / "made", 8)
    rows = [paths.index(source) for source in sources]
    assert len(rows) == 4

    @for_all(n_examples, data=st.data(), held=st.sets(st.integers(0, N - 1)))
    def check(data, held):
        excluded = [data.draw(spellings(work, paths[i])) for i in sorted(held)]
        made = data.draw(st.sampled_from(["made", "link/../made", "src/back/made"]))
        X, y, found = load_synthetic(folder / made, 8, exclude_sources=excluded)
        kept = [row for row in rows if row not in held]
        assert found.tolist() == [paths[row] for row in kept]
        assert X[:, 0, 0, 0].tolist() == [255 - row for row in kept]  # image i has the level i
        assert set(y.tolist()) <= {"b"}
        with pytest.raises(ValueError, match="'nowhere.png'"):
            load_synthetic(folder / made, 8, exclude_sources=[*excluded, "nowhere.png"])


@in_process
def test_folders_that_name_one_class_are_read_as_one(n_examples, tmp_path):
    taken = iter(range(10**6))
    write_colours(tmp_path, {"pool": 5})

    @for_all(n_examples, data=st.data(), names=class_lists())
    def check(data, names):
        names = [n if isinstance(n, int) else n.replace("/", "-") for n in names]
        folder = tmp_path / str(next(taken))
        codes, order = {}, []
        for i in range(5):
            code = data.draw(st.integers(0, len(names) - 1))
            spelt = str(respelt(data, names[code]))
            (folder / spelt).mkdir(parents=True, exist_ok=True)
            (folder / spelt / f"{i}.png").symlink_to(tmp_path / "pool" / f"{i:03d}.png")
            codes[i] = code
            order.append(str(folder / spelt / f"{i}.png"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = load_image_folder(folder)
        assert sorted(found.paths) == sorted(order)
        target = {int(os.path.basename(p)[0]): t for p, t in zip(found.paths, found.target)}
        for i in range(5):
            for j in range(5):
                assert (target[i] == target[j]) == (codes[i] == codes[j])
        assert found.target_names == sorted(found.target_names)
        os.symlink(order[0], os.path.join(os.path.dirname(order[-1]), "twin.png"))
        with (
            warnings.catch_warnings(action="ignore"),
            pytest.raises(ValueError, match=r"(?s)twin.png.* are the same file"),
        ):
            load_image_folder(folder)


CHECKER = """
import sys
from melanet.utils._paths import check_distinct_files
for pair in sys.argv[1:]:
    try:
        check_distinct_files("paths", pair.split("|"))
        print("distinct")
    except ValueError as error:
        print(error)
"""


@starting_processes
def test_files_are_the_same_from_any_current_folder(n_examples, tmp_path):
    """Compare relative and absolute paths in processes of other current folders."""
    (tmp_path / "images").mkdir()
    (tmp_path / "away" / "deep").mkdir(parents=True)
    (tmp_path / "linked").symlink_to("images")
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).touch()
    (tmp_path / "images" / "twin.png").symlink_to("a.png")
    (tmp_path / "images" / "hard.png").hardlink_to(tmp_path / "images" / "a.png")
    names = st.sampled_from(["a.png", "twin.png", "hard.png", "b.png", "none.png"])
    folders = st.sampled_from(["images", "linked", "away/../images", "images/../linked"])

    @for_all(
        n_examples,
        current=st.sampled_from([".", "images", "away/deep"]),
        pairs=st.lists(
            st.tuples(*(st.tuples(folders, names, st.booleans()) for _ in range(2))),
            min_size=20,
            max_size=20,
        ),
    )
    def check(current, pairs):
        here = tmp_path / current

        def spelt(folder, name, absolute):
            path = f"{tmp_path}/{folder}/{name}"
            return path if absolute else f"{os.path.relpath(tmp_path, here)}/{folder}/{name}"

        words = ["|".join(spelt(*file) for file in pair) for pair in pairs]
        done = subprocess.run(
            [sys.executable, "-c", CHECKER, *words],
            capture_output=True,
            text=True,
            check=True,
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        lead_to = {"twin.png": "a.png", "hard.png": "a.png"}
        for pair, word, line in zip(pairs, words, done.stdout.splitlines(), strict=True):
            (_, one, _), (_, other, _) = pair
            if lead_to.get(one, one) == lead_to.get(other, other):
                assert "are the same file" in line
                assert all(path in line for path in word.split("|"))
            else:
                assert line == "distinct"
