import numpy as np
import pytest
from commands import read_rows, run, run_failing
from PIL import Image

from melanet import GANOversampler
from melanet.datasets import make_lesions
from melanet.gan import training


def test_train_gan_writes_a_model_its_losses_and_sample_images(work):
    record = read_rows(work / "b2m.record.csv")
    assert [row["epoch"] for row in record] == ["1", "2", "3", "4"]
    assert all(np.isfinite(float(row["cycle_loss"])) for row in record)
    assert (work / "b2m.samples" / "epoch-0004.png").is_file()
    assert not (work / ".b2m.keras.training").exists()
    X, y = make_lesions(12, image_size=16, weights=(0.75, 0.25), random_state=0)
    sampler = GANOversampler(pretrained={1: work / "b2m.keras"}, reject=False, random_state=0)
    assert np.bincount(sampler.fit_resample(X, y)[1]).tolist() == [9, 9]


def write_sides(folder):
    """Write black images to trainA and white ones to trainB."""
    for side, level in (("A", 0), ("B", 255)):
        (folder / f"train{side}").mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (8, 8), (level,) * 3).save(folder / f"train{side}" / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ([], (0, 255)),
        (["--from", "B", "--to", "A"], (255, 0)),
        (["--from", "B"], (255, 0)),
        (["--to", "A"], (255, 0)),
        (["--from", "A"], (0, 255)),
    ],
)
def test_the_named_sides_are_used(tmp_path, monkeypatch, capsys, options, levels):
    calls = []
    monkeypatch.setattr(training, "train_and_save", lambda A, B, *_, **__: calls.append((A, B)))
    run("train-gan", write_sides(tmp_path / "ab"), "--out", tmp_path / "x.keras", *options)
    ((A, B),) = calls
    assert (A.min(), A.max(), B.min(), B.max()) == (*levels[:1] * 2, *levels[1:] * 2)
    assert A.shape == B.shape == (2, 256, 256, 1)  # grey, in colour files
    assert f"from {'AB'[levels[0] > 0]} to {'AB'[levels[1] > 0]}" in capsys.readouterr().out


def test_one_image_in_colour_makes_three_channels(tmp_path, monkeypatch):
    shapes = []
    monkeypatch.setattr(training, "train_and_save", lambda A, B, *_, **__: shapes.append(A.shape))
    folder = write_sides(tmp_path / "ab")
    Image.new("RGB", (8, 8), (255, 255, 200)).save(folder / "trainB" / "1.png")
    run("train-gan", folder, "--out", tmp_path / "x.keras", "--size", 8)
    assert shapes == [(2, 8, 8, 3)]


def test_classes_that_do_not_exist_are_refused(tmp_path, capsys):
    words = ["train-gan", write_sides(tmp_path / "ab"), "--out", tmp_path / "x.keras"]
    line = run_failing(capsys, *words, "--from", "nonsense", "--to", "rubbish")
    assert "--from must be one of ['A', 'B']. Received: 'nonsense'" in line
    assert "--to" in run_failing(capsys, *words, "--to", "")
    assert "'A' for both" in run_failing(capsys, *words, "--from", "A", "--to", "A")


def test_an_output_that_cannot_be_written_is_refused_before_images_are_read(tmp_path, capsys):
    folder = write_sides(tmp_path / "ab")
    (folder / "trainA" / "0.png").write_bytes(b"no image")
    (tmp_path / "x.keras").mkdir()
    line = run_failing(capsys, "train-gan", folder, "--out", tmp_path / "x.keras")
    assert f"{str(tmp_path / 'x.keras')!r}, which is a folder" in line
