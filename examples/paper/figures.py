"""Figures of the study, and the distances behind the claim about one of them."""

import numpy as np
from intervals import percentiles
from scipy.spatial.distance import cdist

from melanet import plotting
from melanet.utils._files import write_csv

_LABELS = np.array(["benign", "malignant"])


def translations(path, pairs):
    """Plot benign images above their translations; `pairs` maps an arm to both."""
    rows = [images for pair in pairs.values() for images in pair]
    titles = [title for arm in pairs for title in ("benign", arm)]
    plotting.plot_images(rows, row_titles=titles, path=path)


def grad_cam(path, model, X, y, seed=0, n=8):
    """Plot test images, half of them malignant, with Grad-CAM overlays for malignant."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(y == label))[: n // 2] for label in (1, 0)]
    )
    _, overlays = model.explain(X[rows], label=1, return_overlay=True)
    probabilities = model.predict_proba(X[rows])[:, 1]
    titles = [f"{_LABELS[y[i]]}\np = {p:.2f}" for i, p in zip(rows, probabilities)]
    plotting.plot_images([X[rows], overlays], titles=titles, path=path)


def umap(path, features, y, synthetic, seed=0):
    """Plot a layout of all features; `synthetic` maps an arm to its images' features."""
    every = np.concatenate([features, *synthetic.values()])
    points = plotting.umap_embedding(every, random_state=seed)
    n = len(y)
    panels = {"real": (points[:n], _LABELS[y])}
    for arm, part in synthetic.items():
        own = points[n : n + len(part)]
        labels = np.append(_LABELS[y], [f"synthetic, {arm}"] * len(part))
        panels[f"with {arm}"] = np.concatenate([points[: len(y)], own]), labels
        n += len(part)
    plotting.plot_embedding(panels, path=path)


def curves(path, records):
    """Plot the losses of trainings; `records` maps a title to {name: values by epoch}."""
    plotting.plot_curves(records, path=path)


def distances(path, synthetic, groups, *, n_draws=1000, seed=0):
    """Measure how much nearer the synthetic images' features are to malignant than to benign.

    The gap of an image is its mean Euclidean distance to the real benign images minus that to
    the real malignant ones; it is positive if the image is nearer to the malignant ones. A row
    holds the mean gap of a set of images and its percentile interval from a bootstrap that
    resamples the images of the set and of both real classes.

    Parameters
    ----------
    path : path-like
        Table to write.
    synthetic : dict
        Arm -> features of its synthetic images, of shape (n, n_features).
    groups : dict
        Name of a set of real images -> (features, labels).

    Returns
    -------
    list of dict
        Rows of the table.
    """
    rows = []
    for name, (features, y) in groups.items():
        real = [features[y == label] for label in (0, 1)]
        for title, points, label in (
            *((f"synthetic, {arm}", points, None) for arm, points in synthetic.items()),
            ("real benign", real[0], 0),
            ("real malignant", real[1], 1),
        ):
            gaps = _mean_gaps(points, real, label, n_draws, np.random.default_rng(seed))
            low, high = percentiles(gaps[1:])
            rows.append(
                {
                    "pictures": title,
                    "distances to": name,
                    "n": len(points),
                    "nearer to malignant by": float(gaps[0]),
                    "low": low,
                    "high": high,
                }
            )
    write_csv(path, rows)
    return rows


def _mean_gaps(points, real, label, n_draws, rng):
    """Return the mean gap of the points, followed by those of the bootstrap draws."""
    distances_to = [cdist(points, part) for part in real]
    gaps = []
    for draw in range(1 + n_draws):
        weights = [_draw_counts(len(part), draw, rng) for part in real]
        point_weights = _draw_counts(len(points), draw, rng) if label is None else weights[label]
        means = []
        for code, (distance, weight) in enumerate(zip(distances_to, weights)):
            pairs = point_weights.sum() * weight.sum()
            if code == label:  # an image is not compared with itself
                pairs -= point_weights @ weight
            # A draw of a small class may hold a single image, which leaves no pairs.
            means.append(point_weights @ distance @ weight / pairs if pairs else np.nan)
        gaps.append(means[0] - means[1])
    return np.array(gaps)


def _draw_counts(n, draw, rng):
    """Return how often each of n images is drawn; draw 0 is the original sample."""
    return np.ones(n) if draw == 0 else np.bincount(rng.integers(n, size=n), minlength=n)
