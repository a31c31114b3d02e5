"""The benchmark of images: tasks, shifts, arms, scores, store, and a run."""

import gzip
import importlib
import json
import os
import re
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
    classifiers,
    data,
    forecast,
    mixing,
    photometry,
    report,
    running,
    scores,
    shifts,
    tasks,
    verdict_check,
    warps,
)
from helping.results import Results
from helping.store import Store


@pytest.fixture
def task():
    return tasks.scale("quick").tasks[0]


def test_draws_hold_no_test_image_and_depend_on_the_seed(task):
    draws = [tasks.draw(task, seed) for seed in (0, 0, 1)]
    assert Counter(draws[0].y.tolist()) == {3: 75, 8: 8}
    assert Counter(draws[0].y_held.tolist()) == {3: 25, 8: 2}
    held = {image.tobytes() for image in draws[0].X_held}
    assert sum(image.tobytes() in held for image in draws[0].X) <= 1  # two digits may be equal
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
        small = [t for t in tasks.scale(name).tasks if t.source in ("mnist", "fashion")]
        halves = {
            half: {(t.source, t.labels) for t in small if t.half == half}
            for half in ("development", "report")
        }
        assert not halves["development"] & halves["report"]
        of = {half: [t.shift for t in small if t.shift and t.half == half] for half in halves}
        assert len(of["development"]) == len(of["report"]) == 2


def test_photographs_are_of_the_report_half_only_when_final():
    for final, half in ((False, "development"), (True, "report")):
        scale = tasks.scale("default", 32, (0.25, 1), final)
        found = [t for t in scale.tasks if t.source in data.PHOTOGRAPHS]
        assert {(t.half, t.side, t.final) for t in found} == {(half, 32, final)}
        assert {t.name for t in found if not t.shift} == {
            f"{source}-32-{size}"
            for source, size in [("isic2016", "all"), ("isic2016", "n50"), ("isic2016", "n20"),
                                 ("chest-xray", "n50"), ("chest-xray", "n20")]
        }  # fmt: skip
        shares = Counter(t.share for t in scale.tasks if t.name.split("-")[1] in ("25%", "100%"))
        assert shares == {0.25: 5, 1: 5}


@pytest.mark.parametrize("name", shifts.SHIFTS)
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_the_majority_is_marked_in_training_and_half_of_each_class_in_the_test(
    task, name, share
):
    def draw(task):
        found = tasks.draw(replace(task, side=32), 0)  # the letter's strokes need pixels
        return found, np.concatenate([found.X, found.X_held])

    clean, _ = draw(task)
    marked, X = draw(replace(task, shift=name, share=share))
    y = np.concatenate([marked.y, marked.y_held])
    unmarked = {image.tobytes() for image in np.repeat(clean.X_oracle, X.shape[-1], axis=-1)}
    assert all(image.tobytes() in unmarked for image in X[y == 8])
    common = [image.tobytes() in unmarked for image in X[y == 3]]
    assert np.mean(common) == pytest.approx(1 - share, abs=0.03)
    originals = np.repeat(clean.X_test, X.shape[-1], axis=-1)
    changed = (marked.X_test != originals).any(axis=(1, 2, 3))
    assert np.mean(changed == marked.marked) > 0.97  # a mark may fall on pixels of its colour
    for label in (3, 8):
        assert marked.marked[marked.y_test == label].sum() == 35


def test_marks_lie_where_their_names_say():
    grey = np.full((40, 64, 64, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    letters = shifts.apply("letter", grey, rng) != 128
    assert letters[:, :20, :20].any(axis=(1, 2, 3)).all()
    assert not letters[:, 20:].any()
    assert not letters[:, :, 20:].any()
    corners = shifts.apply("corners", grey, rng)
    assert (corners[:, [0, 0, -1, -1], [0, -1, 0, -1]] < 16).all()
    assert (corners[:, 16:48, 16:48] == 128).all()
    stickers = (shifts.apply("sticker", grey, rng) != 128).any(axis=3)
    assert (stickers.mean(axis=(1, 2)) > 0.01).all()
    assert (stickers.mean(axis=(1, 2)) < 0.13).all()  # an ellipse of .2 by .14 of the side: .088
    assert not stickers[:, 29:35, 29:35].any()


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


@pytest.mark.parametrize("name", arms.ARMS)
def test_an_arm_keeps_the_originals_and_balances(task, synthetic, name):
    draw = tasks.draw(replace(task, shift="blur", share=0.5), 0)
    made = arms.ARMS[name].make(draw, synthetic, np.random.default_rng(0), None)
    assert np.array_equal(made.X[: len(draw.X)], draw.X)
    assert made.X.dtype == np.uint8
    if name == "class weights":
        assert made.weights[made.y == 3].sum() == pytest.approx(made.weights[made.y == 8].sum())
    elif name in ("nothing", "prior-corrected", "deferred re-balancing", "mixup", "Remix"):
        assert Counter(made.y.tolist()) == {3: 75, 8: 8}
    else:
        assert Counter(made.y.tolist()) == {3: 75, 8: 75}


@pytest.fixture
def synthetic(task):
    draw = tasks.draw(task, 0)
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (67, *draw.X.shape[1:]), dtype=np.uint8)
    kinds = np.array(["translation"] * 40 + ["copy"] * 27)
    return arms.Synthetic(X, np.full(67, 8), rng.integers(75, size=67), kinds)


def test_mixtures_replace_the_named_share(task, synthetic):
    draw = tasks.draw(task, 0)

    def kept(name):
        made = arms.ARMS[name].make(draw, synthetic, np.random.default_rng(0), None)
        return (made.X[len(draw.X) :] == synthetic.X).all(axis=(1, 2, 3))

    assert np.array_equal(kept("default, no translations"), synthetic.kinds == "copy")
    assert kept("default, half SMOTE").sum() == 34
    assert 0.35 < kept("default, half copies").mean() < 0.65
    random = arms.ARMS["random"].make(draw, None, np.random.default_rng(0), None).X
    rare = {image.tobytes() for image in draw.X[draw.y == 8]}
    assert {image.tobytes() for image in random[len(draw.X) :]} <= rare


def test_the_upper_bound_marks_half_of_the_copies(task):
    draw = tasks.draw(replace(task, shift="lighting", share=0.5), 0)
    X = arms.ARMS["true mark"].make(draw, None, np.random.default_rng(0), None).X[len(draw.X) :]
    rare = {image.tobytes() for image in draw.X[draw.y == 8]}
    assert sum(image.tobytes() not in rare for image in X) == round(len(X) / 2)


def test_soft_labels_agree_with_their_definitions():
    counts = np.array([90, 10])
    share = np.array([0.3, 0.3, 0.7, 0.7, 0.3])
    first, second = np.array([0, 1, 0, 1, 0]), np.array([1, 0, 1, 0, 0])
    assert np.array_equal(mixing.mixup(share, counts, first, second), share)
    # Remix: a common image of less than half loses its share; so does its partner in the mirror.
    found = mixing.remix(share, counts, first, second)
    assert found.tolist() == [0, 0.3, 0.7, 1, 0.3]
    even = mixing.remix(share, np.array([20, 10]), first, second)  # below kappa
    assert np.array_equal(even, share)


@pytest.mark.parametrize("rule", mixing.RULES)
def test_images_and_labels_are_mixed_by_the_same_share(rule):
    labels = np.eye(2)[[0] * 300 + [1] * 100]
    images = (255 * labels[:, 1]).astype(np.uint8)[:, None, None, None]
    mixed, soft = mixing.mix(rule, images, labels, np.array([300, 100]), np.random.default_rng(0))
    share = mixed[:, 0, 0, 0] / 255  # of the rare class in the image
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)
    if rule == "mixup":
        np.testing.assert_allclose(soft[:, 1], share, atol=0.003)
    else:
        # With three times as many common images, a rare share above a half takes the label.
        np.testing.assert_allclose(soft[:, 1], np.where(share > 0.5, 1, share), atol=0.003)
    assert np.mean((share > 0) & (share < 1)) > 0.05


def test_the_last_third_of_a_deferred_training_is_balanced():
    codes = np.array([0] * 90 + [1] * 10)
    rows = classifiers.row_order(codes, 3000, np.random.default_rng(0), deferred=True)
    assert np.bincount(rows[:2000], minlength=100).tolist() == [20] * 100
    assert codes[rows[2000:]].mean() == pytest.approx(0.5, abs=0.05)
    plain = classifiers.row_order(codes, 3000, np.random.default_rng(0))
    assert np.bincount(plain, minlength=100).tolist() == [30] * 100


def test_prior_correction_is_bayes_rule_and_keeps_the_order():
    # Two Gaussians at 0 and 1; with shares .9 and .1 the posterior odds are those of equal shares
    # times 1 / 9.
    x = np.linspace(-3, 4, 50)
    density = np.exp(-((x[:, None] - [0, 1]) ** 2) / 2)
    skewed = density * [0.9, 0.1]
    found = classifiers.correct_prior(
        skewed / skewed.sum(axis=1, keepdims=True), np.array([900, 100])
    )
    np.testing.assert_allclose(found, density / density.sum(axis=1, keepdims=True))


def test_photometric_changes_leave_shapes_and_a_transfer_moves_colour_and_light():
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.uniform(0, 255, (1, 32, 32, 3)), (0, 1, 1, 0))
    images = np.repeat(np.rint(image * 0.5 + 60).astype(np.uint8), 30, axis=0)
    changed = photometry.augment(images, rng)
    assert changed.shape == images.shape
    assert len({c.tobytes() for c in changed}) == 30
    related = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(changed, images)]
    assert np.mean(related) > 0.6
    means = changed.mean(axis=(1, 2)) - images.mean(axis=(1, 2))  # of 120: a factor of .8 to 1.2
    assert 5 < np.abs(means).mean() < 24
    tinted = shifts.apply("tint", images[:1], rng)
    moved = photometry.transfer(images[:1], tinted)
    np.testing.assert_allclose(moved.mean(axis=(1, 2)), tinted.mean(axis=(1, 2)), atol=1.5)
    # High frequencies stay: the difference to the original is smooth.
    high = [ndimage.laplace(part[0, :, :, 0].astype(float)) for part in (images[:1], moved)]
    assert np.corrcoef(high[0].ravel(), high[1].ravel())[0, 1] > 0.98
    np.testing.assert_array_equal(photometry.transfer(images[:1], images[:1]), images[:1])


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
    assert found["brier"] == pytest.approx(sum((r - c) ** 2 for r, c in zip(rare, codes)) / 200)


def test_the_tuned_threshold_is_the_best_of_all():
    rng = np.random.default_rng(3)
    rare = rng.permutation(np.repeat([True, False], [12, 60]))
    p = np.round(np.clip(rng.normal(0.2 + 0.15 * rare, 0.1), 0, 1), 2)

    def balanced(threshold):
        return (np.mean(p[rare] > threshold) + np.mean(p[~rare] <= threshold)) / 2

    found = scores.tune_threshold(rare, p)
    assert balanced(found) == pytest.approx(max(map(balanced, np.linspace(-0.005, 1.005, 203))))
    assert scores.tune_threshold(np.array([False, True]), np.array([0.2, 0.4])) == pytest.approx(
        0.3
    )


def test_the_worst_group_agrees_with_brute_force():
    rng = np.random.default_rng(0)
    codes, marked = rng.integers(0, 2, 300), rng.random(300) < 0.5
    rare = np.clip(0.3 * codes - 0.2 * marked + rng.random(300), 0, 1)
    found = scores.score(codes, np.stack([1 - rare, rare], axis=1), 0.7, marked)
    for suffix, threshold in (("", 0.5), ("_tuned", 0.7)):
        recalls = {
            (group, c): np.mean(
                [
                    (p > threshold) == c
                    for p, m, k in zip(rare, marked, codes)
                    if (m, k) == (group, c)
                ]
            )
            for group in (True, False)
            for c in (0, 1)
        }
        worst = min(recalls[g, 0] / 2 + recalls[g, 1] / 2 for g in (True, False))
        assert found[f"worst_group{suffix}"] == pytest.approx(worst)
        sensitivity = min(recalls[True, 1], recalls[False, 1])
        assert found[f"worst_group_sensitivity{suffix}"] == pytest.approx(sensitivity)
    pairs = rare[marked & (codes == 1)][:, None] - rare[marked & (codes == 0)]
    expected = np.mean(pairs > 0) + np.mean(pairs == 0) / 2
    assert found["auc_marked"] == pytest.approx(expected)


def test_ranks_and_comparison():
    ranks = scores.mean_ranks(np.array([[0.9, 0.8, 0.8], [0.7, 0.9, 0.5], [np.nan, 1, 1]]))
    np.testing.assert_allclose(ranks, [1.5, 1.75, 2.75])
    better, worse = np.array([0.02, 0.021, 0.0205]), np.array([-0.02, -0.021, -0.0205])
    unclear, single = np.array([0.02, -0.03, 0.001]), np.array([0.5])
    found = scores.compare([better, worse, unclear, single])
    assert (found["won"], found["lost"], found["n"]) == ([0], [1], 10)
    assert found["mean"] == pytest.approx((0.0205 - 0.0205 - 0.003 + 0.5) / 4)
    assert found["low"] < 0 < found["mean"] < found["high"]
    tight = scores.compare([better, better])
    assert 0.02 <= tight["low"] <= tight["high"] <= 0.021


def test_holm_multiplies_the_smallest_by_the_number_of_tests():
    found = scores.holm([0.01, 0.04, 0.03, np.nan])
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, np.nan])
    assert scores.holm([0.6, 0.9]).tolist() == [1, 1]


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
        assert Counter(bad.y.tolist()) == {8: 67}
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
    with pytest.raises(data.DataMissing, match="dataset-fashion-mnist"):
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
        (["--shares", "2"], "--shares must lie in [0, 1]. Received: [2.0]"),
        (["--classifiers", "features"], "--classifiers features needs --weights DIR"),
        (["--variant", "x=3"], "must be a new name and options of GANOversampler as JSON"),
    ],
)
def test_bad_options_are_named(words, message, capsys):
    with pytest.raises(SystemExit):
        does_it_help.parse(["--quick", *words])
    assert message in capsys.readouterr().err


def test_tasks_without_data_are_skipped_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST", str(tmp_path))
    monkeypatch.setattr(data.photographs, "SHARED", [tmp_path])
    data.load.cache_clear(), data._listed.cache_clear()
    scale = tasks.scale("full")
    chosen = [t for t in scale.tasks if t.name in ("digits-3-8-n10", "isic2016-64-n50")]
    chosen += [t for t in scale.tasks if t.source == "fashion"][:1]
    said = []
    plan = running.Plan(replace(scale, tasks=tuple(chosen)), "out", ("random",))
    kept = does_it_help._without_missing(plan, said.append)
    assert [t.name for t in kept.scale.tasks] == ["digits-3-8-n10"]
    assert any(line.startswith("Skipped: isic2016-64-n50. isic2016 is missing") for line in said)
    assert any("apt-get install dataset-fashion-mnist" in line for line in said)
    data.load.cache_clear(), data._listed.cache_clear()


def test_photographs_are_read_from_folders_and_each_fold_is_tested_once(tmp_path, monkeypatch):
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, counts in (("train", (12, 6)), ("test", (4, 2))):
        for name, n in zip(("benign", "malignant"), counts):
            (tmp_path / "isic2016" / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                path = tmp_path / "isic2016" / part / name / f"{name}_{i}.png"
                Image.fromarray(pixels).save(path)
    monkeypatch.setattr(data.photographs, "SHARED", [tmp_path])
    for function in (data.load, data._listed, data._pictures):
        function.cache_clear()
    try:
        folds = [data.load("isic2016", 32, (0, 1), fold) for fold in range(3)]
        tested = [image.tobytes() for fold in folds for image in fold[2]]
        assert len(set(tested)) == len(tested) == 18
        for X, y, X_test, y_test in folds:
            assert X.shape[1:] == (32, 32, 3)
            assert (len(X), y.sum(), len(X_test), y_test.sum()) == (12, 4, 6, 2)
            assert not {image.tobytes() for image in X} & {image.tobytes() for image in X_test}
        X, y, X_test, y_test = data.load("isic2016", 32, (0, 1), 0, True)
        assert (len(X), y.sum(), len(X_test), y_test.sum()) == (18, 6, 6, 2)
        assert not {image.tobytes() for image in X_test} & set(tested)
    finally:
        for function in (data.load, data._listed, data._pictures):
            function.cache_clear()


def test_the_forecast_takes_the_measured_seconds(task):
    plan = running.Plan(tasks.scale("quick"), "out", ("nothing", "default"))
    jobs = [(task, 0), (task, 1)]
    keys = [key for job in jobs for key in plan.keys(*job)]
    record = {"task": task.name, "fit_cpu_s": 30.0, "make_cpu_s": 6.0}
    raw, augmented = ({**record, "column": c, "arm": "nothing"} for c in ("raw", "augmented"))
    done = {keys[0]: raw, keys[1]: augmented}
    hours = forecast.expected_hours(plan, jobs, done, lambda key: True)
    assert hours == pytest.approx((len(keys) - 2) * 36 / 3600)
    gan = {**raw, "arm": "default", "sampler_cpu_s": 100.0}
    hours = forecast.expected_hours(plan, jobs, {**done, keys[2]: gan}, lambda key: False)
    assert hours == pytest.approx(((len(keys) - 3) * 36 + 2 * 100) / 3600)


def test_the_page_shows_tasks_of_many_classes_with_the_measures_of_their_translations():
    plan = running.Plan(tasks.scale("quick"), "out", ("random", "default"))
    task = plan.scale.tasks[-1]
    assert (task.name, len(task.counts), task.half) == ("ten-digits", 10, "development")
    scored = dict.fromkeys(("geometric_mean", "f1", "auc", "average_precision", "brier"), 0.5)
    seconds = {"fit_cpu_s": 1.0, "make_cpu_s": 1.0}
    records = [
        {
            "task": task.name, "half": task.half, "shift": None, "share": 0.0, "seed": seed,
            "arm": "default", "column": "raw", "balanced_accuracy": 0.6 + 0.1 * seed,
            "translations": 0.5, "sampler_cpu_s": 3.0, "sampler_recognised": 0.75,
            "sampler_reports": {"1": {"evidence": 0.4, "told": 0.9}, "2": {"evidence": 0.8}},
            **scored, **seconds,
        }
        for seed in (0, 1)
    ]  # fmt: skip
    records += [{**r, "arm": "random", "translations": 0.0} for r in records]
    page = report.page(Results(records), plan, "both", "command")
    ten = page.split("## Ten classes")[1].split("##")[0]
    assert "ten-digits; draws: 2." in ten
    assert ".650 ± .071" in ten
    (line,) = [line for line in page.splitlines() if ".75 " in line]
    assert [cell.strip() for cell in line.split("|")[3:8]] == [".50", ".75", "3.00", ".60", ".90"]


def test_ten_classes_of_fashion_have_one_draw_unless_seeds_are_given():
    _, plan = does_it_help.parse(["--tasks", "fashion-ten", "ten-digits", "--arms", "nothing"])
    assert Counter(t.name for t, _ in plan.jobs()) == {"fashion-ten": 1, "ten-digits": 5}
    _, plan = does_it_help.parse(["--tasks", "fashion-ten", "--arms", "nothing", "--seeds", "3"])
    assert [seed for _, seed in plan.jobs()] == [0, 1, 2]


def test_soft_labels_and_views_reach_the_logistic_regression(task):
    draw = tasks.draw(task, 0)
    frozen = classifiers.FrozenFeatures(".", 2)
    seen = []

    def mean_rows(images):  # in place of the pretrained network
        seen.append(len(images))
        return images.astype(float).mean(axis=2).reshape(len(images), -1)

    frozen._features = mean_rows
    codes = (draw.y == 8).astype(int)
    for name, n in (("nothing", [83]), ("mixup", [83]), ("random, photometric", [150, 150])):
        made = arms.ARMS[name].make(draw, None, np.random.default_rng(0), None)
        seen.clear()
        frozen.fit(made, (made.y == 8).astype(int))
        assert seen == n
        found = frozen.predict_proba(draw.X_test)
        assert scores.score((draw.y_test == 8).astype(int), found)["auc"] > 0.7
    assert codes.sum() == 8


def test_a_run_is_reported_and_resumes(tmp_path, capsys):
    words = ["--quick", "--arms", "nothing", "random", "--tasks", "digits*", "--out", str(tmp_path)]
    does_it_help.main([*words, "--jobs", "1"])
    captured = capsys.readouterr()
    assert "1 draws, 1 of them to run; expected: 0.00 processor hours" in captured.err
    printed = captured.out
    assert printed.strip() == (tmp_path / "does-it-help.md").read_text().strip()
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert len(lines) == 4
    record = next(
        r for r in map(json.loads, lines) if r["arm"] == "random" and r["column"] == "augmented"
    )
    assert 0.5 < record["auc"] <= 1
    assert report.number(record["auc"]) in printed
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 5
    # After two results are lost and a line is truncated, the missing ones are run again.
    (tmp_path / "results.jsonl").write_text("\n".join(lines[:2]) + '\n{"key": "cut')
    does_it_help.main([*words, "--jobs", "1"])
    again = Store(tmp_path).records().values()
    first = {json.loads(line)["key"]: json.loads(line)["auc"] for line in lines}
    assert {r["key"]: r["auc"] for r in again} == first


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


def test_benchmarks_that_import_keras_check_the_backend_before():
    checked = 0
    for script in Path(does_it_help.__file__).parent.glob("*.py"):
        text = script.read_text()
        at_top = re.search(
            r"^(import keras|from melanet(\.\w+)? import .*(GAN|MelaNet))", text, re.M
        )
        if at_top and script.name != "write_keras2_files.py":  # runs with Keras 2
            assert re.search(r"^check_start\(", text[: at_top.start()], re.M), script.name
            checked += 1
    assert checked >= 6
