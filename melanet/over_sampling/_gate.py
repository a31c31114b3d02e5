"""Gate before the training of a GAN: whether translations could show anything new."""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold

from melanet.exceptions import TranslationWarning
from melanet.images._transform import downscale
from melanet.metrics._paired_differences import corrected_t_test
from melanet.metrics._patch_features import PatchFeatures
from melanet.over_sampling._conditions import describe_conditions, move_conditions
from melanet.over_sampling._plans import ClassPlan
from melanet.preprocessing import SampleSource
from melanet.utils._chunks import evenly_spaced
from melanet.utils._validation import to_python

# Chosen on development data, see docs/when-not-to-use.md.
_CHANCE = 1e-4  # probability under which so many images lie outside of the class by chance
_TOLD = 0.75  # AUC above which the images inside differ, too: a difference of the classes
_SEPARATE = 0.95  # share outside that leaves too few images to tell condition from class
_MAX_COMPARED = 300  # images of each side
_FOLDS, _REPEATS = 3, 3


class Outside(NamedTuple):
    """A condition in which images of the majority lie outside of a class.

    Parameters
    ----------
    condition : str
        Its name.
    share : float
        Share of the majority's images outside of the class's range, on one side.
    chance : float
        Probability that so many lie outside if the two sets do not differ.
    inside_auc : float
        AUC by which the others are told from the class.
    """

    condition: str
    share: float
    chance: float
    inside_auc: float


@dataclass(frozen=True)
class Gate:
    """Decision on the training of a GAN for one class.

    Parameters
    ----------
    is_open : bool
        Whether the GAN is to be trained.
    reason : str
        The reason, with the figures, in one line.
    """

    is_open: bool
    reason: str


def pass_gate(
    samples: SampleSource,
    plans: Sequence[ClassPlan],
    labels: Collection[Any],
    seed: int,
    stacklevel: int,
) -> tuple[list[ClassPlan], dict[Any, str]]:
    """Replace the translations of classes whose gate is shut by exact copies.

    Parameters
    ----------
    samples : SampleSource
        Real images in [-1, 1].
    plans : sequence of ClassPlan
        All classes.
    labels : collection
        Labels of the classes whose GAN would be trained; the others pass.
    seed : int
        Seed of the decisions.
    stacklevel : int
        As in ``warnings.warn``, counted from the caller.

    Returns
    -------
    plans : list of ClassPlan
        Those to follow.
    notes : dict
        label -> the decision and its reason, in one line.

    Warns
    -----
    melanet.exceptions.TranslationWarning
        For every gate that is shut, with the reason.
    """
    passed, notes = [], {}
    for plan in plans:
        if plan.label in labels:
            gate = decide(samples, plan, seed)
            notes[plan.label] = f"{'open' if gate.is_open else 'shut'}: {gate.reason}"
            if not gate.is_open:
                plan = plan.without_translations()
                warnings.warn(
                    f"Class {to_python(plan.label)!r}: no GAN is trained, as gate='auto' asks, "
                    f"and the {plan.n_samples} synthetic samples are exact copies: {gate.reason}. "
                    "gate=False trains it",
                    TranslationWarning,
                    stacklevel=stacklevel + 1,
                )
        passed.append(plan)
    return passed, notes


def decide(samples: SampleSource, plan: ClassPlan, seed: int = 0) -> Gate:
    """Decide whether translations of the majority can show a class under new conditions.

    The gate is open if, in one of the conditions of `describe_conditions`, more of the majority's
    images lie beyond all images of the class than chance explains, while the others are not told
    from the class; or if copies of the class that are given the majority's conditions raise the
    AUC of a classifier in cross-fitting. It is shut if nearly all of the majority lies beyond the
    class: then nothing can tell the condition from the class.

    Parameters
    ----------
    samples : SampleSource
        Real images in [-1, 1]; at most 300 of each side are read.
    plan : ClassPlan
        The class and its sources.
    seed : int, default=0
        Seed of the folds.

    Returns
    -------
    Gate
    """
    majority, own = (
        downscale(samples[evenly_spaced(rows, _MAX_COMPARED)])
        for rows in (plan.source_rows, plan.target_rows)
    )
    found = compare_conditions(majority, own)
    apart = max(found, key=lambda outside: outside.share)
    if apart.share >= _SEPARATE:
        return Gate(
            False,
            f"{apart.share:.0%} of the majority's images lie beyond all {len(own)} of the class "
            f"in {apart.condition!r}, so a condition cannot be told from the class",
        )
    similar = [outside for outside in found if outside.inside_auc <= _TOLD]
    best = min(similar or found, key=lambda outside: outside.chance)
    text = (
        f"{best.share:.0%} of the majority's images lie beyond all {len(own)} of the class in "
        f"{best.condition!r} (by chance: p = {best.chance:.1g})"
    )
    if similar and best.chance < _CHANCE:
        return Gate(True, text)
    gain, low = moved_gain(majority, own, seed)
    gained = f"copies under the majority's conditions change the AUC by {gain:+.3f}"
    if low > 0:
        return Gate(True, f"{gained} (at least {low:+.3f})")
    return Gate(False, f"{text}, and {gained} (at least {low:+.3f})")


def compare_conditions(majority: np.ndarray, own: np.ndarray) -> list[Outside]:
    """Compare the conditions of two sets of images.

    Parameters
    ----------
    majority, own : ndarray of shape (n, H, W, C)
        Images in [-1, 1] of the majority and of the class.

    Returns
    -------
    list of Outside
        For each condition and each side, above or below the class. If the sets do not differ,
        the k outermost of all N + n images are of the majority with a probability of
        C(N, k) / C(N + n, k).
    """
    found = []
    others, reals = describe_conditions(majority), describe_conditions(own)
    for name, values in reals.items():
        for sign in (1, -1):
            outer, limit = sign * others[name], (sign * values).max()
            k, n_all = int((outer > limit).sum()), len(outer) + len(values)
            places = np.arange(k)
            chance = np.exp(np.log((len(outer) - places) / (n_all - places)).sum())
            told = _auc(outer[outer <= limit], sign * values)
            found.append(Outside(name, k / len(outer), float(chance), max(told, 1 - told)))
    return found


def moved_gain(majority: np.ndarray, own: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the gain in AUC by copies of the class under the majority's conditions.

    A logistic regression on `PatchFeatures` is fitted with and without copies of images of the
    class that have taken over colour, light and low frequencies of images of the majority, on
    folds of the real images, three times.

    Parameters
    ----------
    majority, own : ndarray of shape (n, H, W, C)
        Images in [-1, 1] of the majority and of the class.
    seed : int, default=0
        Seed of the folds and of the pairs.

    Returns
    -------
    gain : float
        Mean difference of the AUC; NaN if the class has fewer images than there are folds.
    low : float
        Lower end of its 95 % interval, see `corrected_t_test`.
    """
    if len(own) < _FOLDS or len(majority) < _FOLDS:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    pairs = rng.integers(len(own), size=len(majority)), rng.permutation(len(majority))
    moved = move_conditions(own[pairs[0]], majority[pairs[1]])
    network = PatchFeatures()
    real = network.fit_transform(np.concatenate([majority, own]))
    added, y = network.transform(moved), np.repeat([0, 1], [len(majority), len(own)])
    folds = RepeatedStratifiedKFold(n_splits=_FOLDS, n_repeats=_REPEATS, random_state=seed)
    gains = []
    for training, test in folds.split(real, y):
        seen = np.zeros(len(y), bool)
        seen[training] = True
        usable = seen[pairs[1]] & seen[len(majority) + pairs[0]]
        with_copies = np.concatenate([real[training], added[usable]])
        labels = np.concatenate([y[training], np.ones(int(usable.sum()), int)])
        scores = [
            roc_auc_score(y[test], _fit(*data).decision_function(real[test]))
            for data in ((real[training], y[training]), (with_copies, labels))
        ]
        gains.append(scores[1] - scores[0])
    found = corrected_t_test(gains, ratio=1 / (_FOLDS - 1))
    return found.mean, found.low


def _fit(features, y):
    model = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=200)
    return model.fit(features, y)


def _auc(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    if not len(first):
        return 1.0
    y = np.repeat([1, 0], [len(first), len(second)])
    return float(roc_auc_score(y, np.concatenate([first, second])))
