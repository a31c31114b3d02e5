import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from melanet.metrics._recognition import assign_folds, cross_recognise, make_classifier

NEAREST = KNeighborsClassifier(1)


def test_folds_are_stratified_and_may_outnumber_a_class():
    codes = np.repeat([0, 1, 2], [23, 3, 1])
    folds = assign_folds(codes, 5, seed=0)
    for code, n in enumerate((23, 3, 1)):
        counts = np.bincount(folds[codes == code], minlength=5)
        assert counts.sum() == n
        assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(folds, assign_folds(codes, 5, seed=0))
    assert (folds != assign_folds(codes, 5, seed=1)).any()


def test_votes_of_the_nearest_neighbour():
    """Without fold 0, the points are 4 (class 0) and 6 (class 1); without fold 1, 0 and 20."""
    real, codes, folds = np.array([[0.0], [4], [6], [20]]), np.array([0, 0, 1, 1]), [0, 1, 1, 0]
    data = (NEAREST, real, codes, np.array(folds))
    made, labels = np.array([[7.0], [19], [1]]), np.array([1, 1, 1])
    of_real, recognised = cross_recognise(*data, made, labels, None)
    assert of_real.tolist() == [1, 1, 0, 1]  # 6 is nearer to 0 than to 20
    assert recognised.tolist() == [0.5, 1, 0]
    # A sample is judged by the classifier that has not seen its source.
    assert cross_recognise(*data, made, labels, np.array([0, 0, 0]))[1].tolist() == [1, 1, 0]
    assert cross_recognise(*data, made, labels, np.array([1, 2, 1]))[1].tolist() == [0, 1, 0]


def test_recognition_is_undefined_without_two_classes_or_two_folds():
    real, made = np.arange(4.0)[:, None], np.zeros((2, 1))
    one = np.zeros(4, int)
    for codes, folds in ((one, np.arange(4) % 2), (np.arange(4) % 2, one)):
        found = cross_recognise(NEAREST, real, codes, folds, made, np.array([0, 0]), None)
        assert all(np.isnan(values).all() for values in found)
    # Without fold 1 there is one class: what came from that fold has no judge.
    codes, folds = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    found = cross_recognise(NEAREST, real, codes, folds, made, np.array([0, 1]), np.array([0, 3]))
    np.testing.assert_array_equal(found[0], [1, 1, np.nan, np.nan])
    np.testing.assert_array_equal(found[1], [1, np.nan])


@pytest.mark.parametrize("kind", ["images", "table"])
def test_samples_are_judged_by_a_classifier_that_has_not_seen_the_source(kind):
    # The labels are random, so a classifier recognises only samples that it has seen.
    rng = np.random.default_rng(0)
    real, codes = rng.normal(size=(90, 40)), rng.integers(2, size=90)
    rows = rng.permutation(90)
    samples = (make_classifier(kind, 0), real, codes, assign_folds(codes, 3, 0))
    of_real, fair = cross_recognise(*samples, real[rows], codes[rows], rows)
    _, unfair = cross_recognise(*samples, real[rows], codes[rows], None)
    np.testing.assert_array_equal(fair, of_real[rows])
    assert abs(fair.mean() - 0.5) < 0.2
    assert unfair.mean() > fair.mean() + 0.2
