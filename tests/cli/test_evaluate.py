import csv
import itertools
import json
import warnings

import numpy as np
import pytest
from brightness import brightness_classifier, write_levels
from commands import read_rows, run, run_failing
from PIL import Image
from sklearn.metrics import roc_auc_score

from melanet import MelaNet
from melanet.cli import main
from melanet.cli._evaluate import find_positive, match_folders
from melanet.exceptions import ScaleWarning
from melanet.metrics import screening_report
from melanet.preprocessing import read_form


def evaluate(tmp_path, classes, folders, *options):
    """Evaluate a classifier that is always right, on folders in the order of its classes."""
    model = tmp_path / "m.melanet"
    brightness_classifier(tmp_path, classes).save(model)
    write_levels(tmp_path / "set", folders)
    main(["evaluate", str(model), str(tmp_path / "set"), *options, "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        predictions = list(csv.DictReader(file))
    return json.loads((tmp_path / "out" / "report.json").read_text()), predictions


def test_folders_that_sort_as_text_are_matched_with_classes_that_sort_as_numbers(tmp_path):
    report, predictions = evaluate(tmp_path, [9, 10], ["9", "10"], "--positive", "10")
    assert report["auc"] == report["sensitivity"] == report["specificity"] == 1
    for row in predictions:
        assert (float(row["probability of 10"]) > 0.5) == ("/10/" in row["file"])
        assert row["label"] in row["file"].split("/")


@pytest.mark.parametrize("positive", ["nevus", "keratosis", "melanoma"])
def test_each_class_is_measured_under_its_own_name(tmp_path, positive):
    names = ["nevus", "keratosis", "melanoma"]  # not the order of the folders
    report, predictions = evaluate(tmp_path, names, names, "--positive", positive)
    assert report["positive"] == positive
    assert (report["n_positive"], report["auc"]) == (4, 1)
    scores = {row["file"]: float(row[f"probability of {positive}"]) for row in predictions}
    highest = sorted(scores, key=scores.get)[-4:]
    assert all(f"/{positive}/" in file for file in highest)


def test_a_mapping_says_which_folder_holds_which_class(tmp_path):
    options = ["--label", "nevi=0", "--label", "a=b=1", "--positive", "a=b"]
    report, predictions = evaluate(tmp_path, [0, 1], ["nevi", "a=b"], *options)
    assert (report["auc"], report["positive"]) == (1, "1")
    assert {(row["file"].split("/")[-2], row["label"]) for row in predictions} == {
        ("nevi", "0"),
        ("a=b", "1"),
    }


def test_names_that_do_not_match_are_refused_with_both_sides(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate(tmp_path, [0, 1], ["benign", "malignant"], "--positive", "1")
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "['0', '1']" in error
    assert "['benign', 'malignant']" in error
    assert "--label FOLDER=CLASS" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("order", list(itertools.permutations(["9", "10", "1.0"])))
def test_order_never_matters(order):
    classes = ["1", "9", "10"]
    found = match_folders(order, classes).tolist()
    assert [float(classes[code]) for code in found] == [float(name) for name in order]


def test_the_positive_class_is_named_or_known():
    assert find_positive(["malignant", "benign"], None) == 0
    assert find_positive([np.int64(0), np.int64(1)], None) == 1
    for classes in (["9", "10"], ["a", "b"], ["0", "1", "2"]):
        with pytest.raises(ValueError, match="must name the class to screen for"):
            find_positive(classes, None)
    for labels, message in ((["a"], "such as"), (["a=0", "a=1"], "once"), (["x=0"], "'x'")):
        with pytest.raises(ValueError, match=message):
            match_folders(["a", "0", "1"], ["0", "1"], labels)


def test_evaluate_reports_what_the_model_predicts(work, capsys):
    run("evaluate", work / "model.melanet", work / "test", "--out", work / "ev")
    printed = capsys.readouterr().out
    assert "Not for diagnosis" in printed
    assert "16 samples, 4 positive, 12 negative" in printed
    predictions = read_rows(work / "ev" / "predictions.csv")
    assert len(predictions) == 16
    scores = np.array([float(row["probability of malignant"]) for row in predictions])
    auc = roc_auc_score([row["label"] == "malignant" for row in predictions], scores)
    written = json.loads((work / "ev" / "report.json").read_text())
    assert written["auc"] == pytest.approx(auc)
    assert "Not for diagnosis" in written["notice"]
    table = {row["measure"]: row for row in read_rows(work / "ev" / "report.csv")}
    assert float(table["auc"]["value"]) == pytest.approx(auc)
    assert float(table["auc"]["low"]) < auc < float(table["auc"]["high"])
    model = MelaNet.load(work / "model.melanet")
    picture = np.asarray(Image.open(predictions[5]["file"]).resize((16, 16), Image.Resampling.BOX))
    assert model.predict_proba(picture[None])[0, 1] == pytest.approx(scores[5], abs=0.02)
    assert model.classes_.tolist() == ["benign", "malignant"]


def test_intervals_are_those_of_the_groups_of_a_table(work, tmp_path, capsys):
    run("evaluate", work / "model.melanet", work / "test", "--out", tmp_path / "plain")
    plain = json.loads((tmp_path / "plain" / "report.json").read_text())
    files = [(row["file"], row["label"]) for row in read_rows(tmp_path / "plain/predictions.csv")]
    table = tmp_path / "test.csv"
    lines = [f"{file},{label},P{i // 2}" for i, (file, label) in enumerate(files)]
    table.write_text("\n".join(["path,label,lesion_id", *lines]) + "\n")
    run("evaluate", work / "model.melanet", table, "--out", tmp_path / "grouped")
    assert "intervals by 8 groups" in capsys.readouterr().out
    grouped = json.loads((tmp_path / "grouped" / "report.json").read_text())
    assert (grouped["auc"], grouped["n_groups"]) == (plain["auc"], 8)
    assert grouped["groups"] == "lesion_id"
    rows = read_rows(tmp_path / "grouped" / "predictions.csv")
    scores = [float(row["probability of malignant"]) for row in rows]
    expected = screening_report(
        [label == "malignant" for _, label in files], scores, groups=[i // 2 for i in range(16)]
    )
    assert grouped["specificity_low"] == pytest.approx(expected["specificity_low"])
    assert len({row["group"] for row in rows}) == 8


FORMS = {  # how the images of fit are made of bytes
    "bytes": lambda X: X,
    "unit": lambda X: (X / 255).astype("float32"),
    "unit of doubles": lambda X: X / 255,
    "symmetric": lambda X: X / 127.5 - 1,
    "words": lambda X: X.astype("uint16") * 257,
    "byte floats": lambda X: X.astype("float32"),
    "grey": lambda X: X[..., 0],
    "grey unit": lambda X: X[..., :1] / 255,
    "bits": lambda X: X > 127,
}


@pytest.mark.parametrize("form", FORMS)
def test_files_are_brought_to_the_scale_of_fit(tmp_path, form):
    """Evaluate a model whose images of fit had a scale, and compare with that of bytes."""
    levels = np.repeat(np.array([0, 255], "uint8"), 8)
    X = np.broadcast_to(levels[:, None, None, None], (16, 8, 8, 3)).copy()
    known = brightness_classifier(tmp_path, ["a", "b"])
    model = MelaNet(backbone="small", input_size=8, random_state=0)
    # As fit leaves it, without the training.
    model.model_, model.classes_, model.history_ = known.model_, known.classes_, {}
    model.form_ = read_form(FORMS[form](X))
    model.value_range_, model.dtype_ = model.form_.value_range, FORMS[form](X).dtype
    model.save(tmp_path / "m.melanet")
    write_levels(tmp_path / "set", ["a", "b"])
    out = tmp_path / "out"
    main(
        [
            "evaluate",
            f"{tmp_path}/m.melanet",
            f"{tmp_path}/set",
            "--positive",
            "b",
            "--out",
            f"{out}",
        ]
    )
    report = json.loads((out / "report.json").read_text())
    assert report["auc"] == report["sensitivity"] == report["specificity"] == 1
    for row in read_rows(out / "predictions.csv"):
        picture = np.asarray(Image.open(row["file"]))
        expected = known.predict_proba(picture[None])[0, 1]
        # Grey images are the luma of noise, by channel.
        atol = 0.1 if "grey" in form else 1e-4
        assert float(row["probability of b"]) == pytest.approx(expected, abs=atol)


def test_a_model_of_other_channels_is_refused(tmp_path, capsys):
    write_levels(tmp_path / "set", ["a", "b"])
    model = brightness_classifier(tmp_path, ["a", "b"])
    model.form_ = read_form(np.zeros((2, 8, 8, 4), "uint8") + np.uint8(255))
    model.value_range_, model.dtype_ = (0, 255), np.dtype("uint8")
    model.save(tmp_path / "m.melanet")
    line = run_failing(
        capsys, "evaluate", tmp_path / "m.melanet", tmp_path / "set", "--positive", "b"
    )
    assert "model must take images of 1 or 3 channels. Received: 4" in line


def test_files_of_12_bits_in_16_are_named_and_read_with_their_range(tmp_path, capsys):
    brightness_classifier(tmp_path, ["a", "b"]).save(tmp_path / "m.melanet")
    rng = np.random.default_rng(0)
    for name, low, high in (("a", 0, 300), ("b", 3800, 4096)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(low, high, (8, 8), dtype="uint16")
            pixels[0, 0] = high - 1
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    words = ["evaluate", tmp_path / "m.melanet", tmp_path / "set", "--positive", "b"]
    with pytest.warns(ScaleWarning, match=r"use 12 of them.*--value-range 0,4095"):
        run(*words)
    assert "sensitivity  TP / (TP + FN)           0.0000" in capsys.readouterr().out
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScaleWarning)
        run(*words, "--value-range", "0,4095")
    assert "sensitivity  TP / (TP + FN)           1.0000" in capsys.readouterr().out
    line = run_failing(capsys, *words, "--value-range", "0,1000")
    assert "value_range=(0, 1000) must hold its values" in line
