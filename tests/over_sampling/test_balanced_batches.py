import itertools

import keras
import numpy as np
import pytest
from negatives import negative, write_colours

from melanet.images import Augmentation
from melanet.over_sampling import BalancedBatches


def epoch_of(batches):
    parts = [batches[i] for i in range(len(batches))]
    return (np.concatenate(values) for values in zip(*parts))


def test_an_epoch_holds_every_real_image_once_and_translations_for_the_rest(tmp_path):
    paths, labels, colours = write_colours(tmp_path, {"common": 12, "other": 6, "rare": 3})
    options = {"seed": 1, "match": False, "guard": False}
    batches = BalancedBatches(paths, labels, {"rare": negative()}, 9, **options)
    assert len(batches) == 4
    orders = []
    for _ in range(2):
        x, y = epoch_of(batches)
        assert x.shape == (36, 8, 8, 3)
        assert y.reshape(4, 9, 3).sum(axis=1).tolist() == [[3, 3, 3]] * 4
        assert (x == x[:, :1, :1]).all()  # images of a single colour
        shown = np.rint(x[:, 0, 0] * 255).astype(int)
        codes = y.argmax(axis=1)
        common, other, rare = (colours[labels == label] for label in np.unique(labels))

        def sort_rows(rows):
            return sorted(map(tuple, np.asarray(rows).tolist()))

        assert sort_rows(shown[codes == 0]) == sort_rows(common)
        assert sort_rows(shown[codes == 1]) == sort_rows([*other, *other])
        translated = [tuple(c) for c in shown[codes == 2].tolist() if c[0] > 99]
        assert len(translated) == len(set(translated)) == 9
        assert {tuple(255 - np.array(c)) for c in translated} <= set(map(tuple, common.tolist()))
        real = [c for c in shown[codes == 2].tolist() if c[0] < 99]
        assert sort_rows(real) == sort_rows(rare)
        orders.append(shown.tolist())
        np.testing.assert_array_equal(batches[2][0], batches[2][0])
        batches.on_epoch_end()
    assert orders[0] != orders[1]


def test_a_loop_over_the_batches_ends_with_the_epoch(tmp_path):
    paths, labels, _ = write_colours(tmp_path, {"common": 6, "rare": 2})
    batches = BalancedBatches(paths, labels, {}, 5)
    assert len(list(itertools.islice(batches, 9))) == len(batches) == 3
    with pytest.raises(IndexError, match=r"from 0 to 2. Received: index=3"):
        batches[3]


def test_networks_of_one_channel_translate_grey_images_for_classifiers_of_three(tmp_path):
    paths, labels, _ = write_colours(tmp_path, {"common": 12, "rare": 3})
    found = [
        BalancedBatches(paths, labels, {"rare": negative((8, 8, n))}, 6, match=False, guard=False)
        for n in (1, 3)
    ]
    for one, three in zip(found[0], found[1]):
        assert one[0].shape == (6, 8, 8, 3)
        np.testing.assert_array_equal(one[0], three[0])


def test_the_guard_replaces_unchanged_translations_by_copies(tmp_path):
    paths, labels, colours = write_colours(tmp_path, {"common": 8, "rare": 2})
    gan = negative()
    gan.generator_ab.layers[-1].scale = 1.0  # the identity
    x, y = epoch_of(BalancedBatches(paths, labels, {"rare": gan}, 4))
    shown = x[y[:, 1] == 1].mean(axis=(1, 2)) * 255
    distance = np.abs(shown[:, None] - colours[8:]).max(axis=2).min(axis=1)
    assert (distance < 20).all()  # no image of the common class and no translation of one
    assert (distance < 0.01).sum() >= 5  # the two real ones and every second copy


def test_translations_get_the_pixel_values_of_real_images(tmp_path):
    paths, labels, colours = write_colours(tmp_path, {"common": 40, "rare": 9})
    options = {"seed": 1, "guard": False}
    plain, matched = (
        epoch_of(BalancedBatches(paths, labels, {"rare": negative()}, 8, match=match, **options))
        for match in (False, True)
    )
    (raw, y), (x, _) = plain, matched
    real = colours[labels == "rare"]
    translated = (y[:, 1] == 1) & (np.rint(raw[:, 0, 0, 0] * 255) > 99)
    assert translated.sum() == 31
    np.testing.assert_array_equal(x[~translated], raw[~translated])
    for c in range(3):
        shown = x[translated][:, 0, 0, c] * 255
        assert real[:, c].min() - 1 <= shown.min()
        assert shown.max() <= real[:, c].max() + 1


def test_a_classifier_trains_on_the_batches(tmp_path):
    paths, labels, _ = write_colours(tmp_path, {"common": 10, "rare": 2})
    batches = BalancedBatches(paths, labels, {"rare": negative()}, 5, augment=Augmentation())
    inputs = keras.Input((8, 8, 3))
    model = keras.Sequential([inputs, keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "categorical_crossentropy")
    history = model.fit(batches, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert batches.epoch >= 2  # Keras may read the data once before


def test_bad_input_is_rejected(tmp_path):
    paths, labels, _ = write_colours(tmp_path, {"common": 3, "rare": 2})
    with pytest.raises(
        ValueError, match=r"classes of y, \['common', 'rare'\]. Received: \['purple'\]"
    ):
        BalancedBatches(paths, labels, {"purple": negative()})
    with pytest.raises(ValueError, match=r"of shape \(8, 8, 3\)"):
        BalancedBatches(paths, labels, {"rare": negative()}, size=16)
    with pytest.raises(ValueError, match="4 labels, 5 paths"):
        BalancedBatches(paths, labels[:4], {})
