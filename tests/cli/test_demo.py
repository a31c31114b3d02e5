import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from melanet import GANOversampler
from melanet.cli._demo import imbalanced_digits, run_demo


def test_training_and_test_digits_do_not_overlap():
    X, y, draws = imbalanced_digits(2)
    assert set(y) == {3, 8}
    for training, test in draws:
        assert ((y[training] == 3).sum(), (y[training] == 8).sum()) == (120, 16)
        assert sorted([*training, *test]) == list(range(len(X)))
    assert set(draws[0][0]) != set(draws[1][0])


def test_demo_shows_counts_scores_and_files(tmp_path):
    text = io.StringIO()
    found = run_demo(tmp_path / "out", n_seeds=1, steps=5, console=Console(file=text, width=400))
    printed = text.getvalue()
    assert "Training images: 120 of digit 3, 16 of digit 8" in printed
    rows = found.results_.set_index("remedy")
    names = ["nothing", "nothing, tuned threshold", "class weights", "random over-sampling"]
    names += ["random under-sampling", "SMOTE", "changed copies", "GANOversampler, 5 steps"]
    assert set(names) <= set(rows.index)
    for name in names:
        assert name in printed
        assert rows.loc[name, "n_folds"] == 1
        assert f"{rows.loc[name, 'balanced_accuracy']:.3f}" in printed
        assert 0.5 < rows.loc[name, "auc"] <= 1
    assert "say little about other data" in printed
    assert "The quality report on GANOversampler, 5 steps says" in printed
    assert str(tmp_path / "out") in printed.replace("\n", "")
    image = np.asarray(Image.open(tmp_path / "out" / "translations.png"))
    assert image.shape == ((2 * 10 + 2) * 8, (12 * 10 + 2) * 8, 3)
    # A tuned threshold has no fits of its own, and SMOTE of features does not apply.
    assert len((tmp_path / "out" / "scores.csv").read_text().splitlines()) == len(names)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image/png;base64," in page
    X, _, _ = imbalanced_digits(1)
    sampler = GANOversampler.load(tmp_path / "out" / "sampler.melanet")
    assert sampler.translate(X[:3], 8).shape == (3, 8, 8)


def test_the_number_of_seeds_is_validated(tmp_path):
    with pytest.raises(ValueError, match="n_seeds must be at least 1"):
        run_demo(tmp_path, n_seeds=0)
