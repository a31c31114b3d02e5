"""The study's figures, and the number behind the claim that goes with one of them."""

import numpy as np
from intervals import percentiles
from scipy.spatial.distance import cdist

from melanet import plotting
from melanet.utils._files import write_csv

_LABELS = np.array(["benign", "malignant"])


def translations(path, sources, made):
    """Write benign pictures above what they were translated to."""
    plotting.plot_images([sources, made], row_titles=["benign", "translated"], path=path)


def grad_cam(path, model, X, y, seed=0, n=8):
    """Write test pictures, half of them malignant, with what spoke for malignant laid over."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(y == label))[: n // 2] for label in (1, 0)]
    )
    _, overlays = model.explain(X[rows], label=1, return_overlay=True)
    chances = model.predict_proba(X[rows])[:, 1]
    titles = [f"{_LABELS[y[i]]}\np = {p:.2f}" for i, p in zip(rows, chances)]
    plotting.plot_images([X[rows], overlays], titles=titles, path=path)


def umap(path, features, y, made_features, seed=0):
    """Write a layout of all features, once without and once with the synthetic ones."""
    points = plotting.umap_embedding(np.concatenate([features, made_features]), random_state=seed)
    labels = np.append(_LABELS[y], ["synthetic"] * len(made_features))
    n = len(y)
    panels = {"real": (points[:n], labels[:n]), "real and synthetic": (points, labels)}
    plotting.plot_embedding(panels, path=path)


def curves(path, records):
    """Write the losses of trainings; `records` maps a title to {name: values by epoch}."""
    plotting.plot_curves(records, path=path)


def distances(path, made, groups, *, n_draws=1000, seed=0):
    """Write how much nearer the synthetic pictures' features lie to malignant than to benign.

    For a picture, the gap is its mean Euclidean distance to the real benign pictures less that to
    the real malignant ones: positive if it lies nearer to the malignant. A row gives the mean gap
    of a set of pictures, and its percentile interval from a bootstrap that draws the pictures of
    the set and of both real classes anew.

    Parameters
    ----------
    path : path-like
        Table to write.
    made : ndarray of shape (n, n_features)
        Features of the synthetic pictures.
    groups : dict
        What the real pictures are -> (features, labels).
    """
    rows = []
    for name, (features, y) in groups.items():
        real = [features[y == label] for label in (0, 1)]
        for title, which, own in (
            ("synthetic malignant", made, None),
            ("real benign", real[0], 0),
            ("real malignant", real[1], 1),
        ):
            gaps = _gap(which, real, own, n_draws, np.random.default_rng(seed))
            low, high = percentiles(gaps[1:])
            rows.append(
                {
                    "pictures": title,
                    "distances to": name,
                    "n": len(which),
                    "nearer to malignant by": float(gaps[0]),
                    "low": low,
                    "high": high,
                }
            )
    write_csv(path, rows)
    return rows


def _gap(which, real, own, n_draws, rng):
    """Return the mean gap of the pictures themselves, and of bootstrap draws."""
    between = [cdist(which, part) for part in real]
    gaps = []
    for draw in range(1 + n_draws):
        weights = [_times(len(part), draw, rng) for part in real]
        outer = _times(len(which), draw, rng) if own is None else weights[own]
        to = []
        for label, (distance, weight) in enumerate(zip(between, weights)):
            pairs = outer.sum() * weight.sum()
            if label == own:  # a picture's distance to itself is none
                pairs -= outer @ weight
            # No pairs are left where a draw of a few pictures holds one of them alone.
            to.append(outer @ distance @ weight / pairs if pairs else np.nan)
        gaps.append(to[0] - to[1])
    return np.array(gaps)


def _times(n, draw, rng):
    """Tell how often each of n pictures counts: once at first, then as drawn."""
    return np.ones(n) if draw == 0 else np.bincount(rng.integers(n, size=n), minlength=n)
