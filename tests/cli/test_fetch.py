import re

import isic_api_server
import isic_server
import pytest

from melanet.cli import main


def test_fetch_prints_the_downloaded_subsets(tmp_path, capsys):
    pattern = r"(\w+): 10 images in .*isic2016.*, {'benign': 7, 'malignant': 3}"
    with isic_server.running() as server:
        where = ["--data-home", str(tmp_path), "--mirror", server.mirror]
        main(["fetch", "isic2016", *where])
        assert re.findall(pattern, capsys.readouterr().out) == ["train", "test"]
        main(["fetch", "isic2017", "--subset", "test", *where])
    assert "test: 10 images in" in capsys.readouterr().out


def test_fetch_archive_prints_images_classes_and_the_table(tmp_path, capsys):
    where = ["fetch", "isic-archive", "--data-home", str(tmp_path)]
    with isic_api_server.running():
        main([*where, "--query", "sex:male", "--n", "0"])
        assert "0 images fetched; 6 match" in capsys.readouterr().out
        licences = ["--licence", "CC-0", "--licence", "CC-BY"]
        main([*where, "--diagnosis", "Benign", "--n", "3", "--size", "thumbnail", *licences])
        out, err = capsys.readouterr()
        main([*where, "--collection", "1", "--n", "2", "--seed", "0"])
    assert "3 images of 3 patients or lesions, {'Benign': 3}" in out
    assert f"{tmp_path / 'isic-archive' / 'thumbnail' / 'images.csv'}. Not for diagnosis" in out
    assert "6 images match; 3 of them are taken, 3 to download" in err
    assert "2 images of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["isic2016", "--query", "sex:male"], "--query is no option of isic2016"),
        (["isic2018", "--n", "3"], "--n is no option of isic2018"),
        (["isic-archive", "--subset", "test"], "--subset is no option of isic-archive"),
        (["isic-archive", "--mirror", "http://x"], "--mirror is no option of isic-archive"),
        (["isic-archive", "--seed", "3"], "--seed draws N images at random: give --n"),
    ],
)
def test_options_of_another_data_set_are_refused(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(["fetch", *words])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
