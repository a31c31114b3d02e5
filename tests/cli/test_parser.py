import csv
import json
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import isic_server
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from melanet import GANOversampler, MelaNet, __version__
from melanet.cli import main
from melanet.cli._train_classifier import read_synthetic
from melanet.datasets import make_lesions


def write_classes(folder, n, seed, size=24):
    X, y = make_lesions(n, weights=(0.75, 0.25), image_size=size, random_state=seed)
    for i, (image, label) in enumerate(zip(X, y)):
        path = folder / ("benign", "malignant")[label] / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def run_failing(capsys, *argv):
    """Run a command that must fail, and return its one-line error message."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in argv])
    assert stop.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("melanet:")]
    assert len(errors) == 1
    return errors[0]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Return a folder with images, a CycleGAN, synthetic images and a classifier."""
    folder = tmp_path_factory.mktemp("work")
    train = str(write_classes(folder / "train", 24, 0))
    write_classes(folder / "test", 16, 1)
    gan, made, model = (str(folder / name) for name in ("b2m.keras", "made", "model.melanet"))
    main(
        [
            "train-gan",
            train,
            "--out",
            gan,
            "--steps",
            "4",
            "--size",
            "16",
            "--preset",
            "default",
        ]
    )
    main(["oversample", train, made, "--model", gan, "--preset", "paper", "--seed", "3"])
    small = ["--backbone", "small", "--size", "16", "--epochs", "2"]
    main(["train-classifier", train, "--synthetic", made, "--out", model, *small])
    return folder


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in ("demo", "fetch", "train-gan", "oversample", "train-classifier", "evaluate"):
        assert command in printed
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


def test_help_imports_no_backend():
    code = (
        "import sys\nfrom melanet.cli import main\n"
        "try:\n    main(['oversample', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('keras', 'tensorflow', 'torch', 'jax', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_invalid_use_exits_with_status_2_and_a_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "n_seeds must be at least 1" in run_failing(
        capsys, "demo", "--seeds", 0, "--out", tmp_path
    )


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "melanet", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"melanet {__version__}"


def test_train_gan_writes_a_model_its_losses_and_sample_images(work):
    record = rows(work / "b2m.record.csv")
    assert [row["epoch"] for row in record] == ["1", "2", "3", "4"]
    assert all(np.isfinite(float(row["cycle_loss"])) for row in record)
    assert (work / "b2m.samples" / "epoch-0004.png").is_file()
    assert not (work / ".b2m.keras.training").exists()
    X, y = make_lesions(12, image_size=16, weights=(0.75, 0.25), random_state=0)
    sampler = GANOversampler(pretrained={1: work / "b2m.keras"}, reject=False, random_state=0)
    assert np.bincount(sampler.fit_resample(X, y)[1]).tolist() == [9, 9]


def test_oversample_writes_a_manifest_with_the_sources(work):
    made = rows(work / "made" / "manifest.csv")
    files = {p.relative_to(work / "made").as_posix() for p in (work / "made").rglob("*.png")}
    assert files == {row["file"] for row in made}
    assert len(made) == 18 - 6  # 24 images, a quarter malignant
    assert {(r["label"], r["source_label"], r["kind"], r["seed"]) for r in made} == {
        ("malignant", "benign", "translation", "3")
    }
    assert {row["model"] for row in made} == {str(work / "b2m.keras")}
    assert len({row["source"] for row in made}) == 12  # no source is used twice
    assert all((work / "train" / row["source"]).is_file() for row in made)
    assert {Image.open(work / "made" / file).size for file in files} == {(16, 16)}
    assert sum(1 for _ in (work / "train").rglob("*.png")) == 24


def test_evaluate_reports_what_the_model_predicts(work, capsys):
    main(["evaluate", str(work / "model.melanet"), str(work / "test"), "--out", str(work / "ev")])
    printed = capsys.readouterr().out
    assert "Not for diagnosis" in printed
    assert "16 samples, 4 positive, 12 negative" in printed
    predictions = rows(work / "ev" / "predictions.csv")
    assert len(predictions) == 16
    scores = np.array([float(row["probability of malignant"]) for row in predictions])
    auc = roc_auc_score([row["label"] == "malignant" for row in predictions], scores)
    written = json.loads((work / "ev" / "report.json").read_text())
    assert written["auc"] == pytest.approx(auc)
    assert "Not for diagnosis" in written["notice"]
    table = {row["measure"]: row for row in rows(work / "ev" / "report.csv")}
    assert float(table["auc"]["value"]) == pytest.approx(auc)
    assert float(table["auc"]["low"]) < auc < float(table["auc"]["high"])
    model = MelaNet.load(work / "model.melanet")
    picture = np.asarray(Image.open(predictions[5]["file"]).resize((16, 16), Image.Resampling.BOX))
    assert model.predict_proba(picture[None])[0, 1] == pytest.approx(scores[5], abs=0.02)
    assert model.classes_.tolist() == ["benign", "malignant"]


def test_synthetic_images_of_validation_images_are_left_out(work):
    made = rows(work / "made" / "manifest.csv")
    held_out = [work / "train" / made[i]["source"] for i in range(2)]
    arguments = Namespace(source=work / "train", synthetic=work / "made", size=16)
    kept = [path for path in (work / "train").rglob("*.png") if path not in held_out]
    X, y = read_synthetic(arguments, kept, held_out)
    assert X.shape == (10, 16, 16, 3)
    kept = {np.asarray(Image.open(work / "made" / row["file"])).tobytes() for row in made[2:]}
    assert {image.tobytes() for image in X} == kept
    assert set(y) == {"malignant"}


def test_commands_reject_bad_input_in_one_line(work, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    one_class = tmp_path / "one"
    (one_class / "benign").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(one_class / "benign" / "a.png")
    train, model = work / "train", work / "model.melanet"
    small = ("--backbone", "small", "--size", 16)
    for words, part in (
        (("train-gan", tmp_path / "none", "--out", "a.keras"), "is not a folder"),
        (("train-gan", one_class, "--out", "a.keras"), "two classes or more"),
        (("train-gan", train, "--size", 16, "--out", tmp_path / "a.h5"), "must end in .keras"),
        (("train-gan", train, "--size", 16, "--out", "a.keras", "--to", "x"), "target must be one"),
        (("oversample", train, work / "made"), "new or an empty folder"),
        (("oversample", train, tmp_path / "m", "--model", tmp_path / "x.keras"), "x.keras"),
        (("oversample", train, tmp_path / "m", "--sampling-strategy", "a=b"), "'malignant=900"),
        (("train-classifier", tmp_path / "empty", "--out", "m", *small), "has no subfolders"),
        (
            ("train-classifier", train, "--synthetic", train, "--out", "m", *small),
            "no manifest.csv",
        ),
        (("fetch", "isic2016", "--data-home", tmp_path / "one", "--mirror", "x"), "http://"),
        (("evaluate", tmp_path / "none", work / "test"), "path of an existing file"),
        (("evaluate", model, one_class, "--positive", "x"), "positive='x'"),
    ):
        assert part in run_failing(capsys, *words), words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "one"]


def test_fetch_prints_the_downloaded_subsets(tmp_path, capsys):
    pattern = r"(\w+): 10 images in .*isic2016.*, {'benign': 7, 'malignant': 3}"
    with isic_server.running() as server:
        where = ["--data-home", str(tmp_path), "--mirror", server.mirror]
        main(["fetch", "isic2016", *where])
        assert re.findall(pattern, capsys.readouterr().out) == ["train", "test"]
        main(["fetch", "isic2017", "--subset", "test", *where])
    assert "test: 10 images in" in capsys.readouterr().out


def test_the_backends_own_messages_are_hidden(tmp_path):
    """Hide TensorFlow's messages, which its compiled code writes to the file descriptor."""
    code = "from melanet.cli import main; main(['evaluate', 'none.keras', 'none'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert re.fullmatch(r"melanet: .*'none.keras'.*\n", done.stderr)
