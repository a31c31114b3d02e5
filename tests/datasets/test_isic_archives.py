import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from melanet.datasets._isic_archives import check_archive, find_pictures, unpack

IDS = ["ISIC_1", "ISIC_2"]


def jpeg(level):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (level,) * 3).save(file, "JPEG")
    return file.getvalue()


GOOD = {"data/ISIC_1.jpg": jpeg(10), "data/ISIC_2.JPEG": jpeg(20)}


def write(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_images_are_extracted_flat_and_the_rest_is_left(tmp_path):
    others = {
        "data/": b"",
        "__MACOSX/data/ISIC_1.jpg": b"?",
        "data/.DS_Store": b"?",
        "mask.png": b"?",
    }
    path = write(tmp_path / "a.zip", {**GOOD, **others, "data/table.csv": b"id,age\n"})
    check_archive(path, IDS, ["table.csv"])
    unpack(path, tmp_path / "out", IDS, ["table.csv"])
    found = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert found == {
        "ISIC_1.jpg": GOOD["data/ISIC_1.jpg"],
        "ISIC_2.jpg": GOOD["data/ISIC_2.JPEG"],
        "table.csv": b"id,age\n",
    }
    (tmp_path / "out" / "table.csv").unlink()
    unpack(path, tmp_path / "out", IDS)  # the folder is there: nothing is done
    assert not (tmp_path / "out" / "table.csv").exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"data/ISIC_2.JPEG": None}, r"ISIC_2\.jpg is missing"),
        ({"data/ISIC_3.jpg": jpeg(30)}, r"data/ISIC_3\.jpg has no label"),
        ({"more/ISIC_1.jpg": jpeg(30)}, r"more/ISIC_1\.jpg occurs twice"),
        ({"../ISIC_1.jpg": jpeg(30)}, "is outside the folder"),
        ({"C:\\ISIC_1.jpg": jpeg(30)}, "is outside the folder"),
        ({"data/ISIC_2.JPEG": bytes(3 << 20)}, r"ISIC_2\.JPEG expands to 3145728 bytes"),
        ({"data/ISIC_2.JPEG": jpeg(20)[:-40]}, r"unreadable images: ISIC_2\.jpg \("),
    ],
)
def test_an_archive_of_other_members_is_refused(tmp_path, members, message):
    kept = {name: data for name, data in {**GOOD, **members}.items() if data is not None}
    path = write(tmp_path / "a.zip", kept)
    with pytest.raises(ValueError, match=message):
        check_archive(path, IDS)


def test_links_are_refused_and_all_problems_are_listed(tmp_path):
    link = zipfile.ZipInfo("data/ISIC_1.jpg")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("data/ISIC_9.jpg", jpeg(1))
    with pytest.raises(ValueError, match="is a link or a device") as caught:
        check_archive(path, IDS)
    for words in ("ISIC_9.jpg has no label", "ISIC_1.jpg is missing", "ISIC_2.jpg is missing"):
        assert words in str(caught.value)


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    path = write(tmp_path / "a.zip", GOOD)
    data = bytearray(path.read_bytes())
    data[60:64] = bytes(b ^ 255 for b in data[60:64])  # inside the first member
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not a complete zip archive"):
        check_archive(path, IDS)
    with pytest.raises(ValueError, match=r"a\.zip cannot be extracted: .*downloaded again"):
        unpack(path, tmp_path / "out", IDS)
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name and file.is_dir()] == []


def test_pictures_are_found_in_the_order_of_the_ids(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("deep/ISIC_1.jpg", "ISIC_2.jpeg", ".ISIC_3.jpg", "mask.png"):
        (tmp_path / name).write_bytes(b"")
    found = find_pictures(tmp_path, IDS[::-1])
    assert found == [str(tmp_path / "ISIC_2.jpeg"), str(tmp_path / "deep" / "ISIC_1.jpg")]
    with pytest.raises(ValueError, match=r"ISIC_3\.jpg is missing, ISIC_2\.jpeg has no label"):
        find_pictures(tmp_path, np.array(["ISIC_1", "ISIC_3"]))
