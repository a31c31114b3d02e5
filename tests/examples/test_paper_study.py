import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from paths import ROOT
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from melanet.metrics import screening_report

ARMS = ["vgg-gap", "random-over-sampling", "gan", "default"]
PAPER = ROOT / "examples" / "paper"
sys.path.insert(0, str(PAPER))

import arms  # noqa: E402
import classifiers  # noqa: E402
import costs  # noqa: E402
import figures  # noqa: E402
import intervals  # noqa: E402
import pictures  # noqa: E402
import protocols  # noqa: E402
import results  # noqa: E402
import stages  # noqa: E402
import study  # noqa: E402


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


# The real study in a process of its own, in the smallest sizes that have all stages.
TINY = f"""
import sys
sys.path.insert(0, {str(PAPER)!r})
import arms, study
budgets = {{"small": study.Budget(1)}}
study.SCALES["smoke"] = study.Scale(16, 1, 1, 2, "small", budgets, n_train=24, n_test=16)
arms.ARMS = {{name: arms.ARMS[name] for name in {ARMS}}}
sys.exit(study.main(sys.argv[1:]))
"""


def start(out):
    command = [sys.executable, "-c", TINY, "--scale", "smoke", "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_failing(capsys, *words):
    """Run a study that must fail, and return the last line of its error output."""
    try:
        status = study.main([str(word) for word in words])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_a_killed_study_resumes_and_keeps_finished_stages(tmp_path):
    out = tmp_path / "study"
    first = start(out)
    done = out / "stages" / "sound" / "seed-0" / "small" / "vgg-gap" / "stage.json"
    limit = time.monotonic() + 240
    while not done.exists() and first.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    before = {p: p.stat().st_mtime_ns for p in (out / "stages").rglob("*") if p.is_file()}
    before = {p: t for p, t in before.items() if ".partial" not in str(p)}
    assert done in before
    assert not (out / "report.html").exists()

    second = start(out)
    printed, errors = second.communicate(timeout=400)
    assert second.returncode == 0, errors
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert "[sound/seed-0/small/vgg-gap]" not in printed
    assert "[sound/seed-0/small/gan]" in printed
    assert not list(out.rglob(".*partial*"))

    third = start(out)
    printed, errors = third.communicate(timeout=120)
    assert third.returncode == 0, errors
    assert not re.findall(r"^\[", printed, re.MULTILINE)  # no stage is run twice
    assert printed.count(" complete") == 3 + len(ARMS)  # the GANs and the arms, in the plan
    check_results(out)


def check_results(out):
    runs = rows(out / "runs.csv")
    assert [row["arm"] for row in runs] == ARMS
    for row in runs:
        scores = rows(out / "stages" / "sound" / "seed-0" / "small" / row["arm"] / "scores.csv")
        y = [int(s["malignant"]) for s in scores]
        assert float(row["auc"]) == pytest.approx(
            roc_auc_score(y, [float(s["score"]) for s in scores])
        )
    auc = {row["arm"]: float(row["auc"]) for row in runs}
    for row in rows(out / "differences.csv"):
        if row["measure"] == "auc":
            assert float(row["mean"]) == pytest.approx(auc[row["arm"]] - auc[arms.AGAINST])
            assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])
    html = (out / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", html)
    assert "http" not in re.sub(r'src="data:[^"]*"', "", html)
    assert html.count("data:image/png;base64,") == 4
    for part in (
        "Not for diagnosis",
        "toy images",
        "trained from scratch",
        "--scale smoke",
        "NPV",
    ):
        assert part in html
    for name in ("translations", "umap", "grad-cam", "curves"):
        assert Image.open(out / "figures" / f"{name}.png").width > 200
    assert len(rows(out / "record.csv")) > 0
    assert {row["distances to"] for row in rows(out / "distances.csv")} == {
        "training pictures",
        "test pictures",
    }
    markdown = (out / "results.md").read_text()
    for part in ("Not for diagnosis", "| gan | the paper |", "synthetic, default"):
        assert part in markdown


def test_weighted_measures_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    positive = rng.random(60) < 0.3
    score = np.round(rng.random(60) + 0.3 * positive, 1)  # with ties
    weights = intervals.bootstrap_weights(positive, 20, seed=1)
    assert (weights[0] == 1).all()
    assert (weights[:, positive].sum(axis=1) == positive.sum()).all()
    assert (weights.sum(axis=1) == 60).all()
    got = intervals.measures(positive, score, weights)
    report = screening_report(positive, score)
    for name in intervals.MEASURES:
        assert got[name][0] == pytest.approx(report[name]), name
    for i, weight in enumerate(weights):
        drawn = np.repeat(np.arange(60), weight)
        report = screening_report(positive[drawn], score[drawn])
        assert got["auc"][i] == pytest.approx(roc_auc_score(positive, score, sample_weight=weight))
        expected = average_precision_score(positive, score, sample_weight=weight)
        assert got["average_precision"][i] == pytest.approx(expected)
        for name in intervals.MEASURES:
            assert got[name][i] == pytest.approx(report[name], nan_ok=True), name


def test_whole_groups_are_drawn():
    positive = np.array([True, True, False, False, False, True, False, False])
    groups = np.array(["a", "a", "a", "b", "b", "c", "d", "e"])
    weights = intervals.bootstrap_weights(positive, 200, seed=1, groups=groups)
    for group in "abcde":
        own = weights[:, groups == group]
        assert (own == own[:, :1]).all()
    assert (weights[:, [0, 5]].sum(axis=1) == 2).all()  # the groups a and c, with positives
    assert (weights[:, [3, 6, 7]].sum(axis=1) == 3).all()
    assert {tuple(row) for row in weights[1:, [0, 5]].tolist()} == {(0, 2), (1, 1), (2, 0)}


def test_tables_give_groups_by_which_the_study_splits(tmp_path):
    pictures.draw_lesions(tmp_path / "drawn", 16, {"train": 60, "test": 20})
    for subset, files in zip(("train", "test"), pictures.find_in_folder(tmp_path / "drawn")[0]):
        lines = [
            f"{path},{pictures.NAMES[label]},IP_{i // 3}"
            for i, (path, label) in enumerate(zip(files.paths, files.y))
        ]
        table = tmp_path / "tables" / f"{subset}.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_text("\n".join(["path,label,patient_id", *lines]) + "\n")
    (train, test), about = pictures.find_in_folder(tmp_path / "tables")
    assert "drawn by lesion or patient" in about
    assert [len(set(part.groups)) for part in (train, test)] == [20, 7]
    home = stages.Stages(tmp_path / "stages")
    *sets, _ = study.read_images(train, test, 16, home)
    sound = protocols.Study("sound", study.SCALES["smoke"], None, home, *sets)
    for seed in range(3):
        rows, (X_held, _) = sound.split(seed)
        held = np.setdiff1d(np.arange(60), rows)
        assert len(X_held) == len(held)
        assert not set(rows // 3) & set(held // 3)
    part = pictures._subsample(train, 20)
    assert not set(part.groups) - set(train.groups)
    assert [sum(train.groups == group) for group in set(part.groups)] == [
        sum(part.groups == group) for group in set(part.groups)
    ]


def test_differences_are_paired(tmp_path):
    rng = np.random.default_rng(0)
    y = (rng.random(80) < 0.4).astype(int)
    score = rng.random(80) + 0.3 * y
    runs = []
    for arm in ("random-over-sampling", "gan"):
        folder = tmp_path / arm
        folder.mkdir()
        lines = [f"{a},{b}" for a, b in zip(y, score)]
        (folder / "scores.csv").write_text("\n".join(["malignant,score", *lines]))
        runs.append(("sound", "small", arm, 0, folder))
    results.tabulate(runs, tmp_path / "out", n_draws=50)
    # With the same scores no bootstrap draw shows a difference.
    for row in rows(tmp_path / "out" / "differences.csv"):
        assert [float(row[name]) for name in ("mean", "low", "high")] == [0, 0, 0]
    auc = next(r for r in rows(tmp_path / "out" / "results.csv") if r["measure"] == "auc")
    assert float(auc["low"]) < float(auc["mean"]) < float(auc["high"])


def test_arms_have_the_papers_class_counts():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [727, 173])
    X = rng.integers(60, 200, size=(900, 8, 8, 3)).astype("uint8")
    synthetic = rng.integers(256, size=(727, 8, 8, 3)).astype("uint8")
    counts = {}
    for arm in [arm for arm in arms.ARMS if not arm.startswith("augment-")]:
        X_arm, y_arm = arms.training_set(arm, X, y, synthetic, seed=0)
        np.testing.assert_array_equal(X_arm[: len(X)], X)
        assert X_arm.dtype == np.uint8
        counts[arm] = np.bincount(y_arm).tolist()
        assert len(y_arm) == len(y) + arms.n_added(arm, y)
    assert counts == {
        "vgg-gap": [727, 173],
        "class-weights": [727, 173],
        "random-over-sampling": [727, 900],
        "gan": [727, 900],
        "default": [727, 900],
        "codec-control": [727, 900],
    }


@pytest.mark.parametrize("times", [5, 10])
def test_augmentation_keeps_the_class_ratio(times):
    X = np.random.default_rng(0).integers(256, size=(12, 8, 8, 3)).astype("uint8")
    y = np.array([1, 0, 0, 0] * 3)
    X_arm, y_arm = arms.training_set(f"augment-{times}x", X, y, X[:0], seed=0)
    np.testing.assert_array_equal(X_arm[:12], X)
    np.testing.assert_array_equal(y_arm.reshape(-1, 12), [y] * (times + 1))
    assert len({picture.tobytes() for picture in X_arm}) == 12 * (times + 1)
    assert len(X_arm) == 12 + arms.n_added(f"augment-{times}x", y)


def test_the_control_is_random_over_sampling_with_the_stretch():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [20, 5])
    X = rng.integers(60, 200, size=(25, 8, 8, 3)).astype("uint8")
    plain, _ = arms.training_set("random-over-sampling", X, y, X[:20], seed=3)
    control, _ = arms.training_set("codec-control", X, y, X[:20], seed=3)
    for copy, stretched in zip(plain[25:].astype(float), control[25:]):
        expected = (copy - copy.min()) / (copy.max() - copy.min()) * 255
        np.testing.assert_allclose(stretched, expected, atol=0.51)


def test_augmentation_changes_an_image_and_is_reproducible():
    picture = np.random.default_rng(0).integers(256, size=(32, 32, 3)).astype("uint8")
    one, two = (arms.augment(picture, np.random.default_rng(seed)) for seed in (1, 2))
    assert one.shape == picture.shape
    assert one.dtype == np.uint8
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, arms.augment(picture, np.random.default_rng(1)))


def test_the_gap_is_the_mean_distance_to_benign_minus_that_to_malignant(tmp_path):
    benign, malignant = np.array([[0.0, 0], [0, 2]]), np.array([[10.0, 0], [10, 4]])
    synthetic = np.array([[10.0, 0], [0, 0]])
    features, y = np.concatenate([benign, malignant]), np.array([0, 0, 1, 1])
    groups = {"real": (features, y)}
    found = figures.distances(tmp_path / "d.csv", {"gan": synthetic}, groups, n_draws=50)
    far, across = np.hypot(10, 2), np.hypot(10, 4)
    expected = {
        "synthetic, gan": ((10 + far) / 2 - 2 + 1 - (10 + across) / 2) / 2,
        "real benign": 2 - (10 + across + far + far) / 4,  # not compared with itself
        "real malignant": (10 + far + across + far) / 4 - 4,
    }
    for row in found:
        assert row["nearer to malignant by"] == pytest.approx(expected[row["pictures"]])
        assert row["low"] <= row["nearer to malignant by"] <= row["high"]


def test_a_stage_is_repeated_if_settings_or_inputs_change_or_a_file_is_missing(tmp_path):
    runs = []

    def stage(name):
        def make(folder):
            runs.append(name)
            (folder / "a.txt").write_text(name)

        return make

    def work(first, second):
        runs.clear()
        job = stages.Stages(tmp_path)
        job.run("first", stage("first"), {"n": first})
        job.run("second", stage("second"), {"n": second}, after=["first"])
        return list(runs)

    assert work(1, 1) == ["first", "second"]
    assert work(1, 1) == []
    assert work(1, 2) == ["second"]
    assert work(2, 2) == ["first", "second"]
    (tmp_path / "second" / "a.txt").unlink()
    assert work(2, 2) == ["second"]
    (tmp_path / "second" / "stage.json").write_text("{")
    assert work(2, 2) == ["second"]


def test_a_failed_stage_has_no_result_folder_and_finds_its_partial_files(tmp_path):
    def make(folder):
        kept = folder / "kept.txt"
        if not kept.exists():
            kept.write_text("half")
            raise OSError("cut off")
        (folder / "whole.txt").write_text(kept.read_text() + ", and the rest")

    with pytest.raises(OSError, match="cut off"):
        stages.Stages(tmp_path).run("a", make, {"n": 1})
    assert not (tmp_path / "a").exists()
    folder = stages.Stages(tmp_path).run("a", make, {"n": 1})
    assert (folder / "whole.txt").read_text() == "half, and the rest"
    assert json.loads((folder / "stage.json").read_text())["files"] == ["kept.txt", "whole.txt"]


def test_a_plan_runs_nothing_and_knows_complete_stages(tmp_path):
    def make(folder):
        (folder / "a.txt").write_text("a")

    job = stages.Stages(tmp_path)
    job.run("first", make, {"n": 1})
    for n, complete in ((1, True), (2, False)):
        planned = job.plan()
        planned.run("first", None, {"n": n}, expected=5)
        planned.run("second", None, {}, after=["first"], expected=7)
        assert planned.log == [("first", 5, complete), ("second", 7, False)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first"]


def test_costs_are_added_up_by_kind_of_stage():
    log = [
        ("sound/seed-0/cyclegan", 600.0, True),
        ("sound/seed-1/cyclegan", 600.0, False),
        ("sound/seed-0/small/gan", 30.0, False),
        ("sound/seed-1/small/gan", 30.0, False),
        ("released/seed-0/cyclegan", 5400.0, True),
    ]
    first, *lines = [" ".join(line.split()) for line in costs.describe(log)]
    assert "one core" in first
    assert lines == [
        "sound/cyclegan 1 x 10 min",
        "sound/small/gan 2 x 30 s",
        "released/cyclegan complete",
        "in all, without tables and figures 11 min",
    ]
    double = costs.cyclegan(100, 128) - costs.cyclegan(0, 128)
    assert double == pytest.approx(4 * (costs.cyclegan(100, 64) - costs.cyclegan(0, 64)))


def test_few_arms_are_run_where_a_training_takes_hours():
    sets = [(None, None, None)] * 2
    for scale, few in (("small", True), ("full", False)):
        sound, released = (
            protocols.Study(name, study.SCALES[scale], None, None, *sets)
            for name in ("sound", "released")
        )
        assert sound.arms("small", 1) == sound.arms("frozen-vgg16", 1) == list(arms.ARMS)
        assert released.arms("frozen-vgg16", 0) == list(arms.RELEASED)
        assert sound.arms("vgg16", 0) == list(arms.FEW if few else arms.ARMS)
        assert sound.arms("vgg16", 1) == ([] if few else list(arms.ARMS))
        assert released.arms("vgg16", 0) == ([] if few else list(arms.RELEASED))


class Means:
    """Features without a network: the means of the channels."""

    def __call__(self, X):
        return X.mean(axis=(1, 2))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_regression_takes_the_strength_of_the_least_validation_loss(class_weight):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [60, 20])
    X = rng.integers(0, 200, size=(80, 4, 4, 3)) + 15 * y[:, None, None, None]
    held = np.arange(0, 80, 3)
    rest = np.setdiff1d(np.arange(80), held)
    model = classifiers.FrozenVGG16(Means(), class_weight)
    model.fit(X[rest], y[rest], validation_data=(X[held], y[held]))
    share = 0.5 if class_weight else y[rest].mean()
    right = np.take_along_axis(model.predict_proba(X[held]), y[held][:, None], axis=1)[:, 0]
    by_class = [-np.log(right[y[held] == label]).mean() for label in (0, 1)]
    expected = (1 - share) * by_class[0] + share * by_class[1]
    assert min(model.history_["val_loss"]) == pytest.approx(expected)
    assert model.embed(X[:2]).shape == (2, 3)


def test_frozen_features_are_those_of_vgg16_and_computed_once(monkeypatch):
    keras.utils.set_random_seed(0)
    reference = keras.applications.VGG16(
        weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    monkeypatch.setattr(
        classifiers._backbones,
        "build",
        lambda *args: keras.Sequential([reference, keras.layers.Dense(2)]),
    )
    X = np.random.default_rng(0).integers(256, size=(5, 32, 32, 3)).astype("uint8")
    features = classifiers.FrozenFeatures(32, None)
    found = features(X[[0, 1, 2, 0]])
    np.testing.assert_array_equal(found[0], found[3])
    bgr = X[:3, ..., ::-1].astype("float32") - np.float32([103.939, 116.779, 123.68])
    np.testing.assert_allclose(found[:3], reference.predict(bgr, verbose=0), rtol=1e-4, atol=1e-5)
    computed = []
    compute = features._compute
    monkeypatch.setattr(features, "_compute", lambda x: computed.append(x) or compute(x))
    features(X[:3])
    assert not computed
    assert features(X).shape == (5, 512)
    assert len(computed) == 1


def test_the_papers_rows_stand_above_ours():
    cells = {"mean": 0.5, "low": 0.4, "high": 0.6}
    made = [
        {"arm": arm, "classifier": "small", "protocol": "sound", "measure": name, **cells}
        for arm in ("gan", "default")
        for name in intervals.MEASURES
    ]
    header, body = results.beside_the_paper(made)
    assert [row[:2] for row in body] == [
        ["gan", "the paper"],
        ["gan", "small"],
        ["default", "small"],
    ]
    paper = dict(zip(header, body[0]))
    assert paper["sensitivity at .5"].startswith(f"{53 / 75:.3f} [")
    assert paper["specificity at .5"].startswith(f"{245 / 304:.3f} [")
    assert paper["AUC"] == "0.812 [0.750, 0.874]"
    assert results.hanley_mcneil(0.8, 75, 304) == pytest.approx(0.032, abs=5e-4)


def test_toy_lesions_have_the_layout_of_isic_2016(tmp_path):
    pictures.draw_lesions(tmp_path, 16, {"train": 90, "test": 38})
    home = tmp_path / "isic2016"
    lines = (home / "ISBI2016_ISIC_Part3_Training_GroundTruth.csv").read_bytes().split(b"\r\n")
    assert len(lines) == 91
    assert lines[0].startswith(b"ISIC_0000000,")
    table = (home / "ISBI2016_ISIC_Part3_Test_GroundTruth.csv").read_text()
    assert {line.split(",")[1] for line in table.splitlines()} == {"0.0", "1.0"}
    parts, about = pictures.find_in_folder(tmp_path)
    assert [part.counts() for part in parts] == [
        {"benign": 73, "malignant": 17},
        {"benign": 30, "malignant": 8},
    ]
    assert "in the layout of ISIC 2016" in about
    (home / "ISBI2016_ISIC_Part3_Test_GroundTruth.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"Test_GroundTruth\.csv is missing"):
        pictures.find_in_folder(tmp_path)


def test_images_in_both_sets_are_found(tmp_path):
    pictures.draw_lesions(tmp_path, 32, {"train": 10, "test": 10})
    train, test = pictures.find_in_folder(tmp_path)[0]
    Path(test.paths[3]).write_bytes(Path(train.paths[7]).read_bytes())
    found = pictures.overlap(train, test)
    assert (Path(train.paths[7]).name, Path(test.paths[3]).name) in {
        (row["training"], row["test"]) for row in found
    }


def test_bad_input_is_rejected_in_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for subset in ("train", "test"):
        for name in ("benign", "malignant")[: 1 + (subset == "test")]:
            folder = tmp_path / "one" / subset / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(folder / "a.png")
    for words, part in (
        (("--scale", "huge"), "invalid choice: 'huge'"),
        (("--protocol", "none"), "invalid choice: 'none'"),
        (("--seeds", 0), "at least 1"),
        (("--data", tmp_path / "none"), "or a folder of images"),
        (("--data", tmp_path / "empty"), "an empty folder"),
        (("--data", tmp_path / "one"), "Received: ['benign']"),
        (("--classifiers", "vgg19"), "invalid choice: 'vgg19'"),
        (("--backbone-weights", tmp_path / "x.h5"), "--backbone-weights FILE"),
        (
            ("--scale", "full", "--backbone-weights", tmp_path / "x.h5"),
            "--backbone-weights FILE",
        ),
    ):
        assert part in run_failing(capsys, "--out", tmp_path / "out", *words), words


def test_an_output_that_cannot_be_written_is_refused_at_the_start(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "study" / "report.html").mkdir(parents=True)

    def start(*args, **kwargs):
        raise AssertionError("the study has begun")

    monkeypatch.setattr(pictures, "find", start)
    for folder, name in (("file/study", "results.md"), ("study", "report.html")):
        out = str(tmp_path / folder)
        assert study.main(["--scale", "smoke", "--data", "lesions", "--out", out]) == 2
        assert name in capsys.readouterr().err


def test_a_backend_that_cannot_be_loaded_is_named_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, PAPER / "study.py", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "nonsense", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("study.py: Keras cannot load its backend")
    assert "KERAS_BACKEND='nonsense'" in line
    assert not (tmp_path / "out").exists()
