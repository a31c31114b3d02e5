import sys

import numpy as np
import pytest
from PIL import Image

from melanet import plotting


def test_images_are_drawn_unchanged(tmp_path):
    rng = np.random.default_rng(0)
    sources = rng.integers(256, size=(3, 8, 8, 3)).astype("uint8")
    translations = rng.random((2, 8, 8))
    figure = plotting.plot_images(
        [sources, translations],
        row_titles=["real", "synthetic"],
        titles=["a", "b", "c"],
        path=tmp_path / "a.png",
    )
    shown = [axis.images[0].get_array() if axis.images else None for axis in figure.axes]
    np.testing.assert_array_equal(shown[1], sources[1])
    np.testing.assert_allclose(shown[4], translations[1], atol=1e-6)
    assert shown[5] is None
    assert figure.axes[3].get_ylabel() == "synthetic"
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", "c"]
    assert Image.open(tmp_path / "a.png").size[0] > 100
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_edits_are_red_where_brighter_and_blue_where_darker():
    sources = np.full((2, 1, 3, 3), 100, "uint8")
    translations = sources.copy()
    translations[0, 0, 1] += 80
    translations[1, 0, 2] -= 40
    figure = plotting.plot_edits(sources, translations, titles=["a", "b"])
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    np.testing.assert_array_equal(shown[3], translations[1])
    white = [1, 1, 1]
    np.testing.assert_allclose(shown[4], [[white, [1, 0, 0], white]], atol=1e-6)
    np.testing.assert_allclose(shown[5], [[white, white, [0.5, 0.5, 1]]], atol=1e-6)
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["source", "translation", "edit"]


def test_images_of_any_scale_are_drawn_between_black_and_white():
    levels = np.linspace(0, 1, 64).reshape(1, 8, 8)
    rows = [levels * 255, levels * 2 - 1, levels.astype("float32"), levels > 0.5]
    figure = plotting.plot_images(rows)
    shown = [axis.images[0].get_array() for axis in figure.axes]
    for image, expected in zip(shown, [levels, levels, levels, levels > 0.5]):
        np.testing.assert_allclose(image, expected[0], atol=1e-6)
    figure = plotting.plot_images([levels * 4], value_range=(0, 4))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), levels[0], atol=1e-6)
    with pytest.raises(ValueError, match="from 0 to 4. Give value_range"):
        plotting.plot_images([levels * 4])


def test_a_label_has_the_same_colour_in_all_panels():
    points = np.arange(8.0).reshape(4, 2)
    figure = plotting.plot_embedding(
        {"all": (points, list("abab")), "few": (points[:2], ["b", "b"])}
    )
    colours = [
        {c.get_label(): tuple(c.get_facecolor()[0]) for c in axis.collections}
        for axis in figure.axes
    ]
    assert colours[0]["b"] == colours[1]["b"] != colours[0]["a"]
    np.testing.assert_array_equal(figure.axes[1].collections[0].get_offsets(), points[:2])
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_curves_start_at_epoch_1():
    figure = plotting.plot_curves({"x": {"loss": [3.0, 2.0, 1.0]}, "y": {"loss": [5.0]}})
    np.testing.assert_array_equal(
        figure.axes[0].lines[0].get_xydata(), [[1, 3.0], [2, 2.0], [3, 1.0]]
    )
    assert [axis.get_title() for axis in figure.axes] == ["x", "y"]
    for axis in figure.axes:  # whole epochs, also where there is one
        assert all(tick == int(tick) for tick in axis.get_xticks())


@pytest.mark.slow
def test_umap_separates_groups_and_repeats():
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 1, (20, 5)), rng.normal(30, 1, (20, 5))])
    points, again = (plotting.umap_embedding(features, random_state=0) for _ in range(2))
    np.testing.assert_array_equal(points, again)
    centres = points[:20].mean(axis=0), points[20:].mean(axis=0)
    to = np.stack([np.linalg.norm(points - centre, axis=1) for centre in centres])
    np.testing.assert_array_equal(to.argmin(axis=0), np.repeat([0, 1], 20))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plotting.plot_images([]), "at least one row"),
        (lambda: plotting.plot_images([np.zeros((0, 8, 8))]), "n >= 1"),
        (lambda: plotting.plot_images([np.zeros((2, 8, 8, 2))]), r"\(2, 8, 8, 2\)"),
        (lambda: plotting.plot_embedding({"a": ([[0, 0]], [1, 2])}), "2 labels"),
        (
            lambda: plotting.plot_edits(np.zeros((2, 8, 8)), np.zeros((1, 8, 8))),
            r"same shape and scale. Received: float64 of shape \(2, 8, 8\)",
        ),
        (lambda: plotting.plot_curves({}), "values to draw"),
        (lambda: plotting.umap_embedding([[0.0, 1.0]]), "n >= 4"),
    ],
)
def test_invalid_input_is_rejected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_missing_packages_are_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r'umap-learn: pip install "melanet\[plot\]"'):
        plotting.umap_embedding(np.zeros((5, 2)))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'matplotlib: pip install "melanet\[plot\]"'):
        plotting.plot_images([np.zeros((1, 2, 2))])
