"""Tasks, their two halves, scales, and draws of a task.

Settings are chosen on the development half alone; results are reported on the report half.
"""

import zlib
from dataclasses import asdict, dataclass, replace

import numpy as np

from helping import data, shifts

_FASHION = {"tshirt": 0, "trouser": 1, "dress": 3, "sandal": 5, "shirt": 6, "sneaker": 7, "bag": 8}
# source, majority, rare, half, mirror images that belong to the same class
_PAIRS = (
    ("mnist", "3", "8", "development", None),
    ("fashion", "tshirt", "shirt", "development", "horizontal"),
    ("fashion", "sandal", "sneaker", "development", None),  # all shoes point to the left
    ("mnist", "4", "9", "report", None),
    ("fashion", "trouser", "dress", "report", "horizontal"),
    ("fashion", "bag", "shirt", "report", "horizontal"),
)
_SHIFTED = {"tint": 0, "blur": 2, "lighting": 5, "texture": 3}  # shift -> pair
_DIGITS = ("digits", "3", "8", "development", None)
# Mirror images of photographs that belong to the same class: lesions have no upper side.
_FLIPS = {"isic2016": "both", "chest-xray": None}
_PHOTOGRAPHS = (("isic2016", None), ("isic2016", 50), ("isic2016", 20),
                ("chest-xray", 50), ("chest-xray", 20))  # fmt: skip
# shift -> data and number of rare images of a shortcut task
_SHORTCUTS = {
    "sticker": ("isic2016", 50),
    "corners": ("isic2016", 50),
    "letter": ("chest-xray", 50),
    "tint": ("digits", 20),
    "lighting": ("digits", 20),
}
# Class counts in the training set of DeepSMOTE (TNNLS 2022), class 0 to 9, and its result.
_DEEPSMOTE = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
DEEPSMOTE_ACSA = 0.8363
TEN = "fashion-ten"
# Of the digits 0 to 9, of which about a hundred images each are not held out.
_TEN_DIGITS = (100, 50, 40, 35, 30, 25, 20, 18, 16, 14)
HELD = 0.25  # share of the training images that is set aside for the threshold


@dataclass(frozen=True)
class Task:
    """Data set, class counts, image size and shift of a task.

    Parameters
    ----------
    name : str
        Name in files and tables.
    source : {"digits", "mnist", "fashion", "isic2016", "chest-xray"}
        Data set.
    counts : tuple of (label, count)
        Training images of each class, the largest class first; None takes all.
    half : {"development", "report"}
        Whether settings may be chosen on it.
    side : int
        Side of the images in pixels.
    flip : {"horizontal", "both"} or None
        Mirror images that belong to the same class, for the arms' augmentation.
    shift : str or None
        Key of `helping.shifts.SHIFTS`.
    share : float
        Share of the majority's training images that show the shift's nuisance.
    steps : int
        Gradient steps of the small network in every arm.
    final : bool
        Whether the test part of photographs is the test set, instead of a fold of the training
        part.
    """

    name: str
    source: str
    counts: tuple
    half: str
    side: int
    flip: str | None = None
    shift: str | None = None
    share: float = 0.0
    steps: int = 500
    final: bool = False

    @property
    def channels(self):
        """Number of channels of the images."""
        colour = self.source == "isic2016" or (self.shift and shifts.SHIFTS[self.shift].colour)
        return 3 if colour else 1

    @property
    def labels(self):
        """Labels of the classes, the largest first."""
        return tuple(label for label, _ in self.counts)

    def settings(self):
        """Return the settings that the images depend on, for the hash of a result."""
        settings = {**asdict(self), "held": HELD}
        del settings["half"], settings["steps"]
        return settings


@dataclass(frozen=True)
class Scale:
    """Tasks and budgets of a run.

    Parameters
    ----------
    name : str
        "quick", "default" or "full".
    tasks : tuple of Task
        Tasks, in their starting order.
    seeds : int
        Number of draws of each task.
    seeds_of_ten : int
        Number of draws of `TEN`, which takes hours.
    sampler : dict
        Options of every GANOversampler, to shorten a test run.
    paper_steps : int or None
        Maximum steps of the paper's recipe; None keeps its 100 epochs.
    """

    name: str
    tasks: tuple
    seeds: int
    sampler: dict
    paper_steps: int | None
    seeds_of_ten: int = 1


def _pair(row, n_rare, side, n_majority=400):
    source, common, rare, half, flip = _PAIRS[row] if isinstance(row, int) else row
    labels = [_FASHION[c] if source == "fashion" else int(c) for c in (common, rare)]
    counts = ((labels[0], n_majority), (labels[1], n_rare))
    return Task(f"{source}-{common}-{rare}-n{n_rare}", source, counts, half, side, flip)


def _digits(n_rare):
    return _pair(_DIGITS, n_rare, 8, n_majority=100)


def _shifted(name, side, n_rare=20):
    task = _pair(_SHIFTED[name], n_rare, side)
    share = 1.0 if name == "texture" else 0.5
    return replace(task, name=f"{name}-{task.name}", shift=name, share=share)


def _photographs(source, n_rare, side, final):
    size = "all" if n_rare is None else f"n{n_rare}"
    half = "report" if final else "development"
    counts = ((0, None), (1, n_rare))
    task = Task(f"{source}-{side}-{size}", source, counts, half, side, _FLIPS[source])
    return replace(task, steps=300, final=final)


def shortcuts(shares, side, final=False):
    """Return the tasks of shortcuts on real pictures, at shares of marked majority pictures."""
    tasks = []
    for share in shares:
        for shift, (source, n_rare) in _SHORTCUTS.items():
            if source == "digits":
                task = _digits(n_rare)
            else:
                task = _photographs(source, n_rare, side, final)
            name = f"{shift}-{100 * share:.0f}%-{task.name}"
            tasks.append(replace(task, name=name, shift=shift, share=share))
    return tasks


def _ten(steps=3000):
    return Task(TEN, "fashion", tuple(enumerate(_DEEPSMOTE)), "report", 28, steps=steps)


def _ten_digits(steps=500):
    counts = tuple(enumerate(_TEN_DIGITS))
    return Task("ten-digits", "digits", counts, "development", 8, steps=steps)


def scale(name, side=64, shares=(0.5,), final=False):
    """Return the tasks and budgets of a scale.

    Parameters
    ----------
    name : {"quick", "default", "full"}
        Scale.
    side : int
        Side of the photographs.
    shares : sequence of float
        Shares of marked majority pictures in the tasks of shortcuts.
    final : bool
        Whether photographs are tested on their test part.

    Returns
    -------
    Scale
    """
    if name == "quick":
        plain = replace(_digits(10), steps=60)
        tint = replace(_digits(10), name="tint-digits-3-8-n10", shift="tint", share=0.5, steps=60)
        return Scale(name, (plain, tint, _ten_digits(60)), 1, {"steps": 20}, 20)
    full = name == "full"
    small, sizes = (28, (10, 20, 50, 200)) if full else (16, (10, 50))
    tasks = [_photographs(*row, side, final) for row in _PHOTOGRAPHS]
    tasks += shortcuts(shares, side, final)
    tasks += [_pair(i, n, small) for i in range(len(_PAIRS)) for n in sizes]
    tasks += [_shifted(shift, small) for shift in _SHIFTED]
    if full:
        tasks += [_digits(n) for n in (10, 20, 50)]
    # The longest job starts first, so that it does not run alone at the end.
    tasks = (_ten(), *tasks, _ten_digits())
    return Scale(name, tasks, 10 if full else 5, {}, None if full else 1000)


@dataclass(frozen=True)
class Draw:
    """One draw of a task.

    Parameters
    ----------
    X, y : ndarray
        Images and labels to train on; labels are those of the data set.
    X_held, y_held : ndarray
        A quarter of each class's drawn training images, set aside for the threshold.
    X_test, y_test : ndarray
        Test set.
    X_oracle, y_oracle : ndarray
        All images except the test images; they include the drawn ones.
    marked : ndarray of bool or None
        Whether each test image shows the nuisance; None without a shift.
    shift : str or None
        The task's shift.
    """

    X: np.ndarray
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    X_oracle: np.ndarray
    y_oracle: np.ndarray
    marked: np.ndarray | None = None
    shift: str | None = None


def draw(task, seed):
    """Draw the training images of a task.

    The test images are the same for every seed, except for photographs that are not final: each
    seed then has the next fold of the training part as its test set.

    Parameters
    ----------
    task : Task
        Task.
    seed : int
        Seed of the draw.

    Returns
    -------
    Draw
        Images of shape (n, side, side, channels), uint8.
    """
    key = zlib.crc32(task.name.encode())
    rng, fixed = np.random.default_rng([key, seed]), np.random.default_rng(key)
    pool, labels, X_test, y_test = data.load(
        task.source, task.side, tuple(sorted(task.labels)), seed % data.FOLDS, task.final
    )
    rows = {c: rng.permutation(np.flatnonzero(labels == c))[:n] for c, n in task.counts}
    short = [c for c, n in task.counts if n and len(rows[c]) < n]
    if short:
        raise ValueError(f"{task.name} needs more images than the classes {short} have")
    parts, marked = {c: pool[chosen] for c, chosen in rows.items()}, None
    if task.shift:
        for c in parts:
            share = task.share if c == task.labels[0] else 0.0
            parts[c], _ = shifts.spread(task.shift, parts[c], share, rng)
        X_test, marked = _spread_evenly(task.shift, X_test, y_test, fixed)
        pool, _ = _spread_evenly(task.shift, pool, labels, fixed)
    X, y, X_held, y_held = [], [], [], []
    for c, part in parts.items():  # rows and marks are in random order
        n_held = max(1, int(HELD * len(part)))
        X_held.append(part[:n_held])
        X.append(part[n_held:])
        y_held.append(np.full(n_held, c))
        y.append(np.full(len(part) - n_held, c))
    X, y, X_held, y_held = map(np.concatenate, (X, y, X_held, y_held))
    return Draw(X, y, X_held, y_held, X_test, y_test, pool, labels, marked, task.shift)


def _spread_evenly(name, images, labels, rng):
    """Add the nuisance to the same share of every class; return images and which show it."""
    channels = 3 if shifts.SHIFTS[name].colour else images.shape[-1]
    result = np.empty((*images.shape[:3], channels), np.uint8)
    marked = np.zeros(len(images), bool)
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        result[rows], marked[rows] = shifts.spread(name, images[rows], shifts.SHARE_AT_TEST, rng)
    return result, marked
