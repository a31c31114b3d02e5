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

    from melanet import Comparison

COMMON, RARE = 3, 8  # digits
N_COMMON, N_RARE = 120, 16  # for training; a quarter of them tunes thresholds
CLASSIFIER, TRANSLATOR = "classifier.melanet", "translator.keras"
_WRITTEN = ("translations.png", "results.csv", "scores.csv", "report.html", "sampler.melanet")
_N_LESIONS = 300
_GAN = "GANOversampler"


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


def imbalanced_digits(
    n_draws: int,
) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return scikit-learn's digits 3 and 8, and draws of an imbalanced training set from them.

    Parameters
    ----------
    n_draws : int
        Number of training sets.

    Returns
    -------
    X : ndarray of shape (n, 8, 8), float64
        Images in [0, 16].
    y : ndarray of int of shape (n,)
        Labels 3 (common) and 8 (rare).
    draws : list of (ndarray of int, ndarray of int)
        Training rows, and all others, which are the test rows.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rows = np.flatnonzero((y == COMMON) | (y == RARE))
    X, y = X[rows].reshape(-1, 8, 8), y[rows]
    draws = []
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        common, rare = (rng.permutation(np.flatnonzero(y == digit)) for digit in (COMMON, RARE))
        training = np.concatenate([common[:N_COMMON], rare[:N_RARE]])
        draws.append((training, np.setdiff1d(np.arange(len(y)), training)))
    return X, y, draws


def run_demo(
    out: str | Path = "melanet-demo",
    *,
    n_seeds: int = 3,
    steps: int | None = None,
    console: Console | None = None,
) -> Comparison:
    """Compare remedies on imbalanced digits, and write the results.

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
    melanet.Comparison

    Raises
    ------
    ValueError
        If `n_seeds` is less than one.
    """
    if n_seeds < 1:
        raise ValueError(f"n_seeds must be at least 1. Received: n_seeds={n_seeds!r}")
    from rich.console import Console
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    from melanet import GANOversampler, compare
    from melanet.images import picture_grid, save_picture

    console = console or Console()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    X, y, draws = imbalanced_digits(n_seeds)
    training, test = draws[0]
    console.print(
        f"Training images: {_counts(y[training].tolist())}, {n_seeds} draws\n"
        f"Test images:     {_counts(y[test].tolist())}, the others\n",
        highlight=False,
    )
    name, remedies = _GAN, {}
    if steps is not None:
        name = f"{_GAN}, {steps} steps"
        remedies = {_GAN: None, name: GANOversampler(value_range=(0, 16), steps=steps)}
    found = compare(
        X,
        y,
        make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
        remedies=remedies,
        value_range=(0, 16),
        cv=draws,
        random_state=0,
        verbose=int(console.is_terminal),
    )
    save_picture(picture_grid(found.pictures()[name]), out / "translations.png", 8)
    found.samplers_[name].save(out / "sampler.melanet")
    found.to_csv(out / "results.csv", out / "scores.csv")
    found.to_html(out / "report.html")
    console.print(
        f"{found}\n\n{n_seeds} draws of 8x8 digits and one small classifier say little about other "
        "data: compare on your own, by melanet compare.\n"
        f"Written to {out.resolve()}: translations.png (originals above their translations), "
        "report.html, results.csv, scores.csv, sampler.melanet (GANOversampler.load reads it)\n"
        f"Took {time.perf_counter() - start:.0f} s",
        highlight=False,
        markup=False,
    )
    return found


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


def _counts(y: list[int]) -> str:
    return ", ".join(f"{count} of digit {label}" for label, count in sorted(Counter(y).items()))
