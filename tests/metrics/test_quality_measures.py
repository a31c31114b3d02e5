"""Measures of a class, counted by hand on small sets of samples."""

import numpy as np
import pytest

from melanet.metrics._quality_measures import SetComparison
from melanet.metrics._quality_samples import SampleSets


def images(levels, noise, seed):
    """Return images of 4 x 4 pixels around grey levels, on a scale from 0 to 100."""
    levels = np.asarray(levels, float)[:, None, None]
    return levels + np.random.default_rng(seed).uniform(-noise, noise, (len(levels), 4, 4))


def comparison(X, codes, made, made_codes, sources=None):
    sets = SampleSets.read(X, made, None, (0, 100))
    arrays = [None if part is None else np.asarray(part) for part in (made_codes, sources)]
    return SetComparison(sets, np.asarray(codes), *arrays, "pixels", 2, 0)


@pytest.fixture(scope="module")
def sets():
    """Twenty dark images, ten bright ones, and ten translations of dark ones."""
    X = images(np.repeat([20, 80], [20, 10]), 10, 0)
    made = images(np.full(10, 80), 10, 1)
    made[0] = X[3]  # its source
    made[1] = X[22]
    made[2] = X[23] + 0.1
    made[3, 0, 0] = np.nan
    return X, np.repeat([0, 1], [20, 10]), made, np.arange(3, 13)


@pytest.fixture(scope="module")
def measured(sets):
    X, codes, made, sources = sets
    found = comparison(X, codes, made, np.ones(10, int), sources)
    return found, found.measure(1, 3, 10, 5)


def distances(a, b):
    """Root mean square differences of all pairs, in [-1, 1]."""
    a, b = (part.reshape(len(part), -1) / 50 for part in (a, b))
    return np.sqrt(((a[:, None] - b[None]) ** 2).mean(axis=2))


def usual(X):
    between = distances(X, X) + np.diag(np.full(len(X), np.inf))
    return np.median(between.min(axis=1))


def test_distances_are_relative_to_the_usual_one_between_neighbours(sets, measured):
    X, codes, made, _ = sets
    found, m = measured
    np.testing.assert_allclose(found.usual, [usual(X[codes == code]) for code in (0, 1)], rtol=1e-5)
    nearest = distances(made[found.samples.kept], X[codes == 1]).min(axis=1)
    assert m["nearest"] == pytest.approx(np.median(nearest) / usual(X[codes == 1]), rel=1e-4)


def test_copies_are_counted_and_listed_by_the_users_rows(measured):
    _, m = measured
    assert (m["n_real"], m["n_synthetic"], m["n_non_finite"]) == (10, 10, 1)
    assert m["copies"] == pytest.approx(2 / 9)  # of the class; the first is of another
    assert [tuple(copy.values()) for copy in m["copy_list"]] == [
        (0, 3, True, False),
        (1, 22, True, True),
        (2, 23, True, True),  # a tenth of 100 is less than half of one of 255 levels
    ]
    assert m["copies_real"] == 0
    assert m["distinct"] == 1


def test_translations_are_compared_with_their_sources(sets, measured):
    X, codes, made, sources = sets
    _, m = measured
    kept = np.delete(np.arange(10), 3)
    steps = np.diag(distances(made[kept], X[sources[kept]]))
    assert m["n_translations"] == 9
    assert m["identity"] == pytest.approx(1 / 9)
    # A pair of the classes is 60 levels apart, and so is a translation from its source.
    between = distances(X[codes == 0], X[codes == 1])
    assert np.median(steps) / between.max() < m["change"] < np.median(steps) / between.min()


def test_without_sources_nothing_is_said_about_translations(sets):
    X, codes, made, _ = sets
    m = comparison(X, codes, made, np.ones(10, int)).measure(1, 3, 10, 5)
    assert m["n_translations"] is None
    assert np.isnan([m["identity"], m["change"]]).all()
    assert "evidence" not in m


def test_a_class_of_one_sample_takes_the_usual_distance_of_the_others(sets):
    X, _, made, _ = sets
    codes = np.repeat([0, 1, 2], [20, 9, 1])
    found = comparison(X, codes, made, np.ones(10, int))
    known = [usual(X[codes == code]) for code in (0, 1)]
    np.testing.assert_allclose(found.usual, [*known, np.median(known)], rtol=1e-5)


def test_images_of_one_value_are_counted_in_both_sets(sets):
    X, codes, made, _ = sets
    X, made = X.copy(), made.copy()
    X[20], made[4:6] = 80, 81
    m = comparison(X, codes, made, np.ones(10, int)).measure(1, 3, 10, 5)
    assert m["constant"] == pytest.approx(2 / 9)
    assert m["constant_real"] == pytest.approx(1 / 10)


def test_at_most_twelve_pictures_are_shown_beside_source_and_nearest_real_image(sets):
    X, codes, _, _ = sets
    made, sources = images(np.linspace(20, 90, 30), 10, 2), np.arange(30) % 20
    found = comparison(X, codes, made, np.ones(30, int), sources)
    rows, framed = found.pictures(1)
    assert list(rows) == ["source", "synthetic", "edit", "nearest real"]
    assert {len(row) for row in rows.values()} == {len(framed)} == {12}
    encoded = (made / 50 - 1)[..., None]
    shown = [
        int(np.abs(encoded - image).sum(axis=(1, 2, 3)).argmin()) for image in rows["synthetic"]
    ]
    assert shown == sorted(set(shown))
    np.testing.assert_allclose(rows["source"][..., 0], X[sources[shown]] / 50 - 1, atol=1e-6)
    nearest = X[20 + distances(made[shown], X[20:]).argmin(axis=1)]
    np.testing.assert_allclose(rows["nearest real"][..., 0], nearest / 50 - 1, atol=1e-6)
    # The dark ones are not recognised as the bright class.
    assert framed[:3].all()
    assert not framed[-3:].any()
