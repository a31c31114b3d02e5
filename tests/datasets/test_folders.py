import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from melanet.datasets import export_cyclegan_folders, load_image_folder, load_images, make_lesions

N, RARE = 40, 10
PARTS = ("trainA", "trainB", "testA", "testB")


@pytest.fixture(scope="module")
def lesions():
    return make_lesions(N, weights=(0.75, 0.25), image_size=24, random_state=0)


@pytest.fixture
def flat(tmp_path, lesions):
    """Return the paths and labels of images in one folder."""
    folder = tmp_path / "flat"
    folder.mkdir()
    paths = [str(folder / f"{i:02}.png") for i in range(N)]
    for path, x in zip(paths, lesions[0]):
        Image.fromarray(x).save(path)
    return paths, lesions[1]


@pytest.fixture
def classes(tmp_path, flat):
    """Return a folder with a subfolder for each class."""
    for name, label in (("benign", 0), ("malignant", 1)):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for path, y in zip(*flat):
            if y == label:
                shutil.copy(path, tmp_path / "classes" / name)
    return tmp_path / "classes"


def test_a_folder_for_each_class_is_listed(classes, flat):
    for name in ("Thumbs.db", ".hidden.png", "notes.txt"):
        (classes / "benign" / name).write_bytes(b"x")
    (classes / ".cache").mkdir()
    data = load_image_folder(str(classes))
    assert data.target_names == ["benign", "malignant"]
    wanted = sorted((y, Path(path).name) for path, y in zip(*flat))
    found = [(y, Path(path).name) for path, y in zip(data.paths, data.target)]
    assert found == wanted
    assert load_images(data.paths, 24).shape == (N, 24, 24, 3)


def touch(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("listed", "others"),
    [
        (["a/1.png", "b/1.jpg"], ["2.png"]),
        (["a/1.png", "b/1.jpg"], ["a/c/1.PNG", "a/c/2.png", "b/d/e/1.tif", "0.bmp"]),
        (["trainA/1.png", "trainB/2.png"], ["benign/1.png", "malignant/1.png", "3.webp"]),
        (["trainA/1.png", "trainB/2.png"], ["testA/deeper/1.png"]),
        ([f"{name}/{i}.png" for name in "ab" for i in range(3)], [f"{i}.png" for i in range(9)]),
    ],
)
def test_images_of_no_class_are_named_with_their_number(tmp_path, monkeypatch, listed, others):
    ignored = ["README.md", "labels.csv", ".hidden.png", ".cache/1.png", "a.keras"]
    if "trainA/1.png" in listed:
        ignored += ["testA/1.png", "testB/1.png"]
    touch(tmp_path, [*listed, *ignored])
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, "."):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(load_image_folder(path).paths) == len(listed)
    touch(tmp_path, others)
    for path in (tmp_path, "."):
        with pytest.warns(UserWarning, match=rf"left out. Received: {len(others)} \(") as caught:
            assert len(load_image_folder(path).paths) == len(listed)
        named = str(caught[0].message).partition("(")[2].partition(")")[0]
        shown = (
            sorted(others, key=lambda name: (name.count("/"), name))[:5]
            if len(others) > 5
            else others
        )
        assert all(name in named for name in shown)


def test_the_cyclegan_layout_is_listed(tmp_path, flat):
    parts = export_cyclegan_folders(tmp_path / "b2m", *flat, test_size=0.2, random_state=0)
    for subset in ("train", "test"):
        data = load_image_folder(tmp_path / "b2m", subset=subset)
        assert data.target_names == ["A", "B"]
        rows = [parts[f"{subset}{side}"] for side in "AB"]
        assert data.target.tolist() == [0] * len(rows[0]) + [1] * len(rows[1])
        names = [Path(flat[0][i]).name for i in np.concatenate(rows)]
        assert sorted(Path(path).name for path in data.paths) == sorted(names)


@pytest.mark.parametrize(
    ("make", "subset", "error", "words"),
    [
        ([], "train", ValueError, "has no subfolders, and 0 images"),
        (["a.png"], "train", ValueError, "has no subfolders, and 1 images"),
        (["a/", "b/x.png", "c/"], "train", ValueError, "subfolders without images: a, c"),
        (["train/a/x.png", "test/a/x.png"], "train", ValueError, "pass the path of one of them"),
        (["a/x.png"], "test", ValueError, "has no subfolders testA and testB"),
        (["trainA/x.png", "b/x.png"], "train", ValueError, "has no subfolder trainB"),
        (["trainA/x.png", "trainB/x.png"], "test", ValueError, "no subfolder testA nor testB"),
        (["trainA/x.png", "trainB/"], "train", ValueError, "without images: trainB"),
        (["a/x.png"], "validation", ValueError, "subset must be 'train' or 'test'"),
        (None, "train", FileNotFoundError, "is not a folder"),
    ],
)
def test_other_layouts_are_rejected(tmp_path, make, subset, error, words):
    folder = tmp_path / "folder"
    if make is not None:
        folder.mkdir()
    for name in make or []:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
    with pytest.raises(error, match=words):
        load_image_folder(folder, subset=subset)


def test_the_rare_class_is_b_and_the_split_is_stratified(tmp_path, flat):
    paths, y = flat
    for k, target in enumerate((y, 1 - y, np.where(y, "malignant", "benign"))):
        destination = tmp_path / str(k)
        parts = export_cyclegan_folders(destination, paths, target, test_size=0.3, random_state=1)
        assert [len(parts[name]) for name in PARTS] == [21, 7, 9, 3]
        assert sorted(np.concatenate(list(parts.values()))) == list(range(N))
        for name in PARTS:
            assert (y[parts[name]] == (name[-1] == "B")).all()
            for i in parts[name]:
                copy = destination / name / Path(paths[i]).name
                assert copy.read_bytes() == Path(paths[i]).read_bytes()
        assert {p.name for p in destination.iterdir()} == set(PARTS)


def test_the_split_follows_the_seed(tmp_path, flat):
    rows = [
        export_cyclegan_folders(tmp_path / str(k), *flat, random_state=seed)["testA"].tolist()
        for k, seed in enumerate((0, 0, 1))
    ]
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


def test_size_may_be_a_number_of_images(tmp_path, flat):
    parts = export_cyclegan_folders(tmp_path / "b2m", *flat, test_size=8, random_state=0)
    assert [len(parts[name]) for name in PARTS] == [24, 8, 6, 2]


def test_resized_images_are_written_as_png(tmp_path, flat):
    paths, y = flat
    parts = export_cyclegan_folders(tmp_path / "b2m", paths, y, size=(8, 12), random_state=0)
    for name, rows in parts.items():
        written = [tmp_path / "b2m" / name / f"{Path(paths[i]).stem}.png" for i in rows]
        with Image.open(written[0]) as picture:
            assert picture.size == (12, 8)
        wanted = load_images([paths[i] for i in rows], (8, 12))
        np.testing.assert_array_equal(load_images(written, (8, 12)), wanted)


@pytest.mark.parametrize("share", [0.2, 0.34, 0.7])
def test_groups_are_not_split(tmp_path, flat, share):
    paths, y = flat
    groups = np.arange(N) // 2
    parts = export_cyclegan_folders(
        tmp_path / "b2m", paths, y, test_size=share, groups=groups, random_state=0
    )
    train = set(groups[np.concatenate([parts["trainA"], parts["trainB"]])])
    test = set(groups[np.concatenate([parts["testA"], parts["testB"]])])
    assert not train & test
    assert len(train | test) == N // 2
    assert abs(len(test) / (N // 2) - share) < 0.11


def test_two_of_several_classes_are_chosen(tmp_path, flat):
    paths, y = flat
    kinds = np.where(np.arange(N) < 12, 2, y)
    with pytest.raises(ValueError, match=r"two classes, or classes=\(a, b\)"):
        export_cyclegan_folders(tmp_path / "b2m", paths, kinds)
    names = ["nevus", "melanoma", "keratosis"]
    for k, classes in enumerate(((0, 2), ("nevus", "keratosis"))):
        parts = export_cyclegan_folders(
            tmp_path / str(k), paths, kinds, classes=classes, target_names=names, random_state=0
        )
        for name, rows in parts.items():
            assert (kinds[rows] == (2 if name.endswith("B") else 0)).all()
        assert sum(map(len, parts.values())) == np.isin(kinds, (0, 2)).sum()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": [0, 1]}, "target must have one entry for each of the 40 paths"),
        ({"groups": [0, 1]}, "groups must have one entry"),
        ({"target": [0] * N}, "target must have two classes"),
        ({"classes": (0, 5)}, r"classes must be two different labels of \[0, 1\]"),
        ({"classes": (1, 1)}, "classes must be two different labels"),
        ({"classes": ("nevus", "x")}, "classes must be two"),
        ({"test_size": 0}, "test_size must be"),
        ({"test_size": 1.0}, "test_size must be"),
        ({"test_size": 40}, "test_size must be"),
        ({"test_size": "half"}, "test_size must be"),
        ({"test_size": 1}, "cannot be split with test_size=1"),
        ({"groups": [0] * N}, "cannot be split|would be empty"),
        ({"size": -1}, "size must be"),
    ],
)
def test_invalid_parameters_are_rejected_before_writing(tmp_path, flat, changes, words):
    arguments = {"paths": flat[0], "target": flat[1], **changes}
    with pytest.raises(ValueError, match=words):
        export_cyclegan_folders(tmp_path / "b2m", **arguments)
    assert {p.name for p in tmp_path.iterdir()} == {"flat"}


def test_existing_files_are_not_overwritten(tmp_path, flat):
    (tmp_path / "b2m").mkdir()
    export_cyclegan_folders(tmp_path / "b2m", *flat, random_state=0)  # empty: taken
    before = sorted(tmp_path.rglob("*"))
    for existing in (tmp_path / "b2m", Path(flat[0][0])):
        with pytest.raises(FileExistsError, match="destination must not exist"):
            export_cyclegan_folders(existing, *flat, random_state=1)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("size", [None, 8])
def test_unreadable_images_are_all_listed_and_nothing_is_left(tmp_path, flat, size):
    paths, y = flat
    Path(paths[3]).write_bytes(b"no picture")
    Path(paths[30]).unlink()
    with pytest.raises(ValueError, match="2 of 40 images") as caught:
        export_cyclegan_folders(tmp_path / "b2m", paths, y, size=size, random_state=0)
    assert paths[3] in str(caught.value)
    assert paths[30] in str(caught.value)
    assert {p.name for p in tmp_path.iterdir()} == {"flat"}


def test_duplicate_file_names_are_rejected(tmp_path, flat, classes):
    paths, y = flat
    other = [str(classes / ("benign", "malignant")[y[i]] / Path(paths[i]).name) for i in range(3)]
    with pytest.raises(ValueError, match="unique file names. Received several of") as caught:
        export_cyclegan_folders(
            tmp_path / "b2m", [*other, *paths], [*y[:3], *y], test_size=1 / 43 * 5, random_state=0
        )
    assert ".png" in str(caught.value)
    assert not (tmp_path / "b2m").exists()


def test_a_full_disk_leaves_nothing(tmp_path, flat):
    resource = pytest.importorskip("resource")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, old[1]))
    try:
        for size in (None, 24):
            with pytest.raises(OSError, match="b2m does not fit on its disk"):
                export_cyclegan_folders(tmp_path / "b2m", *flat, size=size, random_state=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert {p.name for p in tmp_path.iterdir()} == {"flat"}
    assert os.path.getsize(flat[0][0]) > 100


def test_classes_are_named_without_white_space_and_merged(tmp_path):
    for i, name in enumerate(("benign ", "benign", "1", "1.0")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / f"{i}.png")
    with pytest.warns(UserWarning, match="in several ways") as caught:
        data = load_image_folder(tmp_path)
    assert data.target_names == ["1", "benign"]
    assert [Path(path).name for path in data.paths] == ["2.png", "3.png", "1.png", "0.png"]
    assert data.target.tolist() == [0, 0, 1, 1]
    texts = " ".join(str(warning.message) for warning in caught)
    assert "'benign ' ('benign ') and 'benign'" in texts or "'benign' ('benign') and" in texts
    (tmp_path / " ").mkdir()
    with pytest.raises(ValueError, match="must hold a label everywhere"):
        load_image_folder(tmp_path)


def test_a_file_under_two_labels_is_refused(tmp_path):
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    (tmp_path / "malignant" / "2.png").symlink_to(tmp_path / "benign" / "1.png")
    with pytest.raises(ValueError, match=r"benign/1.png and .*malignant/2.png are the same file"):
        load_image_folder(tmp_path)
    paths = [*tmp_path.rglob("*.png")]
    with pytest.raises(ValueError, match="paths must name every file once"):
        export_cyclegan_folders(tmp_path / "out", paths, [0, 0, 1])
    assert not (tmp_path / "out").exists()


def test_classes_to_export_are_matched_by_name(tmp_path, flat):
    paths, y = flat
    kinds = np.array(["9", "10", "11"])[np.arange(N) % 3]
    parts = export_cyclegan_folders(tmp_path / "a", paths, kinds, classes=(9, 10.0), random_state=0)
    assert {*kinds[np.r_[parts["trainA"], parts["testA"]]]} == {"9"}
    assert {*kinds[np.r_[parts["trainB"], parts["testB"]]]} == {"10"}
    with pytest.raises(ValueError, match="positions in target_names"):
        export_cyclegan_folders(
            tmp_path / "b", paths, kinds, classes=("9", "10"), target_names=["9", "10", "11"]
        )
    groups = [f"p{i // 2}{' ' * (i % 2)}" for i in range(N)]  # spelt in two ways
    parts = export_cyclegan_folders(tmp_path / "c", paths, y, groups=groups, random_state=0)
    train = {i // 2 for i in np.r_[parts["trainA"], parts["trainB"]]}
    assert not train & {i // 2 for i in np.r_[parts["testA"], parts["testB"]]}


def test_a_link_is_filled_and_leftovers_of_a_killed_call_are_not_exported(tmp_path, flat):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / ".real.partial" / "trainA").mkdir(parents=True)
    (tmp_path / ".real.partial" / "trainA" / "old.png").touch()
    parts = export_cyclegan_folders(tmp_path / "link", *flat, random_state=0)
    assert (tmp_path / "link").is_symlink()
    assert len(list((tmp_path / "real").rglob("*.png"))) == sum(map(len, parts.values())) == N
    assert not (tmp_path / ".real.partial").exists()
