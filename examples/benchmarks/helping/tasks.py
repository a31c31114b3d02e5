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
# Class counts in the training set of DeepSMOTE (TNNLS 2022), class 0 to 9, and its result.
_DEEPSMOTE = (4000, 2000, 1000, 750, 500, 350, 200, 100, 60, 40)
DEEPSMOTE_ACSA = 0.8363
TEN = "fashion-ten"


@dataclass(frozen=True)
class Task:
    """Data set, class counts, image size and shift of a task.

    Parameters
    ----------
    name : str
        Name in files and tables.
    source : {"digits", "mnist", "fashion"}
        Data set.
    counts : tuple of (label, count)
        Training images of each class, the largest class first.
    half : {"development", "report"}
        Whether settings may be chosen on it.
    side : int
        Side of the images in pixels.
    flip : "horizontal" or None
        Mirror images that belong to the same class, for the arms' augmentation.
    shift : str or None
        Key of `helping.shifts.SHIFTS`.
    steps : int
        Gradient steps of the classifier in every arm.
    """

    name: str
    source: str
    counts: tuple
    half: str
    side: int
    flip: str | None = None
    shift: str | None = None
    steps: int = 500

    @property
    def channels(self):
        """Number of channels of the images."""
        return shifts.SHIFTS[self.shift].channels if self.shift else 1

    @property
    def labels(self):
        """Labels of the classes, the largest first."""
        return tuple(label for label, _ in self.counts)

    def settings(self):
        """Return the settings that the images depend on, for the hash of a result."""
        settings = asdict(self)
        del settings["half"], settings["steps"]
        if self.shift:
            settings["shift"] = [self.shift, shifts.SHIFTS[self.shift].share]
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
        Number of draws of each task; the ten-class task has one.
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


def _pair(row, n_rare, side, n_majority=400):
    source, common, rare, half, flip = _PAIRS[row] if isinstance(row, int) else row
    labels = [_FASHION[c] if source == "fashion" else int(c) for c in (common, rare)]
    counts = ((labels[0], n_majority), (labels[1], n_rare))
    return Task(f"{source}-{common}-{rare}-n{n_rare}", source, counts, half, side, flip)


def _shifted(name, side, n_rare=20):
    task = _pair(_SHIFTED[name], n_rare, side)
    return replace(task, name=f"{name}-{task.name}", shift=name)


def _ten(steps=3000):
    return Task(TEN, "fashion", tuple(enumerate(_DEEPSMOTE)), "report", 28, steps=steps)


def scale(name):
    """Return the tasks and budgets of a scale, "quick", "default" or "full"."""
    digits = ("digits", "3", "8", "development", None)
    if name == "quick":
        task = replace(_pair(digits, 10, 8, n_majority=100), steps=60)
        return Scale(name, (task,), 2, {"steps": 20}, 20)
    full = name == "full"
    side, sizes = (28, (10, 20, 50, 200)) if full else (16, (10, 50))
    tasks = [_pair(i, n, side) for i in range(len(_PAIRS)) for n in sizes]
    tasks += [_shifted(shift, side) for shift in shifts.SHIFTS]
    if full:
        tasks += [_pair(digits, n, 8, n_majority=100) for n in (10, 20, 50)]
    # The longest job starts first, so that it does not run alone at the end.
    return Scale(name, (_ten(), *tasks), 10 if full else 5, {}, None if full else 1000)


@dataclass(frozen=True)
class Draw:
    """One draw of a task: training images, test images, and the training images of an oracle.

    The oracle's images are all except the test images, and include the drawn ones.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    X_oracle: np.ndarray
    y_oracle: np.ndarray


def draw(task, seed):
    """Draw the training images of a task; the test images are the same for every seed.

    Parameters
    ----------
    task : Task
        Task.
    seed : int
        Seed of the draw.

    Returns
    -------
    Draw
        Images of shape (n, side, side, channels), uint8; labels are those of the data set.
    """
    rng = np.random.default_rng([zlib.crc32(task.name.encode()), seed])
    fixed = np.random.default_rng(zlib.crc32(task.name.encode()))
    pool, labels, X_test, y_test = data.load(task.source, task.side, tuple(sorted(task.labels)))
    rows = {c: rng.permutation(np.flatnonzero(labels == c))[:n] for c, n in task.counts}
    short = [c for c, n in task.counts if len(rows[c]) < n]
    if short:
        raise ValueError(f"{task.name} needs more images than the classes {short} have")
    parts = {c: pool[chosen] for c, chosen in rows.items()}
    if task.shift:
        majority, name = task.labels[0], task.shift
        for c in parts:
            share = shifts.SHIFTS[name].share if c == majority else 0.0
            parts[c] = shifts.spread(name, parts[c], share, rng)
        X_test, pool = (
            _spread_evenly(name, images, y_part, fixed)
            for images, y_part in ((X_test, y_test), (pool, labels))
        )
    X = np.concatenate(list(parts.values()))
    y = np.concatenate([np.full(len(part), c) for c, part in parts.items()])
    return Draw(X, y, X_test, y_test, pool, labels)


def _spread_evenly(name, images, labels, rng):
    """Add the nuisance to the same share of every class."""
    shape = (*images.shape[:3], shifts.SHIFTS[name].channels)
    result = np.empty(shape, np.uint8)
    for c in np.unique(labels):
        rows = labels == c
        result[rows] = shifts.spread(name, images[rows], shifts.SHARE_AT_TEST, rng)
    return result
