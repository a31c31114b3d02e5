"""``melanet demo``: real images, made imbalanced, balanced in several ways, and compared."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from melanet.cli._common import DEFAULT_HELP, whole_number

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

COMMON, RARE = 3, 8  # digits
N_COMMON, N_RARE = 120, 12
SCORES = ("balanced accuracy", "sensitivity", "AUC")
CLASSIFIER, TRANSLATOR = "classifier.melanet", "translator.keras"
_WRITTEN = ("translations.png", "scores.csv", "sampler.melanet")
_N_LESIONS = 300


def add_arguments(add: Callable[..., Any]) -> None:
    """Add the command's arguments to a parser; `add` is its ``add_argument``."""
    add("--out", default="melanet-demo", metavar="DIR", help=f"folder to write ({DEFAULT_HELP})")
    add(
        "--seeds",
        type=whole_number(1),
        default=3,
        metavar="N",
        help=f"repetitions ({DEFAULT_HELP})",
    )
    add("--no-serve", dest="serve", action="store_false", help="train no models for melanet serve")


def run(arguments: argparse.Namespace) -> None:
    """Run the demo, and train small models for ``melanet serve``."""
    from melanet.utils._files import check_writable

    written = (*_WRITTEN, *((CLASSIFIER, TRANSLATOR) if arguments.serve else ()))
    check_writable(*(Path(arguments.out) / name for name in written))
    run_demo(arguments.out, n_seeds=arguments.seeds)
    if arguments.serve:
        classifier, translator = train_lesion_models(arguments.out)
        print(
            "To see a classifier of toy lesions in a browser (not for diagnosis), with "
            f"melanet[app]:\nmelanet serve --model {classifier} --translator {translator}"
        )


def imbalanced_digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split scikit-learn's digits 3 and 8 into an imbalanced training set and a test set.

    Parameters
    ----------
    seed : int
        Seed of the images drawn for training.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray
        Images of shape (n, 8, 8), float64 in [0, 16], and labels 3 (common) and 8 (rare). The
        test set holds all images that were not drawn.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    rng = np.random.default_rng(seed)
    common, rare = (rng.permutation(np.flatnonzero(y == digit)) for digit in (COMMON, RARE))
    train = np.concatenate([common[:N_COMMON], rare[:N_RARE]])
    test = np.concatenate([common[N_COMMON:], rare[N_RARE:]])
    return X[train], y[train], X[test], y[test]


def run_demo(
    out: str | Path = "melanet-demo",
    *,
    n_seeds: int = 3,
    steps: int | None = None,
    console: Console | None = None,
) -> dict[str, np.ndarray]:
    """Balance imbalanced digits, compare held-out scores, and write the results.

    Parameters
    ----------
    out : str or path-like, default="melanet-demo"
        Folder to write, created if missing.
    n_seeds : int, default=3
        Repetitions, each with other training images.
    steps : int or None, default=None
        Training budget of GANOversampler; None takes its default.
    console : rich.console.Console or None, default=None
        Console to print to; None takes standard output.

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
    import numpy as np
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from rich.console import Console

    from melanet import GANOversampler

    console = console or Console()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    rows: dict[str, list[Any]] = {}
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
            _write_images(out, X, X_gan, sampler)
            sampler.save(out / "sampler.melanet")
        for name, (X_train, y_train) in {
            "nothing": (X, y),
            "random over-sampling": _resample_rows(RandomOverSampler(random_state=seed), X, y),
            "SMOTE": _resample_rows(SMOTE(random_state=seed), X, y),
            "GANOversampler": (X_gan, y_gan),
        }.items():
            rows.setdefault(name, []).append(_score(X_train, y_train, X_test, y_test, seed))
    scores = {name: np.array(values) for name, values in rows.items()}
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


def train_lesion_models(
    out: str | Path, *, size: int = 32, epochs: int = 15, steps: int = 300, seed: int = 0
) -> tuple[Path, Path]:
    """Train a small MelaNet and a small CycleGAN on toy lesions and save them.

    They have seen drawings only and say nothing about real skin. Not for diagnosis.

    Parameters
    ----------
    out : str or path-like
        Folder to write ``classifier.melanet`` and ``translator.keras`` to, created if missing.
    size : int, default=32
        Side of the images.
    epochs, steps : int, default=15, 300
        Training budgets of the classifier and of the CycleGAN.
    seed : int, default=0
        Seed of images, weights and order.

    Returns
    -------
    classifier, translator : Path
        The files, for ``melanet serve --model CLASSIFIER --translator TRANSLATOR``.
    """
    import numpy as np

    from melanet import CycleGAN, MelaNet, UnpairedImages
    from melanet.datasets import make_lesions
    from melanet.utils import reproducible
    from melanet.utils._files import atomic_path

    out = Path(out)
    X, y = make_lesions(
        _N_LESIONS, weights=(0.5, 0.5), image_size=size, difficulty=0.2, random_state=seed
    )
    names = np.array(["benign", "malignant"])[y]
    A, B = (X[y == label].astype("float32") / 127.5 - 1 for label in (0, 1))
    with reproducible():
        model = MelaNet(backbone="small", input_size=size, epochs=epochs, random_state=seed)
        model.fit(X, names).save(out / CLASSIFIER)
        gan = CycleGAN.from_shape((size, size, 3), filters=16, discriminator_filters=16, seed=seed)
        gan.fit(UnpairedImages(A, B, 2, seed, steps=steps), epochs=1, verbose=0)
    gan.compile(optimizer="sgd")  # stateless: the file is a third as large
    with atomic_path(out / TRANSLATOR) as partial:
        gan.save(partial)
    return out / CLASSIFIER, out / TRANSLATOR


def _score(X_train, y_train, X_test, y_test, seed):
    """Return the held-out scores of a small classifier."""
    from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score
    from sklearn.svm import SVC

    train, test = (X.reshape(len(X), -1) / 16 for X in (X_train, X_test))
    classifier = SVC(random_state=seed).fit(train, y_train)
    answers, margins = classifier.predict(test), classifier.decision_function(test)
    return (
        balanced_accuracy_score(y_test, answers),
        recall_score(y_test, answers, pos_label=RARE),
        roc_auc_score(y_test == RARE, margins),
    )


def _resample_rows(sampler, X, y):
    X_res, y_res = sampler.fit_resample(X.reshape(len(X), -1), y)
    return X_res.reshape(-1, *X.shape[1:]), y_res


def _counts(y):
    return ", ".join(f"{count} of digit {label}" for label, count in sorted(Counter(y).items()))


def _write_images(out, X, X_gan, sampler, columns=12):
    import numpy as np

    from melanet.images import picture_grid, save_picture

    # Translations first; copies are shown where there are not enough.
    chosen = np.argsort(sampler.source_kind_ == "copy", kind="stable")[:columns]
    rows = [X[sampler.source_indices_[chosen]], X_gan[len(X) + chosen]]
    grid = picture_grid([row[..., None] / 8 - 1 for row in rows])
    save_picture(grid, out / "translations.png", 8)


def _table(scores):
    import numpy as np
    from rich.table import Table

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
    from melanet.utils._files import write_csv

    write_csv(
        path,
        [
            {"remedy": name, "seed": seed, **dict(zip(SCORES, row))}
            for name, values in scores.items()
            for seed, row in enumerate(values.tolist())
        ],
    )
