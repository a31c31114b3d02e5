import numpy as np
import pytest
from sklearn.datasets import load_digits

from melanet.metrics import PatchFeatures, kernel_inception_distance

IMAGES = np.random.default_rng(0).uniform(-1, 1, (30, 12, 16, 2))


def test_features_of_training_and_unseen_images_are_alike():
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 8, 8, 1) / 8 - 1)[y == 8]
    distances = []
    for seed in range(6):
        rows = np.random.default_rng(seed).permutation(len(X))
        seen, unseen = X[rows[:60]], X[rows[60:120]]
        network = PatchFeatures(seed=seed).fit(seen)
        features = [network.transform(images) for images in (seen, unseen)]
        np.testing.assert_array_equal(
            features[0], PatchFeatures(seed=seed).fit(seen).transform(seen)
        )
        distances.append(kernel_inception_distance(*features)[0])
    noise = np.random.default_rng(0).uniform(-1, 1, (60, 8, 8, 1))
    assert abs(np.mean(distances)) < 0.3
    assert kernel_inception_distance(features[0], network.transform(noise))[0] > 10


def test_features_of_constant_and_tiny_images_are_finite():
    for images in (np.zeros((3, 8, 8, 1)), np.full((2, 3, 2, 3), 0.5), np.ones((2, 1, 1, 1))):
        features = PatchFeatures().fit(images).transform(images)
        assert np.isfinite(features).all()


def test_features_are_centred_on_the_images_of_fit():
    network = PatchFeatures()
    features = network.fit_transform(IMAGES)
    assert features.shape == (30, 4 * 64)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-9)
    assert features.std(axis=0).max() < 1 + 1e-9
    np.testing.assert_array_equal(network.transform(IMAGES), features)


def test_the_features_of_an_image_do_not_depend_on_the_others():
    network = PatchFeatures().fit(IMAGES)
    alone = np.concatenate([network.transform(IMAGES[i : i + 1]) for i in range(30)])
    np.testing.assert_allclose(alone, network.transform(IMAGES), atol=1e-3)


def test_a_change_of_one_quarter_changes_the_features_of_that_quarter():
    network = PatchFeatures().fit(IMAGES)
    changed = IMAGES.copy()
    changed[:, :2, :2] = 1  # within the patches of the upper left alone
    moved = np.abs(network.transform(changed) - network.transform(IMAGES)).reshape(30, 4, 64)
    assert (moved[:, 0].max(axis=1) > 0.05).all()
    np.testing.assert_allclose(moved[:, 1:], 0, atol=1e-3)


@pytest.mark.parametrize(("side", "unseen"), [(47, False), (48, True)])
def test_of_large_images_every_second_row_and_column_of_patches_is_read(side, unseen):
    """The last row is in no patch then, if patches are 6 pixels long and begin at even rows."""
    images = np.random.default_rng(1).uniform(-1, 1, (6, side + side % 2 + 1, side, 1))
    network = PatchFeatures().fit(images)
    changed = images.copy()
    changed[:, -1] = 1
    equal = np.array_equal(network.transform(changed), network.transform(images))
    assert equal == unseen
