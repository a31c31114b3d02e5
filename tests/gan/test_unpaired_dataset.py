import itertools

import numpy as np
import pytest
from negatives import write_colours
from PIL import Image

from melanet import UnpairedImages
from melanet.datasets import load_images, make_lesions
from melanet.gan import UnpairedFiles
from melanet.gan._unpaired_dataset import ConditionalImages
from melanet.images import Augmentation


def numbered(n, sign=1):
    """Return images whose pixels hold their number."""
    return (sign * np.arange(1, n + 1)).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1)) / 100


def epoch_of(batches):
    pairs = [batches[i][0] for i in range(len(batches))]
    return [np.concatenate(side)[:, 0, 0, 0] for side in zip(*pairs)]


def test_an_epoch_shows_all_of_the_smaller_set_once():
    batches = UnpairedImages(numbered(11), numbered(7, -1), batch_size=1, seed=3)
    a, b = epoch_of(batches)
    assert len(batches) == 7
    np.testing.assert_allclose(np.sort(-b * 100), np.arange(1, 8), rtol=1e-6)
    assert len(np.unique(a)) == 7


def test_a_loop_over_the_batches_ends_with_the_epoch():
    batches = UnpairedImages(numbered(11), numbered(7, -1), batch_size=2)
    assert len(list(itertools.islice(batches, 9))) == len(batches) == 4
    for index in (4, -1):
        with pytest.raises(IndexError, match=rf"from 0 to 3.*index={index}"):
            batches[index]


def test_batches_have_the_same_size_if_the_set_is_not_divisible():
    batches = UnpairedImages(numbered(11), numbered(7, -1), batch_size=4)
    assert [len(batches[i][0][0]) for i in range(len(batches))] == [4, 4]


def test_longer_epochs_show_every_sample_equally_often():
    batches = UnpairedImages(numbered(6), numbered(3, -1), batch_size=2, steps=6)
    a, b = epoch_of(batches)
    assert (np.unique(a, return_counts=True)[1] == 2).all()
    assert (np.unique(b, return_counts=True)[1] == 4).all()


def test_the_order_depends_on_seed_and_epoch_alone():
    first, second = (UnpairedImages(numbered(9), numbered(5), seed=1) for _ in range(2))
    np.testing.assert_array_equal(epoch_of(first), epoch_of(second))
    before = epoch_of(first)
    first.on_epoch_end()
    assert not np.array_equal(before, epoch_of(first))
    second.on_epoch_end()
    np.testing.assert_array_equal(epoch_of(first), epoch_of(second))


def test_both_images_of_a_pair_are_flipped_together():
    left = np.linspace(-1, 1, 4).reshape(1, 1, 4, 1) * np.ones((30, 4, 1, 1))
    batches = UnpairedImages(left, left, batch_size=30, flip="horizontal")
    ((a, b),) = batches[0]
    np.testing.assert_array_equal(a, b)
    assert 0 < (a[:, 0, 0, 0] > 0).sum() < 30


def test_augmentation_changes_both_sets_but_not_in_place():
    A = numbered(4)
    batches = UnpairedImages(A, A, batch_size=2, augment=lambda x, rng: x + rng.uniform())
    ((a, b),) = batches[0]
    assert a.min() > 0.0405 or b.min() > 0.0405
    np.testing.assert_array_equal(batches.A, numbered(4).astype("float32"))
    ((a, _),) = UnpairedImages(A, A, augment=Augmentation())[0]
    assert a.shape == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((numbered(3), numbered(0)), "B must hold at least one sample"),
        ((numbered(3), np.ones((3, 5, 5, 1))), "samples of the same shape"),
        ((numbered(3), 255 * numbered(3)), r"B must lie in \[-1, 1\]"),
        ((np.nan * numbered(3), numbered(3)), r"A must lie in \[-1, 1\]"),
        ((numbered(3), numbered(3), 0), "batch_size must be a positive integer"),
    ],
)
def test_bad_sets_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        UnpairedImages(*arguments)


def test_unknown_flips_and_flipped_rows_are_rejected():
    with pytest.raises(ValueError, match="Received: flip='sideways'"):
        UnpairedImages(numbered(3), numbered(3), flip="sideways")
    with pytest.raises(ValueError, match="flip needs images"):
        UnpairedImages(np.ones((3, 5)), np.ones((3, 5)), flip="horizontal")


def test_streamed_pairs_equal_pairs_of_images_in_memory(tmp_path):
    X, y = make_lesions(9, image_size=12, weights=(0.6, 0.4), random_state=0)
    paths = []
    for i, image in enumerate(X):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(paths[-1])
    sets = [[path for path, label in zip(paths, y) if label == side] for side in (0, 1)]
    options = {"batch_size": 2, "seed": 4, "flip": "both", "augment": Augmentation()}
    streamed = UnpairedFiles(*sets, 12, **options)
    in_memory = UnpairedImages(*(load_images(files, 12) / 127.5 - 1 for files in sets), **options)
    assert len(streamed) == len(in_memory) == 2
    for _ in range(2):
        for i in range(2):
            for a, b in zip(streamed[i][0], in_memory[i][0], strict=True):
                np.testing.assert_allclose(a, b, atol=1e-6)
        streamed.on_epoch_end()
        in_memory.on_epoch_end()


def test_bad_files_are_rejected(tmp_path):
    paths, _, _ = write_colours(tmp_path, {"a": 2})
    with pytest.raises(ValueError, match="B must hold at least one file"):
        UnpairedFiles(paths, [], 8)
    with pytest.raises(ValueError, match="flip must be None or one of"):
        UnpairedFiles(paths[:1], paths[1:], 8, flip="diagonal")
    (tmp_path / "a" / "000.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"000\.png"):
        UnpairedFiles(paths[:1], paths[1:], 8, batch_size=2)[0]


def test_a_file_is_on_one_side_once(tmp_path):
    paths, _, _ = write_colours(tmp_path, {"a": 2, "b": 2})
    link = tmp_path / "link.png"
    link.symlink_to(paths[0])
    for sides in (
        (paths[:2], [*paths[2:], paths[0]]),
        (paths[:2], [link]),
        ([paths[0], link], paths[2:]),
    ):
        with pytest.raises(ValueError, match=r"A\[0\] .*000\.png.* are the same file"):
            UnpairedFiles(*sides, 8)
    assert len(UnpairedFiles(paths[:2], paths[2:], 8)) == 2


def test_classes_take_turns_and_every_sample_of_a_class_is_seen_equally_often():
    classes = [numbered(n) + c * 0.2 for c, n in enumerate((2, 4, 3))]
    batches = ConditionalImages(numbered(9, -1), classes, batch_size=2, steps=12, seed=1)
    codes, seen = [], {0: [], 1: [], 2: []}
    for i in range(12):
        ((a, b, of_class),) = batches[i]
        assert (a.shape, b.shape, of_class.dtype) == ((2, 4, 4, 1), (2, 4, 4, 1), np.int32)
        (code,) = set(of_class.tolist())
        codes.append(code)
        seen[code] += np.rint((b[:, 0, 0, 0] - code * 0.2) * 100).astype(int).tolist()
    assert all(sorted(codes[i : i + 3]) == [0, 1, 2] for i in range(0, 12, 3))
    times = {c: sorted(np.unique(s, return_counts=True)[1]) for c, s in seen.items()}
    assert times == {0: [4, 4], 1: [2, 2, 2, 2], 2: [2, 3, 3]}


def test_the_order_of_classes_depends_on_seed_and_epoch_alone():
    def order(batches):
        return [batches[i][0][2][0] for i in range(len(batches))]

    sets = [numbered(3), numbered(4)]
    first, second = (ConditionalImages(numbered(9), sets, steps=40, seed=1) for _ in range(2))
    assert order(first) == order(second)
    before = order(first)
    first.on_epoch_end()
    assert order(first) != before
    second.on_epoch_end()
    assert order(first) == order(second)
