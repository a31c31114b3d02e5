import numpy as np
import pytest

from melanet.images import Augmentation, Jitter
from melanet.images._augmentation import flip_images


@pytest.fixture
def images():
    y, x = np.mgrid[:16, :16]
    disc = np.where((y - 7.5) ** 2 + (x - 7.5) ** 2 < 16, 1.0, -1.0)
    return np.repeat(disc[None, ..., None], 20, axis=0).astype("float32")


def test_nothing_permitted_changes_nothing(images):
    still = Augmentation(rotation=0, shift=0, zoom=0, colour=0)
    np.testing.assert_allclose(still(images, np.random.default_rng(0)), images, atol=1e-6)


def test_same_generator_same_changes(images):
    first, second = (Augmentation()(images, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len({image.tobytes() for image in first}) == len(images)


def test_range_dtype_and_input_are_kept(images):
    before = images.copy()
    changed = Augmentation(colour=0.5)(np.repeat(images, 3, axis=-1), np.random.default_rng(0))
    assert changed.dtype == np.float32
    assert changed.min() >= -1
    assert changed.max() <= 1
    np.testing.assert_array_equal(images, before)


def test_zoom_changes_the_disc_by_at_most_its_limit(images):
    zoomed = Augmentation(rotation=0, shift=0, zoom=0.2)(images, np.random.default_rng(0))
    area = (zoomed > 0).sum(axis=(1, 2, 3)) / (images[0] > 0).sum()
    assert area.min() < 0.9
    assert area.max() > 1.1
    assert area.min() > 0.55
    assert area.max() < 1.6


def test_shift_moves_the_centre_by_at_most_its_limit(images):
    moved = Augmentation(rotation=0, shift=0.125, zoom=0)(images, np.random.default_rng(0))
    weight = moved[..., 0] + 1
    centre = (weight * np.arange(16)).sum(axis=(1, 2)) / weight.sum(axis=(1, 2))
    assert 1 < np.abs(centre - 7.5).max() <= 2.05


def test_rotation_turns_about_the_centre_by_at_most_its_limit():
    bar = np.full((16, 16), -1.0)
    bar[7:9, 2:14] = 1
    images = np.repeat(bar[None, ..., None], 30, axis=0).astype("float32")
    turned = Augmentation(rotation=20, shift=0, zoom=0)(images, np.random.default_rng(0))
    y, x = np.mgrid[:16, :16] - 7.5
    angles = []
    for image in turned[..., 0] + 1:
        xx, yy, xy = ((image * m).sum() for m in (x * x, y * y, x * y))
        angles.append(np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy)))
    assert 10 < np.abs(angles).max() < 21
    assert min(angles) < 0 < max(angles)


def test_colour_leaves_grey_images_alone(images):
    colour = Augmentation(rotation=0, shift=0, zoom=0, colour=0.2)
    np.testing.assert_allclose(colour(images, np.random.default_rng(0)), images, atol=1e-6)
    tinted = np.repeat(images, 3, axis=-1) * 0.5 + np.float32([0, 0, 0.1])
    moved = colour(tinted, np.random.default_rng(0)) - tinted
    assert np.ptp(moved[:, 0, 0], axis=1).max() > 0.01  # channels move apart


def test_grey_images_in_equal_channels_are_changed_as_in_one(images):
    three = np.repeat(images, 3, axis=-1)
    one, found = (Augmentation()(x, np.random.default_rng(0)) for x in (images, three))
    np.testing.assert_allclose(found, np.repeat(one, 3, axis=-1), atol=1e-6)
    jittered = Jitter(noise=0)(three, np.random.default_rng(0))
    np.testing.assert_array_equal(jittered, np.repeat(jittered[..., :1], 3, axis=-1))
    assert np.abs(jittered - three).max() > 0.01


@pytest.mark.parametrize(("flip", "axes"), [("horizontal", [2]), ("vertical", [1])])
def test_flips_mirror_about_half_of_the_images(flip, axes):
    images = np.random.default_rng(1).uniform(-1, 1, (200, 4, 6, 1))
    flipped = flip_images(images, flip, np.random.default_rng(0))
    mirrored = np.flip(images, axes)
    same = (flipped == images).all(axis=(1, 2, 3))
    assert (same | (flipped == mirrored).all(axis=(1, 2, 3))).all()
    assert 70 < same.sum() < 130


def test_no_flip_returns_the_images(images):
    assert flip_images(images, None, np.random.default_rng(0)) is images


def test_share_is_the_part_of_the_images_that_changes(images):
    many = np.repeat(images, 20, axis=0)
    before = many.copy()
    changed = Augmentation(share=0.25)(many, np.random.default_rng(0))
    touched = (changed != many).any(axis=(1, 2, 3))
    assert 0.2 < touched.mean() < 0.3
    np.testing.assert_array_equal(many, before)
    np.testing.assert_array_equal(Augmentation(share=0)(many, np.random.default_rng(0)), many)


def test_jitter_shifts_by_whole_pixels_and_mirrors_the_border():
    image = np.random.default_rng(1).uniform(-1, 1, (1, 16, 16, 1)).astype("float32")
    padded = np.pad(image[0], ((2, 2), (2, 2), (0, 0)), mode="reflect")
    windows = {padded[i : i + 16, j : j + 16].tobytes() for i in range(5) for j in range(5)}
    jitter = Jitter(shift=0.125, light=0, tint=0, noise=0)
    moved = [jitter(image, np.random.default_rng(seed))[0].tobytes() for seed in range(200)]
    assert set(moved) == windows


def test_jitter_without_shift_changes_light_tint_and_noise_alone(images):
    flat = np.full((400, 4, 4, 3), 0.5, "float32")
    rng = np.random.default_rng(0)
    light = Jitter(shift=0, light=0.1, tint=0, noise=0)(flat, rng)
    assert (light == light[:, :1, :1, :1]).all()
    assert 0.04 < light[:, 0, 0, 0].std() < 0.06
    tint = Jitter(shift=0, light=0, tint=0.05, noise=0)(flat, rng)
    assert (tint == tint[:, :1, :1]).all()
    assert 0.04 < tint[:, 0, 0].std() < 0.06
    noise = Jitter(shift=0, light=0, tint=0, noise=0.03)(flat, rng)
    assert 0.027 < noise.std() < 0.033
    np.testing.assert_array_equal(Jitter(0, 0, 0, 0)(images, rng), images)
