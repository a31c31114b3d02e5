"""ISIC 2024: the HDF5 file of the challenge, of the same layout and written by the benchmark."""

import csv
import sys
from pathlib import Path

import h5py
import isic_server
import numpy as np
import pytest
from isic_server import N, ids, targets

from melanet import CycleGAN
from melanet.datasets import (
    export_cyclegan_folders,
    fetch_isic2024,
    find_duplicates,
    load_image_table,
    load_images,
)
from melanet.images import read_picture
from melanet.over_sampling import BalancedBatches, load_synthetic, oversample_files

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import isic2024

COUNT = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return isic2024.write_file(tmp_path_factory.mktemp("data") / "isic2024", COUNT, different=40)


@pytest.fixture
def small(tmp_path):
    return isic2024.write_file(tmp_path / "small", 20, different=4)


@pytest.fixture(scope="module")
def gan():
    return CycleGAN.from_shape((16, 16, 3), filters=2, discriminator_filters=2, seed=0)


def test_the_table_gives_targets_patients_and_lesions(folder):
    data = fetch_isic2024(folder)
    assert data.ids.tolist() == [f"ISIC_{i:07}" for i in range(COUNT)]
    assert np.flatnonzero(data.target).tolist() == list(range(7, COUNT, 500))
    assert data.target_names == ["benign", "malignant"]
    assert data.patient_ids.tolist() == [f"IP_{i // 200:07}" for i in range(COUNT)]
    assert data.lesion_ids[7] == "IL_0000007"
    assert data.lesion_ids[8] == ""
    assert np.unique(data.groups, return_inverse=True)[1].tolist() == [
        i // 200 for i in range(COUNT)
    ]
    assert data.frame.index.tolist() == data.ids.tolist()
    assert "sex" in data.frame
    assert "tbp_lv_A" not in data.frame
    assert "4 malignant" in data.DESCR
    assert "CC-BY-NC" in data.DESCR
    paths, target = fetch_isic2024(folder / "train-image.hdf5", return_X_y=True)
    assert paths.tolist() == data.paths.tolist()
    assert target.tolist() == data.target.tolist()


def test_pictures_are_those_of_the_file(folder):
    data = fetch_isic2024(folder)
    rows = [0, 7, 1999, 3]
    X = load_images(data.paths[rows], 16)
    with h5py.File(folder / "train-image.hdf5") as file:
        for row, x in zip(rows, X):
            packed = folder / "one.jpg"
            packed.write_bytes(file[data.ids[row]][()].tobytes())
            assert np.array_equal(np.asarray(read_picture(packed, (16, 16))), x)


def test_a_part_of_the_table_gives_a_part_of_the_images(folder, tmp_path):
    lines = (folder / "train-metadata.csv").read_text().splitlines(keepends=True)
    part = tmp_path / "part.csv"
    part.write_text("".join([lines[0], *lines[:0:-7]]))  # in another order
    data = fetch_isic2024(folder / "train-image.hdf5", table=part)
    assert data.ids.tolist() == [f"ISIC_{i:07}" for i in range(COUNT - 1, -1, -7)]
    assert data.patient_ids.tolist() == [f"IP_{i // 200:07}" for i in range(COUNT - 1, -1, -7)]


def test_balanced_batches_read_from_the_file(folder, gan):
    data = fetch_isic2024(folder)
    batches = BalancedBatches(data.paths, data.target, {1: gan}, 8, guard=False)
    x, y = batches[0]
    assert x.shape == (8, 16, 16, 3)
    assert y.sum(axis=0).tolist() == [4, 4]
    assert len(batches) == 2 * (COUNT - 4) // 8
    benign = x[y[:, 0] == 1]
    real = load_images(data.paths, 16).astype("float32") / 255
    assert all(np.abs(real - picture).max(axis=(1, 2, 3)).min() < 1e-6 for picture in benign)


def test_files_are_oversampled_from_the_file(folder, gan, tmp_path):
    data = fetch_isic2024(folder)
    labels = np.array(data.target_names)[data.target]
    settings = {"models": {"malignant": gan}, "preset": "paper", "names": data.ids.tolist()}
    made = oversample_files(
        data.paths, labels, tmp_path / "made", sampling_strategy={"malignant": 12}, **settings
    )
    assert made == {"malignant": 8}
    with open(tmp_path / "made" / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        source = (tmp_path / "made" / row["source_file"]).parent.resolve()
        assert source == (folder / "train-image.hdf5").resolve()
        assert row["source_file"].endswith(f"/{row['source']}")
    # Sources are left out by their paths in the HDF5 file, too.
    used = {row["source"] for row in rows}
    one = str(folder / "train-image.hdf5" / min(used))
    X, _, sources = load_synthetic(tmp_path / "made", 16, exclude_sources=[one])
    assert set(sources) == used - {min(used)}
    assert len(X) == sum(row["source"] != min(used) for row in rows)


def test_other_readers_of_files_read_them(small, tmp_path):
    data = fetch_isic2024(small)
    pairs = find_duplicates(data.paths[:3].tolist(), data.paths[:7].tolist())
    assert ("id", 0) in {(pair.reason, pair.distance) for pair in pairs}
    table = small / "table.csv"
    table.write_text(
        "path,label\ntrain-image.hdf5/ISIC_0000001,0\ntrain-image.hdf5/ISIC_0000007,1\n"
    )
    assert load_images(load_image_table(table).paths, 8).shape == (2, 8, 8, 3)
    with pytest.raises(ValueError, match="size must be given for pictures in an HDF5 file"):
        export_cyclegan_folders(tmp_path / "ab", data.paths, data.target)
    twice = [data.paths[0], data.paths[1], f"{small}/../small/train-image.hdf5/ISIC_0000000"]
    with pytest.raises(ValueError, match="are the same file"):
        BalancedBatches(twice, [0, 1, 1], {}, size=8)


def test_what_is_wrong_with_the_files_is_named(small, tmp_path):
    image, table = small / "train-image.hdf5", small / "train-metadata.csv"
    text = table.read_text()
    cases = {
        "2 of 22 images .* not in the HDF5 file: ISIC_0000020, ISIC_0000021": text
        + "ISIC_0000020,0,IP_1,,,,\nISIC_0000021,0,IP_1,,,,\n",
        "lists images more than once: ISIC_0000003": text + "ISIC_0000003,0,IP_1,,,,\n",
        "has labels other than": text.replace("ISIC_0000003,0", "ISIC_0000003,2"),
        "must have": text.replace("target", "mark"),
        "is not a table of ISIC images": text + "total,20,,,,,\n",
        "rows of another length": text.replace("ISIC_0000003,0,", "ISIC_0000003,0,more,"),
    }
    for message, changed in cases.items():
        table.write_text(changed)
        with pytest.raises(ValueError, match=message):
            fetch_isic2024(small)
    table.write_text(text)
    with pytest.raises(FileNotFoundError, match="path must be an existing file"):
        fetch_isic2024(tmp_path)
    with pytest.raises(FileNotFoundError, match="table must be an existing file"):
        fetch_isic2024(image, table=tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"path must end in \.hdf5"):
        fetch_isic2024(table)
    with pytest.raises(ValueError, match="table must be left out without path"):
        fetch_isic2024(table=table)
    with pytest.raises(ValueError, match="are for the download, which path replaces"):
        fetch_isic2024(small, subset="permissive")
    with pytest.raises(ValueError, match=r"no picture 'ISIC_9' that can be read in the HDF5 file"):
        load_images([image / "ISIC_9"], 8)
    image.write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match="is not an HDF5 file"):
        fetch_isic2024(small)


def test_archives_of_jpegs_are_fetched_like_other_years(tmp_path):
    with isic_server.running() as server:
        data = fetch_isic2024(subset="permissive", data_home=tmp_path, mirror=server.mirror)
    assert data.ids.tolist() == ids(2024, "permissive")
    assert data.target.tolist() == targets(2024)
    assert data.patient_ids.tolist() == [f"IP_{i // 3}" for i in range(N)]
    assert {Path(path).suffix for path in data.paths} == {".jpg"}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures_of_a_large_file(tmp_path):
    folder = isic2024.write_file(tmp_path / "large", 100_000, different=200)
    model = isic2024.write_model(tmp_path / "gan.keras")
    megabytes = (folder / "train-image.hdf5").stat().st_size / 2**20
    for step in isic2024.STEPS:
        seconds, _, memory = isic2024.measure(step, folder, model)
        print(f"{step}: {seconds:.1f} s, {memory:.0f} of the file's {megabytes:.0f} MiB")
        assert memory < 0.75 * megabytes
