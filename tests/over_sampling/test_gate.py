from collections import Counter
from math import comb

import numpy as np
import pytest

from melanet import CycleGAN, GANOversampler
from melanet.exceptions import TranslationWarning
from melanet.over_sampling import _gate
from melanet.over_sampling._gate import compare_conditions, decide, moved_gain, pass_gate
from melanet.over_sampling._plans import plan_classes

N, RARE, SIDE = 60, 30, 12


def draw(marked, seed=0):
    """Return noise with a bar, upright in class 1; a share of class 0 has a bright corner."""
    rng = np.random.default_rng(seed)
    X = rng.normal(-0.3, 0.1, (N + RARE, SIDE, SIDE, 1)).clip(-1, 1).astype("float32")
    y = np.repeat([0, 1], [N, RARE])
    X[y == 0, 5:7, 3:9] += 0.3
    X[y == 1, 3:9, 5:7] += 0.3
    X[: int(marked * N), :2, :2] = 0.9
    return X, y


def plan_of(y, n=N - RARE):
    return plan_classes(y, {1: n}, seed=0)[0]


def test_the_chance_is_that_the_outermost_are_all_of_one_set():
    X, y = draw(0)
    X[:7] += 0.4
    bright = max(
        (o for o in compare_conditions(X[y == 0], X[y == 1]) if o.condition == "mean of channel 0"),
        key=lambda outside: outside.share,
    )
    k = round(bright.share * N)
    assert k >= 7
    assert bright.chance == pytest.approx(comb(N, k) / comb(N + RARE, k))


def test_the_chance_holds_where_the_sets_do_not_differ():
    rng = np.random.default_rng(1)
    sets = [np.split(rng.normal(0, 0.1, (40, 8, 8, 1)), [28]) for _ in range(10)]
    least = [min(outside.chance for outside in compare_conditions(*pair)) for pair in sets]
    assert min(least) > 1e-4


@pytest.mark.parametrize("share", [0.4, 0.7])
def test_the_gate_opens_for_a_mark_that_the_class_lacks(share):
    X, y = draw(share)
    gate = decide(X, plan_of(y))
    assert gate.is_open
    outside = round(int(gate.reason.split("%")[0]) / 100 - share, 2)
    assert 0 <= outside <= 0.1  # and a few unmarked ones


def test_the_gate_is_shut_without_a_mark():
    X, y = draw(0)
    gate = decide(X, plan_of(y))
    assert not gate.is_open
    assert "change the AUC by" in gate.reason


def test_the_gate_is_shut_where_mark_and_class_cannot_be_told_apart():
    X, y = draw(1)
    gate = decide(X, plan_of(y))
    assert not gate.is_open
    assert "100% of the majority's images" in gate.reason
    assert "cannot be told from the class" in gate.reason


def test_a_difference_of_the_classes_is_no_condition():
    X, y = draw(0)
    X[y == 0] -= 0.2 * np.random.default_rng(0).uniform(0.3, 1, (N, 1, 1, 1)).astype("float32")
    found = compare_conditions(X[y == 0], X[y == 1])
    dark = max(
        (o for o in found if o.condition == "mean of channel 0"), key=lambda outside: outside.share
    )
    assert dark.inside_auc > 0.75 or dark.share > 0.9


def test_a_class_of_two_images_leaves_the_gate_shut():
    X, y = draw(0.5)
    keep = np.r_[:N, N : N + 2]
    assert not decide(X[keep], plan_of(y[keep])).is_open


def test_a_gain_by_the_majoritys_conditions_opens_the_gate(monkeypatch):
    X, y = draw(0)
    for low, is_open in ((0.001, True), (0.0, False), (np.nan, False)):
        monkeypatch.setattr(_gate, "moved_gain", lambda *_, low=low: (0.02, low))
        gate = decide(X, plan_of(y))
        assert gate.is_open == is_open
        assert "+0.020" in gate.reason


def test_the_gain_is_repeatable_and_undefined_for_too_few():
    X, y = draw(0)
    first, second = (moved_gain(X[y == 0], X[y == 1], seed=3) for _ in range(2))
    assert first == second
    assert first[1] <= first[0]
    assert np.isnan(moved_gain(X[y == 0], X[-2:])).all()


def test_only_classes_that_would_be_trained_are_decided_on():
    X, y = draw(0)
    plans = [plan_of(y)]
    assert pass_gate(X, plans, (), 0, stacklevel=1) == (plans, {})
    with pytest.warns(TranslationWarning, match="Class 1: no GAN is trained") as caught:
        (plan,), notes = pass_gate(X, plans, [1], 0, stacklevel=1)
    assert caught[0].filename == __file__
    assert (plan.n_translations, plan.n_exact, plan.n_samples) == (0, 30, 30)
    assert notes[1].startswith("shut: ")


def test_behind_a_shut_gate_the_strategy_is_met_by_exact_copies(tmp_path):
    X, y = draw(0)
    sampler = GANOversampler(gate="auto", steps=2, value_range=(-1, 1), random_state=0)
    with pytest.warns(TranslationWarning, match="30 synthetic samples are exact copies") as caught:
        X_res, y_res = sampler.fit_resample(X, y)
    assert [w.filename for w in caught] == [__file__]
    assert Counter(y_res.tolist()) == {0: N, 1: N}
    np.testing.assert_array_equal(X_res[len(X) :], X[sampler.source_indices_])
    assert set(sampler.source_kind_) == {"copy"}
    assert sampler.reports_[1].gate.startswith("shut: ")
    assert sampler.cyclegans_ == {}
    sampler.save(tmp_path / "sampler.melanet")
    assert GANOversampler.load(tmp_path / "sampler.melanet").reports_ == sampler.reports_


def test_behind_an_open_gate_the_gan_is_trained(recwarn):
    X, y = draw(0.5)
    options = {"steps": 2, "guard": False, "reject": False, "value_range": (-1, 1)}
    sampler = GANOversampler(gate="auto", random_state=0, **options)
    sampler.fit_resample(X, y)
    assert set(sampler.cyclegans_) == {1}
    assert sampler.reports_[1].gate.startswith("open: ")
    assert not [w for w in recwarn if w.category is TranslationWarning]
    made = GANOversampler(random_state=0, **options).fit_resample(X, y)[0]
    np.testing.assert_array_equal(made, sampler.fit_resample(X, y)[0])


def test_pretrained_classes_pass_and_tables_are_refused():
    X, y = draw(0)
    gan = CycleGAN.from_shape((SIDE, SIDE, 1), filters=2, discriminator_filters=2)
    options = {"value_range": (-1, 1), "guard": False, "reject": False, "random_state": 0}
    sampler = GANOversampler(gate="auto", pretrained={1: gan}, **options)
    with pytest.warns(UserWarning, match="gate can only be used in a training"):
        sampler.fit_resample(X, y)
    assert "translation" in sampler.source_kind_
    with pytest.raises(ValueError, match="gate is for images"):
        GANOversampler(gate="auto").fit_resample(X.reshape(len(X), -1)[:, :3], y)
    for wrong in (True, "on", None):
        with pytest.raises(ValueError, match="gate"):
            GANOversampler(gate=wrong).fit_resample(X, y)
