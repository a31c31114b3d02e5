import os
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from melanet.datasets import (
    OverlapWarning,
    _duplicates,
    check_overlap,
    find_duplicates,
    make_lesions,
)


@pytest.fixture(scope="module")
def pictures():
    X, _ = make_lesions(20, image_size=(120, 160), random_state=3)
    return [Image.fromarray(x) for x in X]


@pytest.fixture
def originals(tmp_path, pictures):
    paths = [str(tmp_path / f"ISIC_{i:07}.jpg") for i in range(len(pictures))]
    for path, picture in zip(paths, pictures):
        picture.save(path, quality=95)
    return paths


def test_different_images_do_not_match(originals):
    assert find_duplicates(originals) == []
    assert find_duplicates(originals[:10], originals[10:]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p,
        lambda p: p.resize((256, 256)),
        lambda p: p.resize((80, 60)),
        lambda p: ImageEnhance.Brightness(p).enhance(1.15),
        *(lambda p, k=k: p.transpose(k) for k in Image.Transpose),
    ],
)
def test_modified_copies_are_found_by_their_hash(tmp_path, pictures, originals, change):
    copies = [str(tmp_path / f"copy{i}.jpg") for i in range(5)]
    for picture, path in zip(pictures, copies):
        change(picture).save(path, quality=60)
    found = find_duplicates(copies, originals)
    assert [(p.path_a, p.path_b) for p in found] == list(zip(copies, originals))
    assert {p.reason for p in found} == {"near"}
    assert max(p.distance for p in found) <= 40
    nearest = min(p.distance for p in found)
    assert len(find_duplicates(copies, originals, threshold=nearest)) < 6


def test_ids_take_precedence_over_bytes_and_bytes_over_hashes(tmp_path, originals):
    (tmp_path / "b").mkdir()
    same_id = tmp_path / "b" / "isic_0000004_downsampled.jpg"
    shutil.copy(originals[7], same_id)  # another image with the same id
    same_bytes = tmp_path / "b" / "renamed.jpg"
    shutil.copy(originals[2], same_bytes)
    found = find_duplicates(originals, [same_id, same_bytes])
    assert [(p.path_a, p.path_b, p.reason) for p in found] == [
        (originals[2], str(same_bytes), "exact"),
        (originals[4], str(same_id), "id"),
        (originals[7], str(same_id), "exact"),
    ]
    assert [p.distance == 0 for p in found] == [True, False, True]


def test_within_one_set_each_pair_is_listed_once(tmp_path, originals):
    copy = tmp_path / "copy.jpg"
    shutil.copy(originals[3], copy)
    found = find_duplicates([*originals, copy])
    assert found == [(originals[3], str(copy), "exact", 0)]


def test_blocks_do_not_change_the_result(monkeypatch, originals):
    whole = find_duplicates(originals, originals, threshold=110)
    monkeypatch.setattr("melanet.datasets._duplicates._BLOCK", 30)
    assert find_duplicates(originals, originals, threshold=110) == whole
    assert len(whole) > 2 * len(originals)  # more than each with itself


def test_the_list_becomes_a_data_frame(originals):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(find_duplicates(originals[:2], originals))
    assert frame.columns.tolist() == ["path_a", "path_b", "reason", "distance"]
    assert frame["reason"].tolist() == ["id", "id"]


def test_overlap_causes_a_warning(tmp_path, originals):
    train, test = originals[:12], originals[9:]
    with pytest.warns(OverlapWarning, match="3 of 11 test images") as caught:
        found = check_overlap(train, test)
    assert [p.path_a for p in found] == originals[9:12]
    assert "ISIC_0000009.jpg = ISIC_0000009.jpg (id)" in str(caught[0].message)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_overlap(originals[:9], originals[9:]) == []


def test_unreadable_images_are_listed(tmp_path, originals):
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(b"x")
    bad = [str(tmp_path / name) for name in ("one.jpg", "two.jpg", "three.jpg")]
    with pytest.raises(ValueError, match="3 of 23 images") as caught:
        find_duplicates([*originals, *bad])
    assert all(os.path.basename(path) in str(caught.value) for path in bad)


@pytest.mark.parametrize("threshold", [-1, 256, 1.5, None])
def test_threshold_is_checked(threshold):
    with pytest.raises(ValueError, match="threshold must be an integer from 0 to 255"):
        find_duplicates([], threshold=threshold)


def test_errors_name_the_parameter():
    with pytest.raises(ValueError, match="paths_b must be a sequence"):
        find_duplicates([], "a.jpg")
    with pytest.raises(ValueError, match="test_paths must be a sequence"):
        check_overlap([], "a.jpg")


def test_empty_sets_have_no_duplicates(originals):
    assert find_duplicates([]) == []
    assert find_duplicates(originals[:1], []) == []
    assert np.shape(find_duplicates([], originals[:1])) == (0,)


def test_very_many_pairs_are_refused_before_they_fill_the_memory(monkeypatch, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(6)]
    for path in paths:
        Image.new("RGB", (8, 8)).save(path)
    monkeypatch.setattr(_duplicates, "_MOST_PAIRS", 15)
    assert len(find_duplicates(paths)) == 15
    monkeypatch.setattr(_duplicates, "_MOST_PAIRS", 14)
    with pytest.raises(ValueError, match="More than 14 pairs .*0.png alone is in 5"):
        find_duplicates(paths)
