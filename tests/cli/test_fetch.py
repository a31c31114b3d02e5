import re

import isic_server

from melanet.cli import main


def test_fetch_prints_the_downloaded_subsets(tmp_path, capsys):
    pattern = r"(\w+): 10 images in .*isic2016.*, {'benign': 7, 'malignant': 3}"
    with isic_server.running() as server:
        where = ["--data-home", str(tmp_path), "--mirror", server.mirror]
        main(["fetch", "isic2016", *where])
        assert re.findall(pattern, capsys.readouterr().out) == ["train", "test"]
        main(["fetch", "isic2017", "--subset", "test", *where])
    assert "test: 10 images in" in capsys.readouterr().out
