import numpy as np
import pytest

from melanet.metrics import class_evidence, realism
from melanet.metrics._translation_measures import translation_measures

ROWS = np.arange(150)


@pytest.fixture(scope="module")
def classes():
    """Return 150 samples of another class and 80 of the class, which overlap."""
    rng = np.random.default_rng(0)
    others, real = rng.normal(size=(150, 20)), rng.normal(size=(80, 20))
    real[:, 0] += 2
    return others, real


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_evidence_is_the_share_of_the_way_to_the_class(classes, share):
    others, real = classes
    made = others + share * np.eye(20)[0] * 2
    m = class_evidence(real, others, made, ROWS, random_state=0)
    assert m["evidence"] == pytest.approx(share, abs=0.15)
    assert m["evidence_low"] <= m["evidence"] <= m["evidence_high"]
    means = (m["p_translations"] - m["p_sources"]) / (m["p_real"] - m["p_sources"])
    assert m["evidence"] == pytest.approx(means)
    assert m["towards"] == (share > 0)
    assert 0.85 < m["class_auc"] < 0.97


def test_noise_away_from_the_class_is_negative_evidence(classes):
    others, real = classes
    m = class_evidence(real, others, others - np.eye(20)[0], ROWS, random_state=0)
    assert m["evidence_high"] < 0
    assert m["towards"] == 0


def test_classifiers_have_not_seen_the_source():
    # The labels are random, and there are as many features as samples: a classifier
    # recognises only samples that it has seen.
    rng = np.random.default_rng(0)
    others, real = rng.normal(size=(2, 60, 120))
    m = class_evidence(real, others, others, np.arange(60), random_state=0)
    assert abs(m["class_auc"] - 0.5) < 0.15
    assert np.isnan(m["evidence"])
    assert m["p_sources"] == pytest.approx(m["p_translations"])


def test_realism_is_an_auc_beside_that_of_the_sources(classes):
    others, real = classes
    unseen = np.random.default_rng(1).normal(size=(150, 20)) + 2 * np.eye(20)[0]
    same = realism(real, others, unseen, ROWS, random_state=0)
    assert 0.3 < same["told"] < 0.65
    assert 0.85 < same["told_sources"] < 0.97
    far = realism(real, others, unseen + 5 * np.eye(20)[1], ROWS, random_state=0)
    assert far["told"] > 0.99
    assert far["told_sources"] == same["told_sources"]


def test_translations_of_a_source_are_in_one_fold():
    # Ten sources, each translated ten times with tiny changes, from the distribution of the
    # class: over several folds they would betray themselves.
    rng = np.random.default_rng(0)
    real, others = rng.normal(size=(100, 200)), rng.normal(size=(10, 200))
    sources = np.repeat(np.arange(10), 10)
    made = others[sources] + 0.01 * rng.normal(size=(100, 200))
    grouped = realism(real, others, made, sources, random_state=0)["told"]
    others = others[sources]
    alone = realism(real, others, made, np.arange(100), random_state=0)["told"]
    assert grouped < alone - 0.2


def test_few_samples_are_not_measured(classes):
    others, real = classes
    assert translation_measures(real[:9], others, others, ROWS) == {}
    assert translation_measures(real, others, others[:9], ROWS[:9]) == {}
    assert np.isnan(class_evidence(real[:1], others, others, ROWS)["evidence"])
    assert np.isnan(realism(real, others, others[:5], np.zeros(5, int))["told"])


@pytest.mark.parametrize("sources", [ROWS[:3], ROWS.astype(float), ROWS + 1])
def test_sources_must_be_rows(classes, sources):
    others, real = classes
    for measure in (class_evidence, realism):
        with pytest.raises(ValueError, match="sources must"):
            measure(real, others, others, sources)
