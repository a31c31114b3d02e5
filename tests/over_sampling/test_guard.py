import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from melanet import CycleGAN, GANOversampler
from melanet.over_sampling._guard import Guard, describe_failures


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8, 1) / 8 - 1
    return X[y == 3][:60], X[y == 8][:12]


def test_hardly_changed_samples_do_not_pass(digits):
    sources, targets = digits
    guard = Guard(sources, targets)
    flat = sources.reshape(60, -1)
    rms = np.sqrt(((flat[:, None] - flat) ** 2).mean(axis=2))
    np.fill_diagonal(rms, np.inf)
    limit = np.median(rms.min(axis=1)) / 3
    sign = np.random.default_rng(0).choice([-1.0, 1.0], sources.shape)
    made = np.concatenate([sources + 0.99 * limit * sign, sources + 1.01 * limit * sign])
    passed = guard.passes(made, np.concatenate([sources, sources]))
    assert passed.tolist() == [False] * 60 + [True] * 60


def test_constant_and_non_finite_samples_do_not_pass(digits):
    sources, targets = digits
    made = -sources[:4].copy()
    made[1] = 0.5
    made[2, 0, 0] = np.nan
    made[3, 0, 0] = np.inf
    assert Guard(sources, targets).passes(made, sources[:4]).tolist() == [True, False, False, False]


def test_constant_data_pass():
    constant = np.zeros((5, 4))
    guard = Guard(constant, constant)
    assert guard.passes(constant, constant).all()
    assert guard.collapsed(constant) is None


def test_collapse_is_measured_against_the_class(digits):
    sources, targets = digits
    guard = Guard(sources, targets)
    assert guard.collapsed(targets) is None
    middle = targets.mean(axis=0)
    assert guard.collapsed(middle + 0.5 * (targets - middle)) is None
    assert guard.collapsed(middle + 0.2 * (targets - middle)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, None),
        ({"unchanged": 19, "refused": 50}, None),
        ({"unchanged": 20}, "20% of the translations hardly differ from their sources"),
        ({"refused": 51}, "51% are not recognised as the class"),
        ({"diversity": 0.1}, "they are only 0.10 times as diverse as the real samples"),
    ],
)
def test_the_description_of_failures_names_the_figure(facts, text):
    assert describe_failures(100, **facts) == text


def _generator(change):
    inputs = keras.Input((8, 8, 1))
    return CycleGAN(keras.Model(inputs, change(inputs)), None, None, None)


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda x: x * 1.0, "100% of the translations hardly differ"),
        (lambda x: x * 0.01 + keras.ops.sin(keras.ops.arange(8.0))[:, None], "times as diverse"),
    ],
    ids=["identity map", "collapse"],
)
def test_a_failed_translator_is_replaced_by_copies(digits, change, figure):
    sources, targets = digits
    X = np.concatenate([sources, targets])
    y = np.repeat(["three", "eight"], [60, 12])
    pretrained = {"eight": _generator(change)}
    sampler = GANOversampler(pretrained=pretrained, reject=False, random_state=0)
    with pytest.warns(UserWarning, match=f"Class 'eight': .*{figure}.* 48 are copies") as caught:
        X_res, _ = sampler.fit_resample(X, y)
    assert caught[0].filename == __file__
    assert set(sampler.source_kind_) == {"copy"}
    assert set(sampler.source_indices_) <= set(range(60, 72))
    # Augmented copies are still nearest to their own class.
    made = X_res[72:].reshape(48, -1)
    distances = [
        np.sqrt(((made[:, None] - part.reshape(len(part), -1)) ** 2).sum(axis=2)).min(axis=1)
        for part in (sources, targets)
    ]
    assert (distances[1] < distances[0]).mean() > 0.8


def test_without_a_guard_the_same_translations_are_kept(digits, recwarn):
    sources, targets = digits
    X, y = np.concatenate([sources, targets]), np.repeat([0, 1], [60, 12])
    options = {"reject": False, "guard": False, "copies": 0, "random_state": 0}
    sampler = GANOversampler(pretrained={1: _generator(lambda x: x * 1.0)}, **options)
    sampler.fit_resample(X, y)
    assert set(sampler.source_kind_) == {"translation"}
    assert not [w for w in recwarn if "Class" in str(w.message)]
