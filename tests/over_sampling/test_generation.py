from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from negatives import changing, negative

from melanet import CycleGAN
from melanet.exceptions import TranslationWarning
from melanet.over_sampling import PRESETS
from melanet.over_sampling._generation import ClassGenerator, ClassReport, sample_weights
from melanet.over_sampling._plans import plan_classes

Y = np.repeat([0, 1], [8, 5])


@pytest.fixture
def samples():
    # Asymmetric, so that a mirror image differs.
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def generate(samples, n, accepts=None, cyclegan=None, chunk=None, **settings):
    """Generate n samples of class 1; return them, their rows and kinds, and the report."""
    settings = {"copies": 0.0, "match": False, **settings}
    recipe = replace(PRESETS["default"], **settings)
    (plan,) = plan_classes(
        Y, {1: n}, seed=0, copies=recipe.copies, max_translations=recipe.max_translations
    )
    judge = accepts and SimpleNamespace(certainty=lambda x, code, sources: accepts(x))
    cyclegan = cyclegan or negative(samples.shape[1:])
    generator = ClassGenerator(samples, plan, cyclegan, recipe, judge)
    report, parts = ClassReport(measures=generator.measures), []
    for start in range(0, n, chunk or n):
        places = np.arange(start, min(n, start + (chunk or n)))
        parts.append(generator.generate(places, generator.read(places), report.n_copies))
        report.add(parts[-1])
    made, rows, kinds = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("samples", "rows", "kinds")
    )
    return made, rows, kinds, report


def test_each_source_is_used_once_before_any_is_used_again(samples):
    made, rows, kinds, _ = generate(samples, 8)
    assert sorted(rows) == list(range(8))
    assert set(kinds) == {"translation"}
    np.testing.assert_array_equal(made, -samples[rows])


def test_reused_sources_do_not_repeat_themselves(samples):
    made, rows, *_ = generate(samples, 30)
    assert np.bincount(rows, minlength=8).min() >= 3
    assert len(np.unique(made.reshape(30, -1), axis=0)) == 30


def test_the_second_use_is_the_mirror_image_if_flips_are_permitted(samples):
    made, rows, *_ = generate(samples, 16, flip="horizontal")
    np.testing.assert_array_equal(made[:8], -samples[rows[:8]])
    np.testing.assert_array_equal(made[8:], -samples[rows[8:]][:, :, ::-1])


def test_reused_rows_of_a_table_are_jittered():
    rows = np.random.default_rng(0).uniform(-1, 1, (13, 3)).astype("float32")
    same = changing(lambda x: x * 1.0, (3,))
    made, *_ = generate(rows, 24, cyclegan=same, guard=False)
    assert len(np.unique(made, axis=0)) == 24


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize(("share", "n", "copies"), [(0.5, 16, 8), (0.25, 8, 2), (0.5, 1, 0)])
def test_the_planned_copies_come_last_and_every_second_is_changed(samples, share, n, copies, chunk):
    made, rows, kinds, _ = generate(samples, n, copies=share, chunk=chunk)
    assert list(kinds) == ["translation"] * (n - copies) + ["copy"] * copies
    copied_rows = rows[n - copies :]
    assert (copied_rows >= 8).all()
    assert np.bincount(copied_rows, minlength=13)[8:].max() <= -(-copies // 5)
    same = np.abs(made[n - copies :] - samples[copied_rows]).max(axis=(1, 2, 3)) == 0
    assert same.tolist() == [i % 2 == 0 for i in range(copies)]
    np.testing.assert_array_equal(made[: n - copies], -samples[rows[: n - copies]])


def test_changed_copies_take_over_the_colour_of_sources_if_the_recipe_says_so(samples):
    bright = 0.2 * samples
    bright[:8] += 0.6
    bright[8:] -= 0.6
    colours = {}
    for move in (True, False):
        made, rows, kinds, _ = generate(bright, 16, copies=0.5, move=move, guard=False)
        copies, originals = made[kinds == "copy"], bright[rows[kinds == "copy"]]
        np.testing.assert_array_equal(copies[::2], originals[::2])
        colours[move] = copies[1::2].mean(axis=(1, 2, 3))
    of_sources = bright[:8].mean(axis=(1, 2, 3))
    assert np.abs(colours[True][:, None] - of_sources).min(axis=1).max() < 1e-3
    assert (colours[False] < -0.3).all()


@pytest.mark.parametrize("chunk", [None, 4])
@pytest.mark.parametrize(
    ("most", "share", "translations", "mixed"),
    # Five real samples. Of 40 samples, half would be translations, or all.
    [(2, 0.5, 10, 20), (1.5, 0.0, 7, 7), (0, 0.5, 0, 0), (4, 0.5, 20, 40), (None, 0.25, 30, 40)],
)
def test_beyond_the_limit_all_samples_are_exact_copies(
    samples, most, share, translations, mixed, chunk
):
    made, rows, kinds, report = generate(
        samples, 40, copies=share, max_translations=most, chunk=chunk
    )
    assert kinds.tolist() == ["translation"] * translations + ["copy"] * (40 - translations)
    assert (len(made), report.n_copies) == (40, 40 - translations)
    exact = [np.array_equal(image, samples[row]) for image, row in zip(made, rows)]
    in_the_mix = [i % 2 == 0 for i in range(mixed - translations)]
    assert exact == [False] * translations + in_the_mix + [True] * (40 - mixed)
    copied = np.bincount(rows[translations:], minlength=13)[8:]
    assert copied.sum() == 40 - translations
    assert copied.max() - copied.min() <= 1


def test_weights_follow_the_certainty_and_keep_the_total(samples):
    def judge(x):  # a fifth, two fifths, ... by the sample's mean
        return (1 + np.argsort(np.argsort(x.mean(axis=(1, 2, 3))))) / 5

    recipe = replace(PRESETS["default"], match=False, guard=False)
    (plan,) = plan_classes(Y, {1: 8}, seed=0, copies=0.5)
    stand_in = SimpleNamespace(certainty=lambda x, code, sources: judge(x))
    generator = ClassGenerator(samples, plan, negative(samples.shape[1:]), recipe, stand_in)
    places = np.arange(8)
    certainty = generator.generate(places, generator.read(places)).certainty
    assert sorted(certainty[:4]) == [0.2, 0.4, 0.6, 0.8]
    assert certainty[4:].tolist() == [1, 1, 1, 1]
    weights = sample_weights(certainty)
    assert weights.sum() == pytest.approx(8)
    np.testing.assert_allclose(weights / weights[-1], certainty)


def test_a_translation_that_the_judge_rejects_twice_is_replaced_by_a_copy(samples):
    calls = []

    def accepts(x):
        calls.append(len(x))
        return np.arange(len(x)) % 2 == 0

    made, rows, kinds, report = generate(samples, 8, accepts, guard=False)
    assert calls == [8, 4]
    assert kinds.tolist().count("copy") == report.n_copies == 2
    assert (report.n_attempts, report.n_refused) == (8, 4)
    copied = kinds == "copy"
    assert (rows[~copied] < 8).all()
    assert (rows[copied] >= 8).all()
    np.testing.assert_array_equal(made[::2], -samples[rows[::2]])  # accepted at the first attempt
    for image, row in zip(made[copied], rows[copied]):
        assert np.abs(image - samples[row]).mean() < np.abs(image + samples[row]).mean()


def test_a_judge_that_rejects_everything_leaves_copies_only(samples):
    made, rows, kinds, _ = generate(samples, 11, lambda x: np.zeros(len(x), bool), chunk=4)
    assert set(kinds) == {"copy"}
    assert np.bincount(rows, minlength=13)[8:].min() == 2
    exact = [np.array_equal(image, samples[row]) for image, row in zip(made, rows)]
    assert exact == [i % 2 == 0 for i in range(11)]


def test_the_guard_runs_before_the_matching_and_the_judge_after_it(samples):
    seen = []

    def accepts(x):
        seen.append(x)
        return np.ones(len(x), bool)

    made, *_ = generate(samples, 8, accepts, match=True)
    np.testing.assert_array_equal(seen[-1], made)
    assert made.std() == pytest.approx(samples[8:].std(), rel=0.05)
    # The guard recognises an identity map before the matching changes it.
    same = changing(lambda x: x * 1.0, samples.shape[1:])
    _, _, kinds, report = generate(samples, 8, accepts, cyclegan=same, match=True)
    assert set(kinds) == {"copy"}
    with pytest.warns(TranslationWarning, match=r"Class 1: 100% of .* hardly differ.* 8 are cop"):
        report.warn(1, "source_kind_", stacklevel=1)


def test_collapsed_translations_are_all_replaced(samples):
    ramp = np.linspace(-0.9, 0.9, 6, dtype="float32")[:, None]
    collapsed = changing(lambda x: 0.01 * x + ramp, samples.shape[1:])
    made, rows, kinds, report = generate(samples, 6, cyclegan=collapsed, chunk=2)
    assert set(kinds) == {"copy"}
    assert report.measures["diversity"] < 0.1
    np.testing.assert_array_equal(made[::2], samples[rows[::2]])


def test_translations_of_the_probe_are_reused(samples):
    calls = []

    class Counting(CycleGAN):
        def translate(self, x, *args, **kwargs):
            calls.append(len(x))
            return super().translate(x, *args, **kwargs)

    gan = Counting(negative(samples.shape[1:]).generator_ab, None, None, None)
    made, rows, *_ = generate(samples, 12, cyclegan=gan)
    # Eight sources, all of them probed; then four of them again, augmented.
    assert calls == [8, 4]
    np.testing.assert_array_equal(made[:8], -samples[rows[:8]])
    assert all((image != -samples[row]).any() for image, row in zip(made[8:], rows[8:]))


def test_a_chunk_does_not_depend_on_the_chunks_before_it(samples):
    recipe = replace(PRESETS["default"], match=False)
    (plan,) = plan_classes(Y, {1: 30}, seed=0)
    parts = []
    for _ in range(2):
        generator = ClassGenerator(samples, plan, negative(samples.shape[1:]), recipe)
        places = np.arange(10, 20)
        parts.append(generator.generate(places, generator.read(places), 0))
        generator.generate(places, generator.read(places), 0)
    np.testing.assert_array_equal(parts[0].samples, parts[1].samples)
    np.testing.assert_array_equal(parts[0].rows, parts[1].rows)
