"""Small networks: which images each has seen, and its part of the features."""

import numpy as np
import pytest

from melanet.features import train_small_networks
from melanet.features._small_networks import _Batches


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (n, 16, 16, 1)).astype("float32") for n in (7, 5)]


@pytest.fixture(scope="module")
def network(classes):
    return train_small_networks(*classes, side=16, steps=2)


def test_folds_part_each_class_evenly(classes, network):
    for part, images in enumerate(classes):
        rows = [fold[part] for fold in network.folds]
        assert sorted(np.concatenate(rows)) == list(range(len(images)))
        assert np.ptp([len(own) for own in rows]) <= 1


def test_a_network_has_not_seen_the_images_of_its_fold(classes, network):
    row = network.folds[1][0][0]
    changed = classes[0].copy()
    changed[row] *= -1
    other = train_small_networks(changed, classes[1], side=16, steps=2)
    before, after = (n.pooled(classes[1]) for n in (network, other))
    same = [np.array_equal(before[:, own], after[:, own]) for own in network.columns]
    assert same == [False, True, False]


def test_columns_are_the_averages_of_each_networks_maps(classes, network):
    images = classes[0]
    pooled = network.pooled(images)
    assert sorted(np.concatenate(network.columns)) == list(range(pooled.shape[1]))
    for i, own in enumerate(network.columns):
        maps = network.model.get_layer(f"trunk{i}").predict_on_batch(images)
        maps = maps if isinstance(maps, list) else [maps]
        averages = np.concatenate([m.mean(axis=(1, 2)) for m in maps], axis=1)
        np.testing.assert_allclose(pooled[:, own], averages, rtol=1e-4, atol=1e-6)


def test_images_are_not_changed(classes):
    before = [images.copy() for images in classes]
    train_small_networks(*classes, side=16, steps=1)
    np.testing.assert_array_equal(classes[0], before[0])
    np.testing.assert_array_equal(classes[1], before[1])


def test_large_images_are_averaged_to_the_working_side(classes):
    rng = np.random.default_rng(1)
    large = [rng.uniform(-1, 1, (4, 32, 32, 1)).astype("float32") for _ in classes]
    network = train_small_networks(*large, side=16, steps=1)
    means = large[0].reshape(4, 16, 2, 16, 2, 1).mean(axis=(2, 4))
    blocks = means.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(network.pooled(large[0]), network.pooled(blocks), atol=1e-5)


def test_batches_hold_both_classes_equally_often():
    A, B = (np.full((n, 4, 4, 1), level, "float32") for n, level in ((50, -0.5), (2, 0.5)))
    A[:, 0, 0, 0] = np.linspace(-1, -0.6, 50)
    batches = _Batches(A, B, 3, [0, 1], lambda images, rng: images)
    assert len(batches) == 3
    first, labels = batches[0]
    np.testing.assert_array_equal(labels, np.repeat([[0], [1]], 16, axis=0))
    np.testing.assert_array_equal(first[:, 1, 1, 0], labels[:, 0] - 0.5)
    np.testing.assert_array_equal(batches[0][0], first)
    assert (batches[1][0] != first).any()
    assert (_Batches(A, B, 3, [0, 2], lambda images, rng: images)[0][0] != first).any()
