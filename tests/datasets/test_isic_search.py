import csv
import errno
import re
import sys
import threading
from pathlib import Path

import isic_api_server
import numpy as np
import pytest
from isic_api_server import LICENCES, SEARCH, N, item, picture

from melanet.datasets import fetch_isic_archive, load_image_table, load_images
from melanet.utils import _download


@pytest.fixture(scope="module")
def shared():
    with isic_api_server.running() as running:
        yield running


@pytest.fixture
def server(shared):
    shared.reset()
    return shared


def asked(server, path):
    return [parameters for seen, parameters, _ in server.seen if seen == path]


def downloads(server):
    return [path for path, _, _ in server.seen if path.startswith("/files/")]


def rows_of(folder):
    with open(folder / "images.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def clinical(i):
    return item(i)["metadata"]["clinical"]


def test_pictures_targets_ids_and_groups_are_those_of_the_archive(server, tmp_path):
    data = fetch_isic_archive(data_home=tmp_path)
    assert data.ids.tolist() == [item(i)["isic_id"] for i in range(N)]
    assert [Path(path).read_bytes() for path in data.paths] == [picture(i) for i in range(N)]
    assert data.target_names == ["Benign", "Indeterminate", "Malignant"]
    labels = [data.target_names[t] if t >= 0 else None for t in data.target]
    assert labels == [clinical(i).get("diagnosis_1") for i in range(N)]
    assert data.patient_ids.tolist() == [clinical(i).get("patient_id", "") for i in range(N)]
    # Lesion 2 k shows in images 4 k and 4 k + 1, and patients join lesions: four images a group.
    assert np.unique(data.groups, return_inverse=True)[1].tolist() == [i // 4 for i in range(N)]
    assert data.n_matching == N
    assert data.left_out == {}
    assert [len(asked(server, SEARCH)), len(downloads(server))] == [3, N]
    assert load_images(data.paths, 8).shape == (N, 8, 8, 3)


def test_the_table_beside_the_pictures_has_licence_and_attribution(server, tmp_path):
    data = fetch_isic_archive(data_home=tmp_path)
    folder = Path(data.paths[0]).parent
    rows = rows_of(folder)
    assert folder == tmp_path / "isic-archive" / "full"
    for i, row in enumerate(rows):
        assert row["path"] == f"{item(i)['isic_id']}.jpg"
        assert row["licence"] == LICENCES[i % 3]
        assert row["attribution"] == item(i)["attribution"]
        assert int(row["bytes"]) == len(picture(i))
        for name in ("diagnosis_1", "diagnosis_3", "age_approx", "sex", "patient_id", "lesion_id"):
            assert row[name] == str(clinical(i).get(name, ""))
    assert not any(
        "http" in value or "Signature" in value for row in rows for value in row.values()
    )
    assert "4 CC-0, 4 CC-BY, 4 CC-BY-NC" in data.DESCR
    assert all(item(i)["attribution"] in data.DESCR for i in range(3))


def test_the_table_can_be_read_by_the_commands(server, tmp_path):
    fetch_isic_archive(diagnosis=["Malignant", "Benign"], data_home=tmp_path)
    found = load_image_table(tmp_path / "isic-archive" / "full" / "images.csv")
    assert sorted(set(found.labels)) == ["Benign", "Malignant"]
    assert load_images(found.paths, 8).any()


def test_frame_has_the_rows_of_the_images(server, tmp_path):
    pytest.importorskip("pandas")
    fetch_isic_archive(data_home=tmp_path)
    data = fetch_isic_archive("sex:male", data_home=tmp_path)
    assert data.frame.index.tolist() == data.ids.tolist()
    assert data.frame["age_approx"].tolist() == [30 + i for i in range(1, N, 2)]


def test_frame_is_none_without_pandas(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert fetch_isic_archive(n=1, data_home=tmp_path).frame is None


def test_a_second_call_lists_and_downloads_only_what_is_new(server, tmp_path):
    fetch_isic_archive("sex:male", data_home=tmp_path)
    first = downloads(server)
    server.seen.clear()
    data = fetch_isic_archive(data_home=tmp_path)
    assert len(first) == len(downloads(server)) == N // 2
    assert not set(first) & set(downloads(server))
    server.seen.clear()
    assert fetch_isic_archive(data_home=tmp_path).paths.tolist() == data.paths.tolist()
    assert not downloads(server)
    assert len(rows_of(tmp_path / "isic-archive" / "full")) == N


def test_query_diagnosis_and_collections_are_sent_as_the_archive_reads_them(server, tmp_path):
    fetch_isic_archive("sex:male", collections=[1, 3], diagnosis="Mel*", n=0, data_home=tmp_path)
    (parameters,) = asked(server, SEARCH)
    levels = " OR ".join(f'diagnosis_{level}:"Mel*"' for level in range(1, 6))
    assert parameters == {
        "query": f"(sex:male) AND ({levels})",
        "collections": "1,3",
        "limit": "1",
    }
    fetch_isic_archive(collections=2, n=3, data_home=tmp_path)
    assert asked(server, SEARCH)[1] == {"collections": "2", "limit": "3"}


def test_a_diagnosis_may_be_at_any_level(server, tmp_path):
    data = fetch_isic_archive(diagnosis="Melanoma*", data_home=tmp_path)
    assert [data.target_names[t] for t in data.target] == ["Malignant"] * 2


def test_zero_images_are_counted_and_nothing_is_written(server, tmp_path):
    data = fetch_isic_archive("sex:male", n=0, licence="CC-0", data_home=tmp_path)
    assert data.n_matching == N // 2
    assert [len(data.paths), len(data.target), len(data.groups)] == [0, 0, 0]
    assert not downloads(server)
    assert not list(tmp_path.iterdir())


def test_the_first_n_end_the_listing(server, tmp_path):
    data = fetch_isic_archive(n=4, data_home=tmp_path)
    assert data.ids.tolist() == [item(i)["isic_id"] for i in range(4)]
    assert len(asked(server, SEARCH)) == 1
    assert len(downloads(server)) == 4


def test_n_images_are_drawn_from_all_that_match(server, tmp_path):
    draws = [
        fetch_isic_archive(n=4, random_state=seed, data_home=tmp_path).ids.tolist()
        for seed in (0, 0, 1, 2, 3)
    ]
    assert draws[0] == draws[1]
    assert all(len(set(draw)) == 4 and draw == sorted(draw) for draw in draws)
    assert len({*map(tuple, draws)}) > 2
    assert int(max(map(max, draws))[5:]) > 5  # from the last page, too


def test_licences_are_chosen_before_the_number(server, tmp_path):
    data = fetch_isic_archive(n=3, licence="CC-0", data_home=tmp_path)
    assert data.ids.tolist() == [item(i)["isic_id"] for i in (0, 3, 6)]
    both = fetch_isic_archive(licence=["CC-0", "CC-BY"], data_home=tmp_path)
    assert len(both.ids) == 8
    assert {path[-11:-4] for path in downloads(server)} == {
        f"{i:07}" for i in range(N) if i % 3 < 2
    }


def test_too_few_matches_are_announced(server, tmp_path):
    with pytest.warns(UserWarning, match=r"n=5 images .* 4 match with a licence of \['CC-0'\]"):
        fetch_isic_archive(n=5, licence="CC-0", data_home=tmp_path)
    with pytest.warns(UserWarning, match="n=13 images were asked for, and 12 match"):
        fetch_isic_archive(n=13, random_state=0, data_home=tmp_path)


def test_thumbnails_lie_in_a_folder_of_their_own(server, tmp_path):
    data = fetch_isic_archive(n=2, size="thumbnail", data_home=tmp_path)
    assert [Path(p).read_bytes() for p in data.paths] == [picture(i, "thumbnail") for i in (0, 1)]
    assert Path(data.paths[0]).parent == tmp_path / "isic-archive" / "thumbnail"


def test_the_count_is_printed_before_the_first_picture(server, tmp_path, capfd):
    said = []
    server.after_pages = lambda server: said.append(capfd.readouterr().err)
    fetch_isic_archive(n=4, data_home=tmp_path, verbose=1)
    size = sum(len(picture(i)) for i in range(4)) / 1e6
    line = f"12 images match; 4 of them are taken, 4 to download ({size:,.1f} MB)"
    assert line in said[0]
    assert "4 images" in capfd.readouterr().err  # the bar
    fetch_isic_archive(n=0, data_home=tmp_path, verbose=1)
    assert "12 images match; 0 of them are taken" in capfd.readouterr().err


def test_nothing_is_printed_or_asked_without_the_call(server, tmp_path, capfd):
    fetch_isic_archive(n=1, data_home=tmp_path)
    assert capfd.readouterr() == ("", "")
    server.seen.clear()
    with pytest.raises(ValueError, match="n must be"):
        fetch_isic_archive(n=-1, data_home=tmp_path)
    assert not server.seen


def test_an_interrupted_fetch_keeps_its_pictures_and_their_rows(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "_TRIES", 1)
    monkeypatch.setattr(_download, "_CHUNK", 100)  # the picture is small
    whole = picture(11)
    server.plans = {"/files/full/ISIC_0000011.jpg": [{"cut": len(whole) // 2}]}
    with pytest.raises(ConnectionError, match="the same call goes on from there"):
        fetch_isic_archive(data_home=tmp_path)
    rows = rows_of(tmp_path / "isic-archive" / "full")
    assert [row["isic_id"] for row in rows] == [item(i)["isic_id"] for i in range(N - 1)]
    server.seen.clear()
    server.signature = "second"  # the address is another when it goes on
    data = fetch_isic_archive(data_home=tmp_path)
    assert Path(data.paths[-1]).read_bytes() == whole
    ((_, _, headers),) = [seen for seen in server.seen if seen[0].startswith("/files/")]
    assert headers["Range"].startswith("bytes=")


def test_a_damaged_or_unknown_picture_is_checked(server, tmp_path):
    data = fetch_isic_archive(data_home=tmp_path)
    folder = Path(data.paths[0]).parent
    Path(data.paths[0]).write_bytes(picture(0)[:100])  # another size than in the table
    Path(data.paths[1]).unlink()
    rows = (folder / "images.csv").read_text().splitlines(keepends=True)
    (folder / "images.csv").write_text("".join([*rows[:3], *rows[5:]]))  # 2 and 3 have no rows
    Path(data.paths[2]).write_bytes(b"no picture")
    server.seen.clear()
    again = fetch_isic_archive(data_home=tmp_path)
    assert [Path(path).read_bytes() for path in again.paths] == [picture(i) for i in range(N)]
    assert sorted(path[-5] for path in downloads(server)) == ["0", "1", "2"]
    assert len(rows_of(folder)) == N


def test_an_image_withdrawn_later_stays_in_the_folder(server, tmp_path):
    fetch_isic_archive(data_home=tmp_path)
    server.withdrawn = {3}
    data = fetch_isic_archive(data_home=tmp_path)
    assert "ISIC_0000003" not in data.ids
    assert "ISIC_0000003" in [row["isic_id"] for row in rows_of(tmp_path / "isic-archive/full")]


def test_a_full_disk_leaves_no_incomplete_picture(server, tmp_path, monkeypatch):
    usage = _download.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(_download.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="does not fit on its disk") as caught:
        fetch_isic_archive(data_home=tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.rglob("*.jpg*"))


def test_a_page_cannot_lead_to_another_server(server, tmp_path):
    # The next pages name a host that does not exist; only their parameters are used.
    assert len(fetch_isic_archive(data_home=tmp_path).ids) == N
    assert [p.get("cursor") for p in asked(server, SEARCH)] == [None, "5", "10"]


def test_two_calls_at_once_share_the_downloads(server, tmp_path):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch_isic_archive(data_home=tmp_path)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(data.ids) for data in results] == [N, N]
    assert len(downloads(server)) == N


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "nonsense"}, "query must be in the archive's language.*query='nonsense'"),
        ({"collections": []}, "collections must name one"),
        ({"collections": ["1"]}, "collections must be a positive integer"),
        ({"collections": 0}, "collections must be a positive integer"),
        ({"diagnosis": ""}, "diagnosis must be a name"),
        ({"diagnosis": []}, "diagnosis must be a name"),
        ({"diagnosis": 'a"b'}, "diagnosis must be a name"),
        ({"n": 1.5}, "n must be an integer of at least 0"),
        ({"size": "large"}, "size must be 'full' or 'thumbnail'. Received: size='large'"),
        ({"licence": "CC0"}, "licence must be one or several of CC-0, CC-BY, CC-BY-NC"),
        ({"licence": []}, "licence must be one or several of"),
        ({"data_home": 3}, "data_home must be a path"),
    ],
)
def test_invalid_parameters_are_rejected(server, arguments, message):
    with pytest.raises(ValueError, match=message):
        fetch_isic_archive(**arguments)


def test_representations_show_no_signature():
    from melanet.datasets._isic_api import ArchiveImage

    image = ArchiveImage("ISIC_0000000", "CC-0", "", {}, "https://x/y?Signature=secret", 3)
    assert not re.search("secret|Signature", repr(image))
