import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from melanet.datasets import make_lesions


@pytest.fixture(scope="module")
def clear():
    """Return balanced images of classes that are easy to distinguish."""
    return make_lesions(160, weights=(0.5, 0.5), difficulty=0.0, random_state=0)


@pytest.fixture(scope="module")
def usual():
    """Return balanced images at the default difficulty."""
    return make_lesions(300, weights=(0.5, 0.5), random_state=1)


def lesion_mask(image):
    """Return the pixels near the middle that are closer to the darkest ones than to the skin."""
    grey = np.median(image.astype(float), axis=2)
    middle = np.zeros(grey.shape, dtype=bool)
    height, width = grey.shape
    middle[height // 8 : -height // 8, width // 8 : -width // 8] = True
    skin = np.percentile(grey[middle], 85)
    dark = np.percentile(grey[middle], 5)
    return middle & (grey < (skin + dark) / 2)


def mirror_mismatch(image):
    """Return the share of the lesion outside its mirror image, at the axis of best symmetry."""
    mask = lesion_mask(image)
    rows, columns = np.nonzero(mask)
    centre = columns.mean(), rows.mean()
    points = np.stack([columns, rows], axis=1) - centre
    taken = np.pad(mask, 2 * len(image))
    shares = []
    for angle in np.linspace(0, np.pi, 12, endpoint=False):
        c, s = np.cos(2 * angle), np.sin(2 * angle)
        mirrored = points @ np.array([[c, s], [s, -c]]) + centre + 2 * len(image)
        x, y = np.rint(mirrored).astype(int).T
        shares.append(1 - taken[y, x].mean())
    return min(shares)


def colour_spread(image):
    """Return the standard deviation of log(blue / red) within the lesion."""
    inside = image[lesion_mask(image)].astype(float) + 10
    return np.std(np.log(inside[:, 2] / inside[:, 0]))


def cross_validated_auc(features, y):
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(model, features, y, cv=5, method="predict_proba")[:, 1]
    return roc_auc_score(y, scores)


def test_shapes_types_and_defaults():
    X, y = make_lesions(random_state=0)
    assert X.shape == (100, 64, 64, 3)
    assert X.dtype == np.uint8
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [80, 20]
    assert not np.array_equal(y, np.sort(y))


@pytest.mark.parametrize(
    ("image_size", "shape"),
    [
        (8, (8, 8)),
        (64, (64, 64)),
        ((45, 60), (45, 60)),
        ([33, 9], (33, 9)),
        (np.int64(12), (12, 12)),
    ],
)
def test_image_sizes(image_size, shape):
    X, _ = make_lesions(3, image_size=image_size, random_state=0)
    assert X.shape == (3, *shape, 3)
    assert all(len(np.unique(image)) > 10 for image in X)


@pytest.mark.parametrize(
    ("n_samples", "weights", "counts"),
    [
        (100, (0.8, 0.2), [80, 20]),
        (10, [0.5, 0.5], [5, 5]),
        (7, np.array([0.7, 0.3]), [5, 2]),
        (10, (0.99, 0.01), [9, 1]),
        (10, (0.01, 0.99), [1, 9]),
        (2, (0.9, 0.1), [1, 1]),
        (1, (0.9, 0.1), [1, 0]),
        (5, (1, 0), [5, 0]),
        (5, (0.0, 1.0), [0, 5]),
    ],
)
def test_class_counts(n_samples, weights, counts):
    _, y = make_lesions(n_samples, weights=weights, image_size=8, random_state=0)
    assert np.bincount(y, minlength=2).tolist() == counts


def test_same_seed_same_bytes():
    first, again = (make_lesions(6, image_size=32, random_state=3) for _ in range(2))
    other, _ = make_lesions(6, image_size=32, random_state=4)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other)


def test_a_random_state_instance_advances():
    random_state = np.random.RandomState(0)
    first, _ = make_lesions(2, image_size=16, random_state=random_state)
    second, _ = make_lesions(2, image_size=16, random_state=random_state)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, make_lesions(2, image_size=16, random_state=0)[0])


def test_global_generator_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    make_lesions(2, image_size=16, random_state=0)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_images_do_not_depend_on_their_number():
    few, y_few = make_lesions(10, weights=(0.5, 0.5), image_size=16, random_state=5)
    many, y_many = make_lesions(30, weights=(0.5, 0.5), image_size=16, random_state=5)
    same = y_few == y_many[:10]
    assert same.any()
    np.testing.assert_array_equal(few[same], many[:10][same])


def test_size_does_not_change_the_scene():
    small, _ = make_lesions(5, image_size=32, random_state=6)
    large, _ = make_lesions(5, image_size=128, random_state=6)
    reduced = large.reshape(5, 32, 4, 32, 4, 3).mean(axis=(2, 4))
    assert np.abs(reduced - small).mean() < 8
    assert np.abs(reduced - small[::-1]).mean() > 16


def test_the_label_does_not_affect_the_image_at_difficulty_1():
    benign, _ = make_lesions(4, weights=(1, 0), image_size=16, difficulty=1, random_state=0)
    malignant, _ = make_lesions(4, weights=(0, 1), image_size=16, difficulty=1, random_state=0)
    np.testing.assert_array_equal(benign, malignant)


def test_malignant_lesions_are_less_symmetric(clear):
    X, y = clear
    mismatch = np.array([mirror_mismatch(image) for image in X])
    assert mismatch[y == 1].mean() > 1.25 * mismatch[y == 0].mean()


def test_malignant_lesions_have_more_colours(clear):
    X, y = clear
    spread = np.array([colour_spread(image) for image in X])
    assert spread[y == 1].mean() > 1.1 * spread[y == 0].mean()


def test_trivial_features_do_not_solve_it(usual):
    X, y = usual
    brightness = X.mean(axis=(1, 2, 3))[:, None]
    colour = X.mean(axis=(1, 2))
    area = np.array([lesion_mask(image).mean() for image in X])[:, None]
    assert cross_validated_auc(brightness, y) < 0.65
    assert cross_validated_auc(colour, y) < 0.75
    assert cross_validated_auc(area, y) < 0.68


def test_shape_and_colour_carry_the_class_and_difficulty_hides_it(usual):
    def auc(X, y):
        features = [[mirror_mismatch(image), colour_spread(image)] for image in X]
        return cross_validated_auc(np.array(features), y)

    hard = make_lesions(300, weights=(0.5, 0.5), difficulty=0.9, random_state=1)
    assert 0.62 < auc(*usual) < 0.92
    assert auc(*hard) < auc(*usual) - 0.05


def test_skin_tones_range_from_light_to_dark(usual):
    X, _ = usual
    corner_free = np.median(X[:, 8:16, 8:56].astype(float), axis=(1, 2)).mean(axis=1)
    assert np.percentile(corner_free, 5) < 100
    assert np.percentile(corner_free, 95) > 175
    red, green, blue = np.median(X[:, 8:16, 8:56], axis=(1, 2)).T
    assert np.mean((red > green) & (green > blue)) > 0.9


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples == 0"),
        ({"n_samples": 2.5}, TypeError, "n_samples"),
        ({"difficulty": 1.5}, ValueError, "difficulty == 1.5"),
        ({"difficulty": -0.1}, ValueError, "difficulty == -0.1"),
        ({"difficulty": float("nan")}, ValueError, "difficulty must be in .* difficulty=nan"),
        ({"difficulty": "hard"}, TypeError, "difficulty"),
        ({"image_size": 7}, ValueError, "image_size must be .* image_size=7"),
        ({"image_size": 64.0}, ValueError, "image_size=64.0"),
        ({"image_size": None}, ValueError, "image_size=None"),
        ({"image_size": (64, 4)}, ValueError, r"image_size=\(64, 4\)"),
        ({"image_size": (64, 64, 3)}, ValueError, r"image_size=\(64, 64, 3\)"),
        ({"weights": (0.8, 0.1)}, ValueError, r"sum of 1, .*weights=\(0.8, 0.1\)"),
        ({"weights": (1.2, -0.2)}, ValueError, "weights"),
        ({"weights": (np.nan, 1)}, ValueError, "weights"),
        ({"weights": 0.5}, ValueError, "weights"),
        ({"weights": None}, ValueError, "weights"),
        ({"weights": (0.5, 0.3, 0.2)}, ValueError, "weights"),
        ({"random_state": "seed"}, ValueError, "seed"),
    ],
)
def test_invalid_parameters_are_rejected(parameters, error, message):
    with pytest.raises(error, match=message):
        make_lesions(**parameters)


def test_options_are_keyword_only():
    with pytest.raises(TypeError):
        make_lesions(10, (0.5, 0.5))


def test_import_needs_no_deep_learning_library():
    code = (
        "import sys, melanet.datasets; "
        "assert not {'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
