"""Tests of the guide: it learns a class, its models repeat its scores, and it repeats itself."""

import numpy as np
import pytest

from melanet.features import fit_guide


def squares(n, size, seed):
    """Grey noise with a bright square of some size at a random place."""
    rng = np.random.default_rng(seed)
    images = rng.normal(-0.3, 0.1, (n, 32, 32, 1)).astype("float32")
    for image in images:
        top, left = rng.integers(0, 32 - size, 2)
        image[top : top + size, left : left + size] += 0.6
    return images.clip(-1, 1)


@pytest.fixture(scope="module")
def classes():
    return squares(40, 6, 0), squares(20, 12, 1)


@pytest.fixture(scope="module")
def guide(classes):
    return fit_guide(*classes, features=None, steps=120, seed=3)


def test_small_networks_tell_unseen_images_apart(classes, guide):
    assert guide.auc > 0.9
    unseen = guide.logits(squares(20, 6, 5)), guide.logits(squares(20, 12, 6))
    assert np.median(unseen[1]) > np.max(unseen[0])


def test_models_of_the_guide_give_its_scores(classes, guide):
    features, scorer = guide.build()
    guide.assign(features, scorer)
    images = classes[1][:5]
    maps = features.predict_on_batch(images)
    assert [m.shape[1:] for m in maps] == guide.map_shapes
    for scaled, plain, scale in zip(maps, guide.network.maps(images), guide.scales, strict=True):
        np.testing.assert_allclose(scaled, plain * scale, rtol=1e-4, atol=1e-5)
    logits = scorer.predict_on_batch(maps)
    np.testing.assert_allclose(logits.mean(axis=1), guide.logits(images), rtol=1e-3, atol=1e-4)
    assert not features.trainable_variables
    assert not scorer.trainable_variables


def test_colours_are_whitened_with_the_same_weight_for_each_class(classes, guide):
    mean, whitening = guide.colours
    np.testing.assert_allclose(mean, np.mean([images.mean() for images in classes]), rtol=1e-4)
    variance = np.mean([((images - mean) ** 2).mean() for images in classes])
    np.testing.assert_allclose(whitening**2, 1 / (variance + 1e-4), rtol=1e-3)


def test_each_regression_sees_one_network_only(guide):
    n_features, n_heads = guide.weights.shape
    used = guide.weights != 0
    assert n_heads == 3
    assert (used.sum(axis=1) <= 1).all()
    assert used.sum() >= 0.9 * n_features


def test_the_same_seed_gives_the_same_bits(classes):
    corners = [part[:, :16, :16] for part in classes]
    images = corners[0][:4]
    first, again, other = (
        fit_guide(*corners, features=None, steps=10, seed=seed).logits(images) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(again, first)
    assert (other != first).any()


def test_two_images_of_a_class_suffice(classes):
    corners = [part[:, :16, :16] for part in classes]
    guide = fit_guide(corners[0][:2], corners[1][:2], features=None, steps=5)
    assert np.isfinite(guide.logits(corners[0])).all()
