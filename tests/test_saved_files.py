"""Files that earlier layouts of the package wrote are still read."""

from pathlib import Path

import numpy as np
import pytest

from melanet import CycleGAN, GANOversampler, MelaNet
from melanet.over_sampling import Recipe

FOLDER = Path(__file__).parent / "data" / "before_move"


@pytest.fixture(scope="module")
def answers():
    with np.load(FOLDER / "answers.npz") as file:
        return dict(file)


def test_a_sampler_written_before_the_move(answers):
    sampler = GANOversampler.load(FOLDER / "sampler.melanet")
    assert isinstance(sampler.recipe_, Recipe)
    assert (sampler.recipe_.steps, sampler.recipe_.copies) == (600, 0.5)
    X = answers["X"].astype("float64")
    np.testing.assert_allclose(sampler.translate(X, 1), answers["translated"], atol=1e-3)


def test_a_cyclegan_written_before_the_move(answers):
    cyclegan = CycleGAN.from_pretrained(FOLDER / "cyclegan.keras")
    sampler = GANOversampler.load(FOLDER / "sampler.melanet")
    x = answers["X"][..., None] / 8 - 1
    np.testing.assert_allclose(cyclegan.translate(x), sampler.cyclegans_[1].translate(x), atol=1e-5)


def test_a_classifier_written_before_the_move(answers):
    classifier = MelaNet.load(FOLDER / "classifier.melanet")
    probabilities = classifier.predict_proba(answers["X"].astype("float64"))
    np.testing.assert_allclose(probabilities, answers["probabilities"], atol=1e-5)
