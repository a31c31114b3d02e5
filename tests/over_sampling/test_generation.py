from types import SimpleNamespace

import numpy as np
import pytest

from melanet.over_sampling import PRESETS, _generation
from melanet.utils import _chunks


class Inverting:
    """Stands in for a trained CycleGAN where what it learned does not matter."""

    sample_shape = (6, 6, 1)

    def translate(self, x, to="B", batch_size=32):
        assert to == "B"
        return -x


@pytest.fixture
def samples():
    # Asymmetric, so that a mirror image differs.
    return np.random.default_rng(0).uniform(-0.9, 0.9, (13, 6, 6, 1)).astype("float32")


def make(samples, n, accepts=None, cyclegan=None, matching=None, known=None, **recipe):
    made = np.full((n, *samples.shape[1:]), np.nan, "float32")
    source, kinds, problem = _generation.make(
        {**PRESETS["default"], "copies": 0.0, **recipe},
        cyclegan or Inverting(),
        matching,
        accepts,
        samples=samples,
        rows=np.arange(8),
        own=np.arange(8, 13),
        out=made,
        decode=np.asarray,
        rng=np.random.default_rng(0),
        known=known,
    )
    return made, source, kinds, problem


def test_each_source_is_used_once_before_any_is_used_again(samples):
    made, source, kinds, problem = make(samples, 8)
    assert sorted(source) == list(range(8))
    assert set(kinds) == {"translation"}
    assert problem is None
    np.testing.assert_array_equal(made, -samples[source])


def test_reused_sources_do_not_repeat_themselves(samples):
    made, source, *_ = make(samples, 30)
    assert np.bincount(source, minlength=8).min() >= 3
    assert len(np.unique(made.reshape(30, -1), axis=0)) == 30


def test_second_use_is_the_mirror_image_where_flips_are_permitted(samples):
    made, source, *_ = make(samples, 16, flip="horizontal")
    np.testing.assert_array_equal(made[:8], -samples[source[:8]])
    np.testing.assert_array_equal(made[8:], -samples[source[8:]][:, :, ::-1])


def test_reused_rows_of_a_table_are_jittered():
    rows = np.random.default_rng(0).uniform(-1, 1, (13, 3)).astype("float32")
    same = SimpleNamespace(translate=lambda x, to: x)
    made, *_ = make(rows, 24, cyclegan=same, guard=False, flip=None)
    assert len(np.unique(made, axis=0)) == 24


@pytest.mark.parametrize(("share", "n", "copies"), [(0.5, 16, 8), (0.25, 8, 2), (0.5, 1, 0)])
def test_the_share_of_copies_that_is_asked_for(samples, share, n, copies):
    made, source, kinds, _ = make(samples, n, copies=share)
    assert len(made) == len(source) == n
    assert list(kinds) == ["translation"] * (n - copies) + ["copy"] * copies
    own = source[n - copies :]
    assert (own >= 8).all()
    # Of the copies every second one is changed, and only a little.
    same = np.abs(made[n - copies :] - samples[own]).max(axis=(1, 2, 3)) == 0
    assert same.tolist() == [i % 2 == 0 for i in range(copies)]
    np.testing.assert_array_equal(made[: n - copies], -samples[source[: n - copies]])


def test_what_the_judge_refuses_twice_becomes_a_copy(samples):
    calls = []

    def accepts(x):
        calls.append(len(x))
        return np.arange(len(x)) % 2 == 0

    made, source, kinds, _ = make(samples, 8, accepts)
    assert calls == [8, 4]
    assert list(kinds) == ["translation"] * 6 + ["copy"] * 2
    assert (source[:6] < 8).all()
    assert (source[6:] >= 8).all()
    np.testing.assert_array_equal(made[0:6:2][:2], -samples[source[0:6:2][:2]])
    for image, row in zip(made[6:], source[6:]):
        assert np.abs(image - samples[row]).mean() < np.abs(image + samples[row]).mean()


def test_a_judge_that_refuses_all_leaves_copies_only(samples):
    made, source, kinds, _ = make(samples, 11, lambda x: np.zeros(len(x), bool))
    assert set(kinds) == {"copy"}
    assert (np.bincount(source, minlength=13)[8:] >= 2).all()
    unchanged = [any((image == real).all() for real in samples[8:]) for image in made]
    assert sum(unchanged) == 6


def test_guarded_before_and_judged_after_the_matching(samples):
    seen = []

    def accepts(x):
        seen.append(x)
        return np.ones(len(x), bool)

    def half(x):
        return x / 2

    made, source, *_ = make(samples, 8, accepts, matching=half)
    np.testing.assert_array_equal(made, -samples[source] / 2)
    np.testing.assert_array_equal(seen[0], made)
    # An identity map stays one for the guard, whatever the matching makes of it.
    same = SimpleNamespace(translate=lambda x, to: x)
    _, _, kinds, problem = make(samples, 8, accepts, cyclegan=same, matching=half)
    assert set(kinds) == {"copy"}
    assert "hardly differ" in problem


def test_many_samples_are_made_part_by_part(samples, monkeypatch):
    def accepts(x):
        return x.mean(axis=(1, 2, 3)) > 0

    whole, *known = make(samples, 8, accepts, copies=0.25)
    monkeypatch.setattr(_chunks, "_CHUNK_BYTES", 3 * 4 * 36)
    parted, source, kinds, problem = make(samples, 8, accepts, copies=0.25)
    for before, after in zip(known, (source, kinds, problem)):
        np.testing.assert_array_equal(before, after)
    copies = np.flatnonzero(kinds == "copy")
    assert 3 < len(copies) < 8  # so that kept ones close ranks, and copies take two parts
    kept = kinds == "translation"
    np.testing.assert_array_equal(parted[kept], whole[kept])
    same = [np.array_equal(parted[i], samples[source[i]]) for i in copies]
    assert same == [i % 2 == 0 for i in range(len(copies))]


def test_decoded_before_it_is_kept(samples):
    bytes_ = np.empty((8, 36), "uint8")
    source, *_ = _generation.make(
        {**PRESETS["default"], "copies": 0.5},
        Inverting(),
        None,
        None,
        samples=samples,
        rows=np.arange(8),
        own=np.arange(8, 13),
        out=bytes_,
        decode=lambda x: np.rint(100 * x + 100).reshape(len(x), -1),
        rng=np.random.default_rng(0),
    )
    expected = np.rint(100 - 100 * samples[source[:4]]).reshape(4, -1)
    np.testing.assert_array_equal(bytes_[:4], expected)
    np.testing.assert_array_equal(bytes_[4], np.rint(100 + 100 * samples[source[4]]).ravel())


def test_what_was_translated_before_is_not_translated_again(samples):
    seen = []

    class Counting(Inverting):
        def translate(self, x, to="B", batch_size=32):
            seen.append(len(x))
            return -x

    known = {row: -samples[row] / 2 for row in range(5)}
    made, source, *_ = make(samples, 12, cyclegan=Counting(), known=known, guard=False)
    # Eight sources for the first time, five of them known; four again, and changed.
    assert seen == [7]
    for image, row in zip(made[:8], source[:8]):
        np.testing.assert_array_equal(image, known.get(row, -samples[row]))
    assert all((image != known.get(row, 0)).any() for image, row in zip(made[8:], source[8:]))
