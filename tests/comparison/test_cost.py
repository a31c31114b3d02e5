"""The estimate of a comparison's time."""

import time

from sklearn.datasets import make_classification
from sklearn.naive_bayes import GaussianNB

from melanet import GANOversampler
from melanet.comparison import estimate_seconds
from melanet.comparison._remedies import NOTHING, REMEDIES

X, Y = make_classification(90, weights=[0.7], random_state=0)


class Hindered(GANOversampler):
    """Sampler on a machine that gets busier between the fits, outside of the trainings."""

    n_fits = 0

    def fit_resample(self, X, y):
        time.sleep(2 * Hindered.n_fits)
        Hindered.n_fits += 1
        return super().fit_resample(X, y)


def test_waiting_before_the_steps_is_not_taken_for_steps():
    mine = Hindered(steps=300, random_state=0)
    remedies = {"mine": mine, **{name: None for name in REMEDIES if name != NOTHING}}
    found = estimate_seconds(X, Y, GaussianNB(), remedies=remedies, cv=(2, 1), random_state=0)
    assert set(found) == {NOTHING, "mine"}
    Hindered.n_fits = 0
    start = time.perf_counter()
    mine.fit_resample(X, Y)  # compiled by now
    taken = time.perf_counter() - start
    # Of the second fit's two seconds nothing was multiplied.
    assert 2 + taken / 4 < found["mine"] / 2 < 2 + 3 * taken


class Noted(GANOversampler):
    """Sampler that notes which classes it trained a CycleGAN for."""

    trained = []

    def fit_resample(self, X, y):
        result = super().fit_resample(X, y)
        Noted.trained += self.cyclegans_
        return result


def test_nothing_is_trained_to_time_a_sampler_that_trains_nothing():
    remedies = dict.fromkeys(set(REMEDIES) - {NOTHING})
    for mine, trained in ((Noted(random_state=0), False), (Noted(copies=0, steps=20), True)):
        options = {"remedies": {"mine": mine, **remedies}, "cv": (2, 1), "random_state": 0}
        assert estimate_seconds(X, Y, GaussianNB(), **options)["mine"] > 0
        assert bool(Noted.trained) == trained
