"""``melanet demo``: real images, made imbalanced, balanced in several ways, and compared."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score
from sklearn.svm import SVC

from melanet.images._io import save_picture
from melanet.images._transform import picture_grid
from melanet.over_sampling._gan_oversampler import GANOversampler
from melanet.utils._files import write_csv

COMMON, RARE = 3, 8
N_COMMON, N_RARE = 120, 12
SCORES = ("balanced accuracy", "sensitivity", "AUC")


def imbalanced_digits(seed):
    """Split scikit-learn's digits 3 and 8 into an imbalanced training set and a test set.

    Parameters
    ----------
    seed : int
        Which images are drawn for training.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray
        Images of shape (n, 8, 8), float64 in [0, 16], and labels 3 (common) and 8 (rare). The
        test set holds all that was not drawn.
    """
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    rng = np.random.default_rng(seed)
    common, rare = (rng.permutation(np.flatnonzero(y == digit)) for digit in (COMMON, RARE))
    train = np.concatenate([common[:N_COMMON], rare[:N_RARE]])
    test = np.concatenate([common[N_COMMON:], rare[N_RARE:]])
    return X[train], y[train], X[test], y[test]


def _score(X_train, y_train, X_test, y_test, seed):
    """Return the held-out scores of a small classifier."""
    rows = [X.reshape(len(X), -1) / 16 for X in (X_train, X_test)]
    classifier = SVC(random_state=seed).fit(rows[0], y_train)
    answers, margins = classifier.predict(rows[1]), classifier.decision_function(rows[1])
    return (
        balanced_accuracy_score(y_test, answers),
        recall_score(y_test, answers, pos_label=RARE),
        roc_auc_score(y_test == RARE, margins),
    )


def _on_rows(sampler, X, y):
    X_res, y_res = sampler.fit_resample(X.reshape(len(X), -1), y)
    return X_res.reshape(-1, *X.shape[1:]), y_res


def _counts(y):
    return ", ".join(f"{count} of digit {label}" for label, count in sorted(Counter(y).items()))


def run_demo(out="melanet-demo", *, n_seeds=3, steps=None, console=None):
    """Balance imbalanced digits, compare held-out scores, and write what was made.

    Parameters
    ----------
    out : str or path-like, default="melanet-demo"
        Folder to write into; made if missing.
    n_seeds : int, default=3
        Repetitions, each with other training images.
    steps : int or None, default=None
        Training budget of GANOversampler; None takes its default.
    console : rich.console.Console or None, default=None
        Where to print.

    Returns
    -------
    dict
        Name of a remedy -> ndarray of shape (n_seeds, 3): balanced accuracy, sensitivity to the
        rare digit, and AUC.

    Raises
    ------
    ValueError
        If `n_seeds` is less than one.
    """
    if n_seeds < 1:
        raise ValueError(f"n_seeds must be at least 1. Received: n_seeds={n_seeds!r}")
    console = console or Console()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    scores = {}
    for seed in range(n_seeds):
        X, y, X_test, y_test = imbalanced_digits(seed)
        sampler = GANOversampler(
            value_range=(0, 16), steps=steps, random_state=seed, verbose=int(console.is_terminal)
        )
        X_gan, y_gan = sampler.fit_resample(X, y)
        if seed == 0:
            console.print(
                f"Training images before: {_counts(y.tolist())}\n"
                f"Training images after:  {_counts(y_gan.tolist())}\n"
                f"Test images, untouched: {_counts(y_test.tolist())}\n"
            )
            _write_pictures(out, X, X_gan, sampler)
            sampler.save(out / "sampler.melanet")
        for name, (X_train, y_train) in {
            "nothing": (X, y),
            "random over-sampling": _on_rows(RandomOverSampler(random_state=seed), X, y),
            "SMOTE": _on_rows(SMOTE(random_state=seed), X, y),
            "GANOversampler": (X_gan, y_gan),
        }.items():
            scores.setdefault(name, []).append(_score(X_train, y_train, X_test, y_test, seed))
    scores = {name: np.array(values) for name, values in scores.items()}
    console.print(_table(scores))
    _write_scores(out / "scores.csv", scores)
    best = max(scores, key=lambda name: scores[name][:, 0].mean())
    console.print(
        f"Highest mean balanced accuracy here: {best}. {n_seeds} draws of 8x8 digits and one small "
        "classifier say little about other data: compare on your own.\n"
        f"Written to {out.resolve()}: translations.png (originals above their translations), "
        "scores.csv, sampler.melanet (GANOversampler.load reads it)\n"
        f"Took {time.perf_counter() - start:.0f} s",
        highlight=False,
    )
    return scores


def _write_pictures(out, X, X_gan, sampler, columns=12):
    # Translations first: copies are shown where there are not enough.
    translated = np.argsort(sampler.source_kind_ == "copy", kind="stable")[:columns]
    rows = [X[sampler.source_indices_[translated]], X_gan[len(X) + translated]]
    save_picture(
        picture_grid([row[..., None] / 8 - 1 for row in rows]), out / "translations.png", 8
    )


def _table(scores):
    n_seeds = len(next(iter(scores.values())))
    table = Table(
        title=f"Held-out scores of a support-vector classifier, mean ± sd of {n_seeds} seeds"
    )
    table.add_column("remedy")
    for name in SCORES:
        table.add_column(name, justify="right")
    for name, values in scores.items():
        spread = values.std(axis=0, ddof=1) if n_seeds > 1 else np.full(len(SCORES), np.nan)
        table.add_row(name, *(f"{m:.3f} ± {s:.3f}" for m, s in zip(values.mean(axis=0), spread)))
    return table


def _write_scores(path, scores):
    write_csv(
        path,
        [
            {"remedy": name, "seed": seed, **dict(zip(SCORES, row))}
            for name, values in scores.items()
            for seed, row in enumerate(values.tolist())
        ],
    )
