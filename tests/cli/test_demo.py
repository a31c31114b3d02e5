import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from melanet import GANOversampler
from melanet.cli._demo import imbalanced_digits, run_demo


def test_training_and_test_digits_do_not_overlap():
    X, y, X_test, y_test = imbalanced_digits(0)
    assert ((y == 3).sum(), (y == 8).sum()) == (120, 12)
    assert {3, 8} == set(y_test)
    seen = {image.tobytes() for image in X}
    assert not any(image.tobytes() in seen for image in X_test)
    assert not np.array_equal(X, imbalanced_digits(1)[0])


def test_demo_shows_counts_scores_and_files(tmp_path):
    text = io.StringIO()
    scores = run_demo(tmp_path / "out", n_seeds=1, steps=5, console=Console(file=text, width=100))
    printed = text.getvalue()
    assert "before: 120 of digit 3, 12 of digit 8" in printed
    assert "after:  120 of digit 3, 120 of digit 8" in printed
    for name, values in scores.items():
        assert name in printed
        assert f"{values[0, 0]:.3f}" in printed
    assert list(scores) == ["nothing", "random over-sampling", "SMOTE", "GANOversampler"]
    assert all(((values >= 0) & (values <= 1)).all() for values in scores.values())
    assert str(tmp_path / "out") in printed.replace("\n", "")
    image = np.asarray(Image.open(tmp_path / "out" / "translations.png"))
    assert image.shape == ((2 * 10 + 2) * 8, (12 * 10 + 2) * 8, 3)
    assert len((tmp_path / "out" / "scores.csv").read_text().splitlines()) == 1 + 4
    X = imbalanced_digits(0)[0]
    sampler = GANOversampler.load(tmp_path / "out" / "sampler.melanet")
    assert sampler.translate(X[:3], 8).shape == (3, 8, 8)


def test_the_number_of_seeds_is_validated(tmp_path):
    with pytest.raises(ValueError, match="n_seeds must be at least 1"):
        run_demo(tmp_path, n_seeds=0)
