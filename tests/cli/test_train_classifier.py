import csv
import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from negatives import negative, write_colours
from PIL import Image

from melanet.cli._oversample import oversample_folder
from melanet.cli._train_classifier import read_synthetic, run


@pytest.fixture
def work(tmp_path):
    """Return a folder with 12 benign and 4 malignant images, and a model of negatives."""
    write_colours(tmp_path / "src", {"benign": 12, "malignant": 4})
    negative().generator_ab.save(tmp_path / "g.keras")
    return tmp_path


def oversample(work, source, name):
    options = {"models": [f"malignant={work / 'g.keras'}"], "preset": "paper"}
    assert oversample_folder(source, work / name, **options) == {"malignant": 8}
    return work / name


def table(work, folder, spell):
    """Write a CSV file of the images into a folder, with paths as `spell` writes them."""
    (work / folder).mkdir(exist_ok=True)
    lines = [f"{spell(p)},{p.parent.name}" for p in sorted((work / "src").rglob("*.png"))]
    path = work / folder / "labels.csv"
    path.write_text("\n".join(["path,label", *lines]) + "\n")
    return path


def sources(work):
    """Return sources in every spelling."""
    (work / "link").symlink_to(work / "src")
    yield "folder", work / "src"
    yield "link", work / "link"
    yield "dots", work / "src" / "benign" / ".." / ".." / "src"
    yield "absolute", table(work, "t", lambda path: path)
    yield (
        "dotted",
        table(work, "t2", lambda path: f"../src/benign/../{path.relative_to(work / 'src')}"),
    )
    yield "linked", table(work, "t3", lambda path: work / "link" / path.relative_to(work / "src"))
    yield "above", table(work, ".", lambda path: path.relative_to(work))


def test_pictures_made_of_validation_pictures_are_left_out_however_they_are_named(work):
    paths = sorted((work / "src").rglob("*.png"))
    benign = [path for path in paths if path.parent.name == "benign"]
    held = [*benign[::2], paths[-1]]
    kept = [path for path in paths if path not in held]
    allowed = {255 - np.asarray(Image.open(path))[0, 0, 0] for path in kept}
    for name, source in sources(work):
        made = oversample(work, source, f"made-{name}")
        with (made / "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        n_kept = sum((made / row["source_file"]).resolve() in kept for row in rows)
        arguments = Namespace(source=work / "src", synthetic=made, size=8)
        X, y = read_synthetic(arguments, kept, held)
        assert 0 < n_kept < 8
        assert len(X) == n_kept, name
        assert {int(image[0, 0, 0]) for image in X} <= allowed, name
        assert set(y.tolist()) == {"malignant"}


def test_the_source_folder_may_have_moved(work):
    made = oversample(work, work / "src", "made")
    (work / "src").rename(work / "elsewhere")
    paths = sorted((work / "elsewhere").rglob("*.png"))
    arguments = Namespace(source=work / "elsewhere", synthetic=made, size=8)
    X, _ = read_synthetic(arguments, paths[6:], paths[:6])
    (work / "src").mkdir()
    assert 0 < len(X) < 8
    with pytest.raises(ValueError, match="must have been made of"):
        read_synthetic(Namespace(**{**vars(arguments), "source": work / "src"}), [], [])


def test_pictures_of_another_folder_are_refused(work):
    write_colours(work / "other", {"benign": 12, "malignant": 4})
    made = oversample(work, work / "other", "made")
    paths = sorted((work / "src").rglob("*.png"))
    for path in paths:  # names that exist in both folders are not enough
        path.rename(path.with_name(f"x{path.name}"))
    paths = sorted((work / "src").rglob("*.png"))
    with pytest.raises(ValueError, match="must have been made of"):
        read_synthetic(Namespace(source=work / "src", synthetic=made, size=8), paths, [])


def test_validation_pictures_must_not_be_training_pictures(work):
    (work / "val").mkdir()
    os.symlink(work / "src" / "benign", work / "val" / "benign")
    os.symlink(work / "src" / "malignant", work / "val" / "malignant")
    for folder in ("src", "val"):
        arguments = Namespace(
            source=str(work / "src"),
            validation=str(work / folder),
            size=8,
            seed=0,
            synthetic=None,
            backbone="small",
            backbone_weights=None,
            out=str(work / "m"),
        )
        with pytest.raises(ValueError, match=r"are the same file"):
            run(arguments)
    assert not Path(work / "m").exists()
