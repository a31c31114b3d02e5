import json
import re

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from melanet import CycleGAN, GANOversampler, MelaNet
from melanet._model_card import model_card
from melanet.metrics import screening_report

WORDS = {"name": "digits", "data": "UCI digits.", "license": "cc-by-4.0"}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=2, return_X_y=True)
    return X[:120].reshape(-1, 8, 8), y[:120]


@pytest.fixture(scope="module")
def classifier(digits):
    options = {"backbone": "small", "input_size": 8, "value_range": (0, 16), "epochs": 2}
    return MelaNet(**options, random_state=0).fit(*digits)


@pytest.fixture(scope="module")
def sampler(digits):
    X, y = digits
    keep = (y == 0) | (np.cumsum(y == 1) <= 20)
    made = GANOversampler(value_range=(0, 16), steps=4, random_state=0)
    made.fit_resample(X[keep], y[keep])
    return made


def front_matter(card):
    """Read the front matter: one key a line, each value JSON."""
    _, head, _ = re.split(r"^---$", card, maxsplit=2, flags=re.MULTILINE)
    pairs = (line.split(": ", 1) for line in head.strip().splitlines())
    return {key: json.loads(value) for key, value in pairs}


def sections(card):
    parts = re.split(r"^## (.+)$", card, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def test_a_classifiers_card_lists_measures_with_intervals(classifier):
    y = np.repeat([0, 1], [40, 10])
    score = np.where(y == 1, 0.8, 0.2)
    score[[0, 1, 45]] = 0.9, 0.7, 0.1
    report = screening_report(y, score)
    card = model_card(classifier, report=report, measured_on="30 held-out scans", **WORDS)
    head, body = front_matter(card), sections(card)
    assert head["license"] == "cc-by-4.0"
    assert head["library_name"] == "keras"
    assert head["pipeline_tag"] == "image-classification"
    assert "not-for-diagnosis" in head["tags"]
    (result,) = head["model-index"][0]["results"]
    values = {entry["name"]: entry["value"] for entry in result["metrics"]}
    assert values["sensitivity"] == 9 / 10
    assert values["specificity"] == 38 / 40
    assert set(head["metrics"]) == {entry["type"] for entry in result["metrics"]}
    low, high = report["sensitivity_low"], report["sensitivity_high"]
    assert f"| sensitivity | 0.9000 | {low:.4f} to {high:.4f} |" in body["Metrics"]
    assert "30 held-out scans: 50 samples, 10 positive" in body["Metrics"]
    assert "`0`, `1`" in body["Description"]
    assert "8 x 8 pixels and 1 channels" in body["Description"]
    assert "Trained for 2 epochs" in body["Description"]
    assert body["Training data"].strip() == "UCI digits."
    assert body["Synthetic images"].strip() == "None were used in training."
    assert "Not for diagnosis" in card.split("## ")[0]


def test_undefined_measures_have_no_numbers(classifier):
    report = screening_report([0, 0, 0], [0.1, 0.2, 0.6])
    card = model_card(classifier, report=report, measured_on="three scans", **WORDS)
    assert "| sensitivity | undefined |  |" in card
    assert "recall" not in front_matter(card)["metrics"]
    assert "NaN" not in card


def test_synthetic_images_are_described(classifier, sampler):
    body = sections(model_card(classifier, synthetic=sampler, **WORDS))
    made = len(sampler.source_kind_)
    copies = sampler.source_kind_.tolist().count("copy")
    assert f"class `1`: {made} generated" in body["Synthetic images"]
    assert f"{made - copies} translations" in body["Synthetic images"]
    assert f"{copies} copies of real images, exact or changed" in body["Synthetic images"]
    words = sections(model_card(classifier, synthetic="From another project.", **WORDS))
    assert words["Synthetic images"].strip() == "From another project."


def test_samplers_and_translators_have_cards_before_and_after_saving(sampler, tmp_path):
    sampler.save(tmp_path / "s.melanet")
    for model in (sampler, GANOversampler.load(tmp_path / "s.melanet"), sampler.cyclegans_[1]):
        card = model_card(model, limits=("Eight pixels only.",), tags=("toy",), **WORDS)
        assert front_matter(card)["pipeline_tag"] == "image-to-image"
        assert front_matter(card)["tags"][-1] == "toy"
        assert "8 x 8 x 1" in card
        assert "- Eight pixels only." in sections(card)["Limits"]
        assert "Not for diagnosis" in card


def test_the_front_matter_is_valid_yaml(classifier):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML to read the front matter as YAML")
    card = model_card(classifier, **WORDS | {"name": 'a: "b" # ü', "license": "mit"})
    assert yaml.safe_load(card.split("---")[1]) == front_matter(card)
    assert '# a: "b" # ü\n' in card


def test_the_card_is_written_to_a_file(classifier, tmp_path):
    path = tmp_path / "new" / "README.md"
    card = model_card(classifier, path, **WORDS)
    assert path.read_text("utf-8") == card
    assert [file.name for file in path.parent.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"name": "two\nlines"}, ValueError, "name must be one line"),
        ({"data": " "}, ValueError, "data must not be empty"),
        ({"license": None}, TypeError, "license must be a str"),
        ({"synthetic": 5}, TypeError, "synthetic must be a str"),
        (
            {"report": screening_report([0, 1], [0, 1])},
            ValueError,
            "measured_on must name the test set",
        ),
    ],
)
def test_invalid_parameters_raise_and_nothing_is_written(
    classifier, tmp_path, change, error, words
):
    with pytest.raises(error, match=words):
        model_card(classifier, tmp_path / "card.md", **WORDS | change)
    assert not list(tmp_path.iterdir())


def test_other_and_unfitted_models_are_rejected():
    with pytest.raises(TypeError, match="Received: dict"):
        model_card({}, **WORDS)
    with pytest.raises(NotFittedError):
        model_card(MelaNet(), **WORDS)
    gan = CycleGAN.from_shape((8, 8, 1), filters=4, discriminator_filters=4)
    with pytest.raises(ValueError, match="report must be None unless model is a classifier"):
        model_card(gan, report=screening_report([0, 1], [0, 1]), measured_on="x", **WORDS)
