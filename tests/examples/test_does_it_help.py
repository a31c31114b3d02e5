"""The benchmark of images: tasks, shifts, arms, scores, store, and a run."""

import gzip
import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import recall_score

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "benchmarks"))

import does_it_help
from helping import (
    arms,
    bad_sets,
    data,
    report,
    running,
    scores,
    shifts,
    tasks,
    verdict_check,
    warps,
)
from helping.store import Store


@pytest.fixture
def task():
    return tasks.scale("quick").tasks[0]


def test_draws_hold_no_test_image_and_depend_on_the_seed(task):
    draws = [tasks.draw(task, seed) for seed in (0, 0, 1)]
    assert Counter(draws[0].y.tolist()) == {3: 100, 8: 10}
    assert np.array_equal(draws[0].X, draws[1].X)
    rare = [draw.X[draw.y == 8] for draw in draws]
    assert not np.array_equal(rare[0], rare[2])
    assert np.array_equal(draws[0].X_test, draws[2].X_test)
    assert Counter(draws[0].y_test.tolist()) == {3: 70, 8: 70}
    test = {image.tobytes() for image in draws[0].X_test}
    for part in (draws[0].X, draws[2].X, draws[0].X_oracle):
        assert not any(image.tobytes() in test for image in part)


def test_the_halves_share_no_task_and_no_shift():
    for name in ("default", "full"):
        scale = tasks.scale(name)
        halves = {
            half: {(t.source, t.labels) for t in scale.tasks if t.half == half}
            for half in ("development", "report")
        }
        assert not halves["development"] & halves["report"]
        of = {half: [t.shift for t in scale.tasks if t.shift and t.half == half] for half in halves}
        assert len(of["development"]) == len(of["report"]) == 2
        assert set(of["development"] + of["report"]) == set(shifts.SHIFTS)
    assert "lose" in {shift.expected for shift in shifts.SHIFTS.values()}


@pytest.mark.parametrize("name", shifts.SHIFTS)
def test_only_the_majority_shows_a_shift_in_training_and_every_class_in_the_test(task, name):
    clean, marked = tasks.draw(task, 0), tasks.draw(replace(task, shift=name), 0)
    channels = marked.X.shape[-1]
    unmarked = {image.tobytes() for image in np.repeat(clean.X_oracle, channels, axis=-1)}
    assert all(image.tobytes() in unmarked for image in marked.X[marked.y == 8])
    common = [image.tobytes() in unmarked for image in marked.X[marked.y == 3]]
    assert np.mean(common) == pytest.approx(1 - shifts.SHIFTS[name].share, abs=0.03)
    originals = np.repeat(clean.X_test, channels, axis=-1)
    changed = (marked.X_test != originals).any(axis=(1, 2, 3))
    for label in (3, 8):
        assert changed[marked.y_test == label].mean() == pytest.approx(0.5, abs=0.03)


def test_a_warp_rotates_and_shifts_as_scipy_does():
    image = ndimage.gaussian_filter(np.random.default_rng(0).uniform(0, 255, (20, 20)), 2)
    moved = (warps.warp(20, shift=(2, 3)) @ image.ravel()).reshape(20, 20)
    np.testing.assert_allclose(moved[4:, 4:], image[2:-2, 1:-3], rtol=1e-4)
    turned = (warps.warp(20, angle=90) @ image.ravel()).reshape(20, 20)
    assert min(np.abs(turned - np.rot90(image, k)).max() for k in (1, 3)) < 1e-2
    grown = (warps.warp(20, scale=1.1) @ image.ravel()).reshape(20, 20)
    centre = np.full(2, 9.5)
    expected = ndimage.affine_transform(image, np.eye(2) / 1.1, centre - centre / 1.1, order=3)
    assert np.abs(grown - expected)[2:-2, 2:-2].max() < 1.5


def test_augmented_images_differ_and_stay_close(task):
    images = tasks.draw(task, 0).X
    changed = warps.augment(images, np.random.default_rng(0))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    distance = np.abs(changed.astype(float) - images).mean(axis=(1, 2, 3))
    shuffled = np.abs(np.roll(images, 7, axis=0).astype(float) - images).mean()
    assert 0 < distance.mean() < shuffled


@pytest.fixture
def synthetic(task):
    draw = tasks.draw(task, 0)
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (90, *draw.X.shape[1:]), dtype=np.uint8)
    kinds = np.array(["translation"] * 60 + ["copy"] * 30)
    return arms.Synthetic(X, np.full(90, 8), rng.integers(100, size=90), kinds)


@pytest.mark.parametrize("name", arms.ARMS)
def test_an_arm_keeps_the_originals_and_balances(task, synthetic, name):
    draw = tasks.draw(task, 0)
    X, y, weights = arms.ARMS[name].make(draw, synthetic, np.random.default_rng(0), None)
    assert np.array_equal(X[: len(draw.X)], draw.X)
    assert X.dtype == np.uint8
    if name == "nothing":
        assert Counter(y.tolist()) == {3: 100, 8: 10}
        assert weights is None
    elif name == "class weights":
        assert weights[y == 3].sum() == pytest.approx(weights[y == 8].sum())
    else:
        assert Counter(y.tolist()) == {3: 100, 8: 100}


def test_mixtures_replace_the_named_share(task, synthetic):
    draw = tasks.draw(task, 0)

    def kept(name):
        X = arms.ARMS[name].make(draw, synthetic, np.random.default_rng(0), None)[0][len(draw.X) :]
        return (synthetic.X == X).all(axis=(1, 2, 3))

    assert np.array_equal(kept("default, no translations"), synthetic.kinds == "copy")
    assert kept("default, half SMOTE").mean() == 0.5
    assert 0.35 < kept("default, half copies").mean() < 0.65
    random = arms.ARMS["random"].make(draw, None, np.random.default_rng(0), None)[0]
    rare = {image.tobytes() for image in draw.X[draw.y == 8]}
    assert {image.tobytes() for image in random[len(draw.X) :]} <= rare


def test_scores_agree_with_their_definitions():
    rng = np.random.default_rng(0)
    codes, rare = rng.permutation(np.repeat([0, 1], 100)), rng.random(200)
    rare = np.clip(rare + 0.3 * codes, 0, 1)
    found = scores.score(codes, np.stack([1 - rare, rare], axis=1))
    recalls = recall_score(codes, (rare > 0.5).astype(int), average=None)
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean())
    pairs = rare[codes == 1][:, None] - rare[codes == 0]
    assert found["auc"] == pytest.approx(np.mean(pairs > 0) + np.mean(pairs == 0) / 2)
    best = max(
        np.mean(rare[codes == 1] >= t) for t in rare if np.mean(rare[codes == 0] >= t) <= 0.1
    )
    assert found["sensitivity_at_90"] == pytest.approx(best)


def test_ranks_and_comparison():
    ranks = scores.mean_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.5], [np.nan, 1, 1]]))
    np.testing.assert_allclose(ranks, [1.5, 1.75, 2.75])
    better, worse = np.array([0.02, 0.03, 0.025]), np.array([-0.02, -0.03, -0.025])
    unclear, single = np.array([0.02, -0.03, 0.001]), np.array([0.5])
    found = scores.compare([better, worse, unclear, single])
    assert (found["win"], found["tie"], found["loss"], found["lost"]) == (1, 2, 1, [1])
    assert found["mean"] == pytest.approx(0.491 / 10)


def test_a_store_skips_incomplete_lines_and_appends_after_them(tmp_path):
    store = Store(tmp_path)
    store.add({"key": "a", "value": 1})
    with store.lines.open("a") as file:
        file.write('{"key": "b", "val')
    store.add({"key": "c", "value": 3})
    store.add({"key": "a", "value": 4})
    assert {key: r["value"] for key, r in store.records().items()} == {"a": 4, "c": 3}


def test_synthetic_samples_are_generated_once(tmp_path, synthetic):
    store, calls = Store(tmp_path), []

    def make():
        calls.append(1)
        synthetic.facts["cpu_s"] = 2.5
        return synthetic

    first, again = store.synthetic("x", make), store.synthetic("x", make)
    assert len(calls) == 1
    assert np.array_equal(first.X, synthetic.X)
    assert np.array_equal(again.kinds, synthetic.kinds)
    assert again.facts == {"cpu_s": 2.5}


def test_a_new_recipe_makes_only_its_own_arms_stale(task, monkeypatch):
    from dataclasses import replace

    from melanet.over_sampling import PRESETS

    plan = running.Plan(tasks.scale("quick"), "out", tuple(arms.ARMS))
    before = plan.keys(task, 0)
    changed = replace(PRESETS["default"], filters=17)
    monkeypatch.setitem(PRESETS, "default", changed)
    after = plan.keys(task, 0)
    stale = {name for key, (name, _) in before.items() if key not in after}
    assert stale == {name for name, arm in arms.ARMS.items() if arm.sampler == "default"}


def test_the_papers_recipe_is_shortened_only_if_its_epochs_take_more_steps():
    def options(scale, n_rare):
        found = [t for t in scale.tasks if t.name == f"mnist-3-8-n{n_rare}"]
        return arms.samplers(scale)["paper"](found[0])

    assert options(tasks.scale("default"), 10) == {"preset": "paper"}
    assert options(tasks.scale("default"), 50) == {"preset": "paper", "steps": 1000}
    assert options(tasks.scale("full"), 50) == {"preset": "paper"}


def test_bad_sets_match_their_names(task):
    draw = tasks.draw(task, 0)
    common = {image.tobytes() for image in draw.X[draw.y == 3]}
    for name, make in bad_sets.BAD_SETS.items():
        bad = make(draw, np.random.default_rng(0))
        assert Counter(bad.y.tolist()) == {8: 90}
        assert (draw.y[bad.sources] == 3).all()
        copies = [image.tobytes() in common for image in bad.X]
        assert all(copies) if name == "majority copies" else not any(copies)


def test_verdicts_are_counted_against_the_sign_of_the_effect():
    verdicts = [("use", 0.1), ("use", -0.1), ("do not use", -0.2), ("do not use", 0.001)]
    verdicts += [("use with care", 0.3)]
    records = [{"verdict": verdict, "effect": effect, "set": "x"} for verdict, effect in verdicts]
    found = verdict_check.score(records)
    assert found == {"right": 2, "decided": 3, "abstained": 0.2, "n": 5}
    always = verdict_check.score(records, "use")
    assert (always["right"], always["decided"], always["abstained"]) == (2, 4, 0)
    assert "| use           | 1     | 0         | 1     |" in verdict_check.confusion(records)


def test_fashion_mnist_is_read_and_its_absence_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST", str(tmp_path))
    with pytest.raises(SystemExit, match="dataset-fashion-mnist"):
        data.load.__wrapped__("fashion", 28)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    for part in ("train", "t10k"):
        for name, values in (("images-idx3", images), ("labels-idx1", np.arange(4, dtype="u1"))):
            head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
            with gzip.open(tmp_path / f"{part}-{name}-ubyte.gz", "wb") as file:
                file.write(head + values.tobytes())
    X, y, X_test, y_test = data.load.__wrapped__("fashion", 28, (1, 3))
    assert np.array_equal(X[..., 0], images[[1, 3]])
    assert y.tolist() == y_test.tolist() == [1, 3]
    assert X_test.shape == (2, 28, 28, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "nowhere"], "--tasks must match one of"),
        (["--arms", "nobody"], "--arms must match one of"),
        (["--seeds", "0"], "--seeds must be at least 1. Received: 0"),
        (["--variant", "x=3"], "must be a new name and options of GANOversampler as JSON"),
    ],
)
def test_bad_options_are_named(words, message, capsys):
    with pytest.raises(SystemExit):
        does_it_help.parse(["--quick", *words])
    assert message in capsys.readouterr().err


def test_a_run_is_reported_and_resumes(tmp_path, capsys):
    words = ["--quick", "--arms", "nothing", "random", "--seeds", "1", "--out", str(tmp_path)]
    does_it_help.main([*words, "--jobs", "1"])
    printed = capsys.readouterr().out
    assert printed.strip() == (tmp_path / "does-it-help.md").read_text().strip()
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert len(lines) == 4
    record = next(r for r in map(json.loads, lines) if r["arm"] == "random" and r["augmented"])
    assert 0.5 < record["balanced_accuracy"] <= 1
    assert report.number(record["balanced_accuracy"]) in printed
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 5
    # After two results are lost and a line is truncated, the missing ones are run again.
    (tmp_path / "results.jsonl").write_text("\n".join(lines[:2]) + '\n{"key": "cut')
    does_it_help.main([*words, "--jobs", "1"])
    again = Store(tmp_path).records().values()
    first = {json.loads(line)["key"]: json.loads(line)["balanced_accuracy"] for line in lines}
    assert {r["key"]: r["balanced_accuracy"] for r in again} == first


@pytest.mark.parametrize("script", ["does_it_help", "photographs", "verdicts"])
def test_what_the_end_needs_is_tried_first(tmp_path, monkeypatch, capsys, script):
    program = importlib.import_module(script)
    (tmp_path / "file").write_text("kept")
    monkeypatch.setattr(sys, "argv", [f"{script}.py"])
    if script == "verdicts":  # as if there were draws
        monkeypatch.setattr(program, "make_plan", lambda options: SimpleNamespace(draws=[1]))
    with pytest.raises(SystemExit) as stop:
        program.main(["--out", str(tmp_path / "file")])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{script}.py: ")
    assert "cannot be written" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_benchmark_names_a_backend_that_cannot_be_loaded(tmp_path):
    script = Path(does_it_help.__file__)
    done = subprocess.run(
        [sys.executable, script, "--quick", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "nonsense", "PYTHONPATH": str(script.parents[2])},
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("does_it_help.py: Keras cannot load its backend")
    assert not (tmp_path / "out").exists()
