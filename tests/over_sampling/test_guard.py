from pathlib import Path

import keras
import numpy as np
import pytest
from negatives import changing
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from melanet import GANOversampler
from melanet.datasets import load_image_folder, load_images, make_lesions
from melanet.exceptions import TranslationWarning
from melanet.over_sampling._guard import Guard, describe_failures, reasons_to_refuse


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
    limit = np.median(rms.min(axis=1)) / 10
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
    assert guard.diversity(constant) == {}


def test_collapse_is_measured_against_the_class(digits):
    sources, targets = digits
    guard = Guard(sources, targets)
    middle = targets.mean(axis=0)
    for share in (1.0, 0.5, 0.2):
        measured = guard.diversity(middle + share * (targets - middle))
        assert measured["diversity"] == pytest.approx(share)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, None),
        ({"unchanged": 19, "refused": 50}, None),
        ({"unchanged": 20}, "20% of the translations hardly differ from their sources"),
        ({"refused": 51}, "51% are not recognised as the class"),
        ({"measures": {"evidence": 0.5, "told": 0.9, "told_sources": 0.6}}, None),
        (
            {"measures": {"evidence": 0.3}},
            "the translations carry only 0.30 of the evidence of the class",
        ),
        (
            {"measures": {"evidence": 0.1, "evidence_high": 0.2}},
            "the translations do not move towards the class: they carry 0.10 of its evidence "
            "(at most 0.20)",
        ),
        (
            {"measures": {"told": 0.99, "told_sources": 0.6}},
            "the translations are told from real samples of the class with an AUC of 0.99, "
            "their sources with 0.60",
        ),
        ({"measures": {"told": 0.99, "told_sources": 0.95}}, None),
        (
            {"measures": {"diversity": 0.1}},
            "the translations are only 0.10 times as diverse as the real samples",
        ),
    ],
)
def test_the_description_of_failures_names_the_figure(facts, text):
    assert describe_failures(100, **facts) == text


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
    pretrained = {"eight": changing(change, (8, 8, 1))}
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
    sampler = GANOversampler(pretrained={1: changing(lambda x: x * 1.0, (8, 8, 1))}, **options)
    sampler.fit_resample(X, y)
    assert set(sampler.source_kind_) == {"translation"}
    assert not [w for w in recwarn if "Class" in str(w.message)]


@pytest.fixture(scope="module")
def lesions():
    """Return benign and malignant toy lesions, and the benign ones drawn as malignant."""
    options = {"image_size": 32, "difficulty": 0.4}
    drawn = [
        make_lesions(n, weights=weights, random_state=seed, **options)[0]
        for n, weights, seed in ((120, (1, 0), 1), (60, (0, 1), 2), (120, (0, 1), 1))
    ]
    return [(images / 127.5 - 1).astype("float32") for images in drawn]


def _ringing(benign, malignant, rng):
    return benign + 2.5 * (benign - gaussian_filter(benign, (0, 1, 1, 0)))


def _checkered(benign, malignant, rng):
    return benign + 0.08 * (-1.0) ** np.add.outer(np.arange(32), np.arange(32))[..., None]


def _blurred(benign, malignant, rng):
    return gaussian_filter(benign, (0, 1.5, 1.5, 0))


def _framed(benign, malignant, rng):
    framed = np.full_like(benign, -0.6)
    framed[:, 2:-2, 2:-2] = benign[:, 2:-2, 2:-2]
    return framed


def _unchanged(benign, malignant, rng):
    return benign + 0.01 * rng.normal(size=benign.shape)


def _noisy(benign, malignant, rng):
    """Add the difference of the means, and noise."""
    step = malignant.mean(axis=0) - benign.mean(axis=0)
    noise = 0.12 * rng.normal(size=benign.shape)
    return benign + 0.3 * step / np.abs(step).max() + noise


@pytest.mark.parametrize(
    ("fault", "figure"),
    [
        (_ringing, "with an AUC of 1.00"),
        (_checkered, "with an AUC of 1.00"),
        (_blurred, "they do not move towards the class"),
        (_framed, "with an AUC of 1.00"),
        (_unchanged, "they do not move towards the class"),
        (_noisy, "with an AUC of 1.00"),
    ],
)
def test_failures_that_pixels_do_not_show_are_refused(lesions, fault, figure):
    benign, malignant, _ = lesions
    made = np.clip(fault(benign, malignant, np.random.default_rng(0)), -1, 1)
    measures = Guard(benign, malignant).measure(made.astype("float32"), benign)
    assert any(figure in reason for reason in reasons_to_refuse(measures))


def test_lesions_redrawn_as_the_other_class_on_the_same_skin_pass(lesions):
    benign, malignant, redrawn = lesions
    guard = Guard(benign, malignant)
    measures = guard.measure(redrawn, benign)
    assert guard.passes(redrawn, benign).all()
    assert describe_failures(120, measures=measures | guard.diversity(redrawn)) is None
    assert measures["evidence_low"] > 0.5
    assert measures["told"] < 0.7


@pytest.mark.slow
def test_the_failing_recipe_on_real_lesions_is_refused(isic2016):
    """A ResNet of 600 steps redraws photographs badly: docs/recipe.md."""
    X, y = isic2016
    sampler = GANOversampler(generator="resnet", flip="both", random_state=0)
    with pytest.warns(TranslationWarning, match="are told from real samples of the class"):
        sampler.fit_resample(X, y)
    report = sampler.reports_["malignant"]
    assert report.measures["told"] > 0.95
    assert set(sampler.source_kind_) == {"copy"}


@pytest.fixture(scope="module")
def isic2016():
    """Return the training lesions of ISIC 2016 at 64x64 and their labels."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "isic2016" / "train"
    if not folder.is_dir():
        pytest.skip(f"needs the pictures of ISIC 2016 in {folder}")
    listed = load_image_folder(folder)
    return load_images(listed.paths, 64), np.array(listed.target_names)[listed.target]
