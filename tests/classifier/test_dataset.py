"""Validation split, batches and network input."""

import numpy as np
import pytest

from melanet.classifier._dataset import LabelledImages, hold_out, network_input


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_every_class_is_on_both_sides(fraction):
    codes = np.random.default_rng(0).permutation([0] * 40 + [1] * 10 + [2] * 2)
    training, validation = hold_out(codes, fraction, seed=0)
    assert sorted([*training, *validation]) == list(range(52))
    counts = np.bincount(codes[validation])
    expected = [np.clip(round(fraction * n), 1, n - 1) for n in (40, 10, 2)]
    assert counts.tolist() == expected


def test_the_split_depends_on_the_seed():
    codes = np.arange(40) % 2
    held = [hold_out(codes, 0.2, seed)[1].tolist() for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_a_group_stays_on_one_side():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 200)
    codes = (rng.random(200) < 0.2).astype(int)
    for seed in range(5):
        training, validation = hold_out(codes, 0.2, seed, groups)
        assert not set(groups[training]) & set(groups[validation])
        assert 0.1 < len(validation) / 200 < 0.3
        assert set(codes[training]) == set(codes[validation]) == {0, 1}


def test_groups_equal_to_classes_cannot_be_split():
    codes = np.arange(20) % 2
    with pytest.raises(ValueError, match=r"2 groups for classes of \[10, 10\] samples"):
        hold_out(codes, 0.2, 0, codes)


def _batches(seed=0, **options):
    codes = np.arange(10) % 3
    images = np.arange(10, dtype="float32").reshape(10, 1, 1, 1) / 10
    return LabelledImages(lambda rows: images[rows], codes, [1, 2, 4], 4, seed=seed, **options)


def test_an_epoch_holds_every_image_once_with_its_label_and_weight():
    batches = _batches()
    assert len(batches) == 3
    parts = [batches[i] for i in range(3)]
    images, targets, weights = (np.concatenate(part) for part in zip(*parts))
    order = np.rint(images.ravel() * 10).astype(int)
    assert sorted(order) == list(range(10))
    assert order.tolist() != list(range(10))
    np.testing.assert_array_equal(targets, np.eye(3)[order % 3])
    np.testing.assert_array_equal(weights, np.array([1, 2, 4])[order % 3])
    batches.on_epoch_end()
    again = np.concatenate([batches[i][0] for i in range(3)]).ravel()
    assert again.tolist() != images.ravel().tolist()


def test_sample_weights_multiply_those_of_the_classes():
    batches = _batches(seed=None, sample_weight=np.arange(10) / 2)
    assert batches[1][2].tolist() == [2 * 2, 2.5 * 4, 3 * 1, 3.5 * 2]


def test_without_a_seed_the_order_is_kept():
    batches = _batches(seed=None)
    before = batches[0][0].ravel().tolist()
    batches.on_epoch_end()
    assert batches[0][0].ravel().tolist() == before == pytest.approx([0, 0.1, 0.2, 0.3])


def test_augmentation_sees_images_in_minus_one_to_one():
    batches = _batches(augment=lambda images, rng: -images)
    mirrored, plain = batches[0][0], _batches()[0][0]
    np.testing.assert_allclose(mirrored, 1 - plain, atol=1e-6)


def test_network_input_is_in_the_unit_interval():
    samples = np.linspace(-1, 1, 32, dtype="float32").reshape(2, 4, 4, 1)
    out = network_input(samples, (4, 4, 3))
    assert out.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(out[..., 2], (samples[..., 0] + 1) / 2)
    with pytest.raises(ValueError, match="4 channels"):
        network_input(samples, (4, 4, 4))
