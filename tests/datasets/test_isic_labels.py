import io
import zipfile

import numpy as np
import pytest

from melanet.datasets._isic_labels import check_table, read_labels

TWO = {"benign": None, "malignant": "target"}
THREE = {"nevus": None, "melanoma": "melanoma", "keratosis": "seborrheic_keratosis"}
SEVEN = {name: name for name in ("MEL", "NV", "BCC")}


@pytest.fixture
def write(tmp_path):
    def write(data, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.mark.parametrize("no", ["benign", "Benign", "0", "0.0", "0.00", " 0", '"benign"'])
@pytest.mark.parametrize("yes", ["malignant", "MALIGNANT", "1", "1.0", "1e0", '"1.0"'])
@pytest.mark.parametrize("header", ["", "image_id,target\n", "image,diagnosis\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_two_classes_in_every_spelling(write, no, yes, header, end, mark):
    text = f"{header}ISIC_0000001,{no}\nISIC_0000000,{yes}\n\nISIC_0000002.jpg,{no}"
    ids, target = read_labels(write(mark + text.replace("\n", end).encode()), TWO)
    assert ids == ["ISIC_0000001", "ISIC_0000000", "ISIC_0000002"]
    assert target.tolist() == [0, 1, 0]
    assert target.dtype == np.int64


def test_columns_are_found_by_name(write):
    text = (
        "image_id,seborrheic_keratosis,note,melanoma\n"
        "ISIC_0000000,0.0,0.7,0.0\nISIC_0000001,1.0,,0.0\nISIC_0000002_downsampled,0,,1\n"
    )
    ids, target = read_labels(write(text), THREE)
    assert target.tolist() == [0, 2, 1]
    assert ids[2] == "ISIC_0000002_downsampled"
    text = "image,NV,MEL,BCC,score_weight\nISIC_1,1.0,0.0,0.0,0.5\nISIC_2,0,1,0,1\nISIC_3,0,0,1,1\n"
    assert read_labels(write(text), SEVEN)[1].tolist() == [1, 0, 2]


def test_other_columns_than_the_target_are_ignored(write):
    text = "image_name,age,benign_malignant,target\nISIC_1,40,benign,0\nISIC_2,,malignant,1\n"
    assert read_labels(write(text), TWO)[1].tolist() == [0, 1]


def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def test_a_table_may_be_zipped(write):
    table = ("folder/labels.csv", "ISIC_1,benign\nISIC_2,malignant\n")
    packed = zipped(table, ("__MACOSX/folder/._labels.csv", "x"), ("LICENSE.txt", "y"))
    # Downloads are read before they get their final name.
    for name in ("labels.zip", ".labels.zip.partial"):
        assert read_labels(write(packed, name), TWO)[1].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"labels\.zip must hold one CSV file. Received: 2"):
        read_labels(write(zipped(table, ("b.csv", "")), ".labels.zip.partial"), TWO)
    with pytest.raises(ValueError, match="not a complete zip archive"):
        read_labels(write(packed[:-30], "labels.zip"), TWO)
    with pytest.raises(ValueError, match="too large for a table"):
        read_labels(write(zipped(("a.csv", bytes(65 << 20))), "labels.zip"), TWO)


@pytest.mark.parametrize(
    ("text", "classes", "words"),
    [
        ("", TWO, ["is empty"]),
        ("\n\n", TWO, ["is empty"]),
        ("image,target\n", TWO, ["only a header"]),
        ("<html>\n<body>\n", TWO, ["not a table of ISIC images", "'<body>'"]),
        ("ISIC_1,0\nlesion2,1\nISIC_3,0\nx,1\n", TWO, ["line 2 ('lesion2')", "line 4 ('x')"]),
        ("ISIC_1,maybe\nISIC_2,0\nISIC_3,0.5\n", TWO, ["line 1 (ISIC_1): 'maybe'", "'0.5'"]),
        ("ISIC_1,nan\nISIC_2,\nISIC_3\n", TWO, ["'nan'", "line 2", "(ISIC_3): 'no label'"]),
        ("ISIC_1,0\nISIC_2,1\nISIC_1,0\nISIC_2,1\n", TWO, ["more than once: ISIC_1, ISIC_2"]),
        ("ISIC_1,0,1\n", TWO, ["must have a header"]),
        ("ISIC_1,0,1\n", THREE, ["must have a header", "'melanoma'"]),
        ("image,melanoma\nISIC_1,1\n", THREE, ["must have the columns ['seborrheic_keratosis']"]),
        (
            "image,melanoma,seborrheic_keratosis\nISIC_1,1,1\nISIC_2,0,0\n",
            THREE,
            ["line 2 (ISIC_1): 2 classes"],
        ),
        (
            "image,MEL,NV,BCC\nISIC_1,0,0,0\nISIC_2,1,0,1\nISIC_3,1,0,0\nISIC_4,1,0\n",
            SEVEN,
            ["line 2 (ISIC_1): 0 classes", "line 3 (ISIC_2): 2", "line 5 (ISIC_4): '1, 0'"],
        ),
        (b"ISIC_1,\xff\xfe\n", TWO, ["UTF-8"]),
        ('ISIC_1,"benign\n', TWO, ["not a CSV file"]),
    ],
)
def test_all_problems_are_listed_at_once(write, text, classes, words):
    with pytest.raises(ValueError, match=r"labels\.csv") as caught:
        read_labels(write(text), classes)
    for word in words:
        assert word in str(caught.value)


def test_the_number_of_rows_is_checked(write):
    path = write("ISIC_1,0\nISIC_2,1\n")
    assert len(read_labels(path, TWO, 2)[0]) == 2
    with pytest.raises(ValueError, match="have 900 labelled images, as published. Received: 2"):
        read_labels(path, TWO, 900)


def test_long_lists_are_shortened(write):
    path = write("".join(f"ISIC_{i},?\n" for i in range(1000)))
    with pytest.raises(ValueError, match="and 800 more") as caught:
        read_labels(path, TWO)
    assert "ISIC_199)" in str(caught.value)
    assert "ISIC_200)" not in str(caught.value)


def test_metadata_tables_are_checked(write):
    path = write("image,age\nISIC_1,30\nISIC_2,\nISIC_2,40\nISIC_3,4,5\n")
    check_table(path, ["ISIC_1"])
    for ids, words in (
        (["ISIC_1", "ISIC_2"], "more than once: ISIC_2"),
        (["ISIC_1", "ISIC_5", "ISIC_4"], "no row for ISIC_4, ISIC_5"),
        (["ISIC_3"], "of another length than its header: ISIC_3"),
    ):
        with pytest.raises(ValueError, match=words):
            check_table(path, ids)
    with pytest.raises(ValueError, match="no header"):
        check_table(write("ISIC_1,30\n"), ["ISIC_1"])
