import contextlib
import dataclasses
import errno
import hashlib
import inspect
import io
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import isic_server
import numpy as np
import pytest
from isic_server import N, ids, pictures, targets

from melanet import datasets
from melanet.datasets import _isic_catalogue, fetch_isic, fetch_isic2016, load_images
from melanet.utils import _download

SUBSETS = [(year, s) for year, row in _isic_catalogue.CHALLENGES.items() for s in row.subsets]
STEM = "ISBI2016_ISIC_Part3_Training_Data"


@pytest.fixture(scope="module")
def shared():
    with isic_server.running() as running:
        yield running


@pytest.fixture
def server(shared):
    shared.plans, shared.seen = {}, []
    return shared


@pytest.fixture
def folder():
    """Return a folder that other users can enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def without_root():
    """Drop root privileges in the block."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextlib.contextmanager
def disk_full_after(size):
    """Limit the size of files to `size` bytes; the kernel reports that as a full disk does."""
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize(("year", "subset"), SUBSETS)
def test_each_subset_is_downloaded_with_its_labels(server, tmp_path, year, subset):
    fetch = getattr(datasets, f"fetch_isic{year}")
    data = fetch(subset=subset, data_home=tmp_path, mirror=server.mirror)
    assert data.ids.tolist() == ids(year, subset)
    assert data.target.dtype == np.int64
    assert data.target.tolist() == targets(year)
    assert data.target_names == list(_isic_catalogue.CHALLENGES[year].classes)
    assert [Path(path).read_bytes() for path in data.paths] == pictures(year, subset)
    assert load_images(data.paths, 16).shape == (N, 16, 16, 3)
    left = {p.suffix for p in (tmp_path / f"isic{year}").rglob("*") if "superpixel" in p.name}
    assert not left
    assert f"ISIC {year}" in data.DESCR
    assert "Licence: CC" in data.DESCR
    assert "arXiv" in data.DESCR or "doi" in data.DESCR
    n = len(server.seen)
    paths, target = fetch_isic(year, subset=subset, data_home=tmp_path, return_X_y=True)
    assert paths.tolist() == data.paths.tolist()
    assert target.tolist() == data.target.tolist()
    assert len(server.seen) == n  # the second call downloads nothing


def test_metadata_are_in_the_order_of_the_images(server, tmp_path):
    pytest.importorskip("pandas")
    frames = {
        year: fetch_isic(year, data_home=tmp_path, mirror=server.mirror).frame
        for year in _isic_catalogue.CHALLENGES
    }
    assert frames[2016] is None
    assert frames[2017]["age_approximate"].tolist() == list(range(30, 30 + N))
    assert frames[2018]["lesion_id"].tolist() == [f"HAM_{i // 2:07}" for i in range(N)]
    assert frames[2019]["age_approx"].tolist() == [40.0 + i for i in range(N)]
    assert frames[2020]["patient_id"].tolist() == [f"IP_{i // 2}" for i in range(N)]
    assert frames[2020]["target"].tolist() == targets(2020)
    assert frames[2024]["patient_id"].tolist() == [f"IP_{i // 3}" for i in range(N)]
    assert "tbp_lv_A" not in frames[2024]
    for year in (2017, 2018, 2019, 2020, 2024):
        assert frames[year].index.tolist() == ids(year, "train")


def test_groups_join_the_images_of_a_patient_or_a_lesion(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # they need no pandas
    found = {
        year: fetch_isic(year, data_home=tmp_path, mirror=server.mirror)
        for year in _isic_catalogue.CHALLENGES
    }
    for year in (2016, 2017):
        assert found[year].groups is found[year].patient_ids is found[year].lesion_ids is None
    assert found[2018].patient_ids is None
    assert found[2018].lesion_ids.tolist() == [f"HAM_{i // 2:07}" for i in range(N)]
    assert found[2018].groups.tolist() == [ids(2018, "train")[i // 2 * 2] for i in range(N)]
    assert found[2019].lesion_ids.tolist() == [""] * N
    assert found[2019].groups.tolist() == ids(2019, "train")  # no lesion is known
    assert found[2020].lesion_ids.tolist() == [f"IL_{i}" for i in range(N)]
    assert found[2020].groups.tolist() == [ids(2020, "train")[i // 2 * 2] for i in range(N)]
    assert found[2024].groups.tolist() == [ids(2024, "train")[i // 3 * 3] for i in range(N)]


def test_frame_is_none_without_pandas(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert fetch_isic(2020, data_home=tmp_path, mirror=server.mirror).frame is None


def test_incomplete_metadata_are_rejected(server, tmp_path):
    pytest.importorskip("pandas")
    name = "2018/ISIC2018_Task3_Training_LesionGroupings.csv"
    lines = server.files[name].splitlines(keepends=True)
    server.plans = {name: [{"body": b"".join(lines[:-2])}] * 2}
    with pytest.raises(ConnectionError, match=f"no row for {ids(2018, 'train')[-2]}, "):
        fetch_isic(2018, data_home=tmp_path)


def test_home_and_mirror_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MELANET_HOME", str(tmp_path))
    monkeypatch.setenv("MELANET_ISIC_MIRROR", f"{server.url}/environment/")
    data = fetch_isic2016(subset="test")
    assert Path(data.paths[0]).is_relative_to(tmp_path / "datasets" / "isic2016")
    assert {address for address, _, _ in server.seen} == {"environment"}


def test_both_addresses_are_tried_in_turn(server, tmp_path):
    file = f"2016/{STEM}.zip"
    server.plans = {f"new/{file}": [{"status": 404}]}
    fetch_isic2016(data_home=tmp_path)
    assert [address for address, seen, _ in server.seen if seen == file] == ["new", "old"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"year": 2015}, "year must be one of 2016, 2017"),
        ({"year": "2016"}, "Received: year='2016'"),
        ({"year": 2016, "subset": "validation"}, r"subset must be one of \['train', 'test'\]"),
        ({"year": 2020, "subset": "test"}, "no published labels"),
        ({"year": 2016, "mirror": "ftp://x"}, "http"),
        ({"year": 2016, "mirror": "/data"}, "put them into data_home"),
        ({"year": 2016, "data_home": 3}, "data_home must be a path"),
        ({"year": 2016, "data_home": ""}, "data_home must be a path"),
    ],
)
def test_invalid_parameters_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        fetch_isic(**arguments)


def test_nothing_is_downloaded_without_permission(server, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"GroundTruth\.csv does not exist, and"):
        fetch_isic2016(data_home=tmp_path, download_if_missing=False)
    assert not server.seen
    assert not list(tmp_path.iterdir())


def test_the_published_hash_is_compared(server, tmp_path, monkeypatch):
    row = _isic_catalogue.CHALLENGES[2016]
    body = server.files[f"2016/{STEM}.zip"]
    for wrong in (False, True):
        digest = hashlib.sha256(body + b"x" * wrong).hexdigest()
        part = dataclasses.replace(row.subsets["train"], sha256={f"{STEM}.zip": digest})
        changed = dataclasses.replace(row, subsets={"train": part})
        monkeypatch.setitem(_isic_catalogue.CHALLENGES, 2016, changed)
        home = tmp_path / str(wrong)
        if wrong:
            with pytest.raises(ConnectionError, match=f"the published one is {digest}"):
                fetch_isic2016(data_home=home)
            assert not (home / "isic2016" / f"{STEM}.zip").exists()
        else:
            fetch_isic2016(data_home=home)


def test_files_in_the_cache_folder_are_used(server, tmp_path):
    home = tmp_path / "isic2020"
    (home / "ISIC_2020_Training_JPEG" / "train").mkdir(parents=True)
    for name, jpeg in zip(ids(2020, "train"), pictures(2020, "train")):
        path = home / "ISIC_2020_Training_JPEG" / "train" / f"{name}.jpg"
        path.write_bytes(jpeg)
    table = "ISIC_2020_Training_GroundTruth_v2.csv"
    (home / table).write_bytes(server.files[f"2020/{table}"])
    data = fetch_isic(2020, data_home=tmp_path, download_if_missing=False)
    assert data.target.tolist() == targets(2020)
    assert not server.seen
    path.rename(path.with_name("ISIC_9999998.jpg"))
    (path.parent / "ISIC_9999999.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="not hold the labelled images") as caught:
        fetch_isic(2020, data_home=tmp_path)
    for words in (f"{path.name} is missing", "9998.jpg has no label", "9999.jpg has no label"):
        assert words in str(caught.value)


def test_the_archive_may_be_deleted_after_extraction(server, tmp_path):
    data = fetch_isic2016(data_home=tmp_path)
    (tmp_path / "isic2016" / f"{STEM}.zip").unlink()
    again = fetch_isic2016(data_home=tmp_path, download_if_missing=False)
    assert again.paths.tolist() == data.paths.tolist()


def test_interrupted_extraction_is_resumed(server, tmp_path):
    data = fetch_isic2016(data_home=tmp_path)
    unpacked = tmp_path / "isic2016" / STEM
    partial = unpacked.with_name(f".{STEM}.partial")
    jpegs = pictures(2016, "train")
    for done in range(N + 1):
        unpacked.rename(partial)
        names = sorted(path.name for path in partial.iterdir())
        for name in names[done:]:
            (partial / name).unlink()
        if done:
            kept = partial / names[0]
            os.utime(kept, (1, 1))
        if done > 1:  # corrupted by a power cut, and left by another version
            (partial / names[1]).write_bytes(bytes(len(jpegs[1])))
            (partial / ".half.jpg").write_bytes(b"x")
        assert fetch_isic2016(data_home=tmp_path).paths.tolist() == data.paths.tolist()
        assert not partial.exists()
        assert {p.name for p in unpacked.iterdir()} == {f"{i}.jpg" for i in data.ids}
        assert [Path(path).read_bytes() for path in data.paths] == jpegs
        if done:
            assert (unpacked / names[0]).stat().st_mtime == 1  # not extracted again


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_full_disk_leaves_no_incomplete_file(server, tmp_path, room):
    with disk_full_after(room), pytest.raises(OSError, match="does not fit on its disk") as caught:
        fetch_isic2016(data_home=tmp_path)
    assert caught.value.errno == errno.EFBIG
    assert "ISBI2016" in str(caught.value)
    assert "data_home" in str(caught.value)
    assert not list((tmp_path / "isic2016").glob(".*partial*"))
    assert fetch_isic2016(data_home=tmp_path).ids.tolist() == ids(2016, "train")


def test_the_disk_may_fill_up_during_extraction(server, tmp_path):
    fetch_isic2016(data_home=tmp_path)
    unpacked = tmp_path / "isic2016" / STEM
    shutil.rmtree(unpacked)
    size = min(map(len, pictures(2016, "train")))
    with disk_full_after(size), pytest.raises(OSError, match=f"{STEM} does not fit"):
        fetch_isic2016(data_home=tmp_path)
    assert not unpacked.exists()
    assert not list(unpacked.parent.glob(".*partial*"))


def test_disk_space_is_checked_before_the_download(server, tmp_path, monkeypatch):
    usage = type(shutil.disk_usage(tmp_path))
    need = len(server.files[f"2016/{STEM}.zip"])
    for free, enough in ((2 * need, False), (3 * need, True)):
        monkeypatch.setattr(_download.shutil, "disk_usage", lambda path: usage(9, 9, free))  # noqa: B023
        if enough:
            fetch_isic2016(data_home=tmp_path)
            continue
        with pytest.raises(OSError, match=r"GB are needed, and .* GB are free"):
            fetch_isic2016(data_home=tmp_path)
        assert not list((tmp_path / "isic2016").glob(f"*{STEM}.zip.partial"))


def test_an_unwritable_folder_is_reported(server, folder):
    shut = folder / "shut"
    shut.mkdir(mode=0o555)
    with without_root(), pytest.raises(PermissionError, match="cannot be written") as caught:
        fetch_isic2016(data_home=shut)
    assert "data_home" in str(caught.value)
    assert not list(shut.iterdir())
    file = folder / "file"
    file.write_bytes(b"kept")
    with pytest.raises(OSError, match="cannot be written"):
        fetch_isic2016(data_home=file)
    assert file.read_bytes() == b"kept"


def test_a_complete_cache_may_be_read_only(server, folder):
    data = fetch_isic2016(data_home=folder)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with without_root():
        assert fetch_isic2016(data_home=folder).paths.tolist() == data.paths.tolist()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)


def test_an_archive_in_the_cache_folder_is_checked(server, tmp_path):
    path = tmp_path / "isic2016" / f"{STEM}.zip"
    path.parent.mkdir()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../evil.jpg", b"x")
    path.write_bytes(file.getvalue())
    with pytest.raises(ValueError, match=r"Training_Data\.zip is not what it should be.*outside"):
        fetch_isic2016(data_home=tmp_path)
    assert path.read_bytes() == file.getvalue()
    assert not (tmp_path / "evil.jpg").exists()


def test_progress_is_shown_on_request(server, tmp_path, capsys):
    fetch_isic2016(data_home=tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    fetch_isic2016(data_home=tmp_path / "b", verbose=1)
    assert "unpacking" in capsys.readouterr().err


def test_fetchers_have_names_signatures_and_docs():
    for year in _isic_catalogue.CHALLENGES:
        fetch = getattr(datasets, f"fetch_isic{year}")
        assert fetch.__name__ == f"fetch_isic{year}"
        for name, parameter in inspect.signature(fetch).parameters.items():
            assert parameter.kind is parameter.KEYWORD_ONLY or name == "path"
        for subset in _isic_catalogue.CHALLENGES[year].subsets:
            assert f'"{subset}"' in fetch.__doc__
