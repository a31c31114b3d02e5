"""Remedies for imbalance, under one protocol: training rows, new samples, weights."""

from __future__ import annotations

import copy
import difflib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import get_tags

from melanet.comparison._data import Data, flatten
from melanet.images import Augmentation
from melanet.over_sampling import GANOversampler
from melanet.preprocessing import ImageForm, dense, is_frame
from melanet.utils._labels import label_text
from melanet.utils._validation import join_names

NOTHING = "nothing"
THRESHOLD = "nothing, tuned threshold"
WEIGHTS = "class weights"
UNDER, OVER = "random under-sampling", "random over-sampling"
SMOTE_ROWS, SMOTE_FEATURES = "SMOTE", "SMOTE of features"
CHANGED = "changed copies"
GAN = "GANOversampler"
# In the order of their cost, in which the advice tries them.
PLAIN = (NOTHING, THRESHOLD, WEIGHTS, UNDER, OVER, SMOTE_ROWS, SMOTE_FEATURES, CHANGED)
REMEDIES = (*PLAIN, GAN)
_NEIGHBOURS = 5  # SMOTE's own default


class NotApplicable(Exception):
    """Signal that a remedy does not apply to these data or this estimator."""


@dataclass
class TrainingSet:
    """Rows of X to train on, and new samples.

    Parameters
    ----------
    rows : ndarray of int
        Rows of X, possibly repeated.
    samples, labels : array or None
        New samples in the form of X, and their labels.
    balanced : bool, default=False
        Whether the classifier weights the classes.
    in_features : bool, default=False
        Whether SMOTE is applied to the estimator's features.
    sampler : object or None, default=None
        The fitted sampler, if it is the user's or `GANOversampler`.
    """

    rows: NDArray[np.intp]
    samples: Any = None
    labels: Any = None
    balanced: bool = False
    in_features: bool = False
    sampler: Any = None


@dataclass(frozen=True)
class Remedy:
    """A remedy.

    Parameters
    ----------
    name : str
        Its name in the results.
    sampler : object or None, default=None
        Sampler with ``fit_resample``, of the user's or `GANOversampler`.
    slow : bool, default=False
        Whether it trains GANs, and is applied to the first repeat of the folds only.
    """

    name: str
    sampler: Any = None
    slow: bool = False

    def resample(self, data: Data, rows: NDArray[np.intp], seed: int) -> TrainingSet:
        """Return the training set of some rows.

        Parameters
        ----------
        data : Data
            All samples.
        rows : ndarray of int
            Rows to train on; no other row is looked at.
        seed : int
            Seed.

        Raises
        ------
        NotApplicable
            If the remedy does not suit the data; the message says why.
        """
        if self.sampler is not None:
            return self._sampled(data, rows, seed)
        codes = data.codes[rows]
        if self.name in (OVER, UNDER):
            kind: Any = RandomOverSampler if self.name == OVER else RandomUnderSampler
            sampler = kind(random_state=seed)
            sampler.fit_resample(rows[:, None], codes)
            return TrainingSet(rows[sampler.sample_indices_])
        if self.name == SMOTE_ROWS:
            return _smote_rows(data, rows, seed)
        if self.name == CHANGED:
            return _changed_copies(data, rows, seed)
        return TrainingSet(
            rows, balanced=self.name == WEIGHTS, in_features=self.name == SMOTE_FEATURES
        )

    def _sampled(self, data, rows, seed):
        sampler = seeded(self.sampler, seed)
        X, labels = data.take(rows), data.labels[rows]
        as_rows = data.is_images and not _takes_images(sampler)
        made, made_labels = sampler.fit_resample(flatten(X) if as_rows else X, labels)
        made_labels = np.asarray(made_labels)
        if as_rows:
            made = dense(made).reshape(-1, *data.X.shape[1:])
        if len(made) != len(made_labels):
            raise ValueError(
                f"fit_resample returned {len(made)} samples and {len(made_labels)} labels"
            )
        if np.shape(made)[1:] != tuple(data.X.shape[1:]):
            raise ValueError(
                f"fit_resample returned samples of shape {np.shape(made)[1:]}; X has "
                f"{tuple(data.X.shape[1:])}"
            )
        chosen = getattr(sampler, "sample_indices_", None)
        if chosen is not None and len(chosen) == len(made):
            return TrainingSet(rows[np.asarray(chosen)], sampler=sampler)
        n = len(rows)
        if len(made) >= n and _equal(made[:n], X):
            return TrainingSet(rows, made[n:], made_labels[n:], sampler=sampler)
        return TrainingSet(rows[:0], made, made_labels, sampler=sampler)


def collect_remedies(remedies: Any, value_range: Any) -> list[Remedy]:
    """Return the remedies to compare, in the order of their cost.

    Parameters
    ----------
    remedies : "all", list of str or dict
        Names of built-in ones; or name -> sampler, which are added to all built-in ones, and
        built-in name -> None, which leaves that one out.
    value_range : (float, float) or None
        For the built-in GANOversampler.

    Raises
    ------
    ValueError
        If a name is unknown or taken, or no remedy is left.
    """
    added: list[Remedy] = []
    if isinstance(remedies, str):
        if remedies != "all":
            raise ValueError(
                f'remedies must be "all", a list of names or a dict. Received: {remedies!r}'
            )
        names = set(REMEDIES)
    elif isinstance(remedies, Mapping):
        names = set(REMEDIES)
        taken = {_key(name): name for name in REMEDIES}
        for name, sampler in remedies.items():
            if sampler is None:
                names.discard(find_remedy(name))
                continue
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"The keys of remedies must be names. Received: {name!r}")
            if _key(name) in taken:
                raise ValueError(
                    "remedies must have names that differ from each other's and from the built-in "
                    f"ones'. Received: {name!r}, which collides with {taken[_key(name)]!r}. Choose "
                    "another name; to leave the built-in remedy out, give None as its value"
                )
            taken[_key(name)] = name
            if not callable(getattr(sampler, "fit_resample", None)):
                raise ValueError(
                    f"remedies must be samplers or pipelines with fit_resample. Received: "
                    f"{sampler!r} for {name!r}"
                )
            added.append(Remedy(name, sampler, _trains_gans(sampler)))
    elif isinstance(remedies, Iterable):
        listed = list(remedies)
        names = {find_remedy(name) for name in listed}
        if len(names) < len(listed):
            raise ValueError(f"remedies must name each remedy once. Received: {listed}")
    else:
        raise ValueError(
            f'remedies must be "all", a list of names or a dict. Received: {remedies!r}'
        )
    found = [Remedy(name) for name in PLAIN if name in names]
    found += [remedy for remedy in added if not remedy.slow]
    found += [remedy for remedy in added if remedy.slow]
    if GAN in names:
        found.append(Remedy(GAN, GANOversampler(value_range=value_range), True))
    if not found:
        raise ValueError("remedies must leave one remedy or more. Received: none")
    return found


def seeded(estimator: Any, seed: int) -> Any:
    """Return an unfitted copy of an estimator whose random states are seeds drawn from `seed`."""
    if not hasattr(estimator, "get_params"):
        return copy.deepcopy(estimator)
    fresh = clone(estimator)
    names = [
        name
        for name in fresh.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    ]
    return fresh.set_params(**{name: derive_seed(seed, name) for name in sorted(names)})


def derive_seed(*parts: int | str) -> int:
    """Return a seed that depends on numbers and texts."""
    numbers = [p if isinstance(p, int) else zlib.crc32(p.encode()) for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] % (2**31 - 1))


def gan_samplers(sampler: Any) -> list[GANOversampler]:
    """Return the GANOversampler in a sampler or pipeline."""
    if isinstance(sampler, GANOversampler):
        return [sampler]
    steps = getattr(sampler, "steps", ())
    return [found for _, step in steps for found in gan_samplers(step)]


def _trains_gans(sampler):
    return bool(gan_samplers(sampler))


def _key(name):
    return label_text(name).casefold() if isinstance(name, str) else name


def find_remedy(name: Any) -> str:
    """Return the name of a built-in remedy, given in any case.

    Parameters
    ----------
    name : str
        Name.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is none; the message suggests the closest.

    Examples
    --------
    >>> from melanet.comparison import find_remedy
    >>> find_remedy("smote")
    'SMOTE'
    """
    for known in REMEDIES:
        if _key(name) == _key(known):
            return known
    close = difflib.get_close_matches(str(name), REMEDIES, 1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    raise ValueError(
        f"remedies must be among {join_names(map(repr, REMEDIES))}{hint} Received: {name!r}"
    )


def _takes_images(sampler):
    try:
        tags = get_tags(sampler)
    except Exception:  # any object with fit_resample may be given
        return True
    return bool(tags.input_tags.three_d_array or gan_samplers(sampler))


def _equal(made, X):
    if is_frame(X):
        return is_frame(made) and made.reset_index(drop=True).equals(X.reset_index(drop=True))
    return np.array_equal(made, X)


def _needs(codes):
    """Return code -> number of samples that it lacks to the largest class."""
    counts = np.bincount(codes)
    return {code: int(counts.max() - n) for code, n in enumerate(counts) if n < counts.max()}


def smote(X: Any, codes: NDArray[np.intp], seed: int, categorical: list[int]) -> tuple[Any, Any]:
    """Return SMOTE's new rows and their codes."""
    fewest = int(np.bincount(codes).min())
    if fewest < 2:
        raise NotApplicable("SMOTE needs two training samples of every class")
    options = {"k_neighbors": min(_NEIGHBOURS, fewest - 1), "random_state": seed}
    if not categorical:
        sampler = SMOTE(**options)
    elif len(categorical) < X.shape[1]:
        sampler = SMOTENC(categorical, **options)
    else:
        sampler = SMOTEN(**options)
    made, made_codes = sampler.fit_resample(X, codes)
    return made[len(X) :], np.asarray(made_codes)[len(X) :]


def _smote_rows(data, rows, seed):
    codes = data.codes[rows]
    if isinstance(data.form, ImageForm):
        encoded = data.form.encode(data.take(rows))
        made, made_codes = smote(flatten(encoded), codes, seed, [])
        made = data.form.decode(made.reshape(-1, *encoded.shape[1:]))
    else:
        made, made_codes = smote(data.take(rows), codes, seed, data.categorical)
    return TrainingSet(rows, made, data.classes[made_codes])


def _changed_copies(data, rows, seed):
    if not isinstance(data.form, ImageForm):
        raise NotApplicable("rows of a table cannot be rotated, shifted or zoomed")
    rng, codes = np.random.default_rng(seed), data.codes[rows]
    chosen, made_codes = [], []
    for code, n in _needs(codes).items():
        own = rows[codes == code]
        chosen.append(np.concatenate([rng.permutation(own) for _ in range(-(-n // len(own)))])[:n])
        made_codes += [code] * n
    if not chosen:
        return TrainingSet(rows)
    copies = data.form.encode(data.take(np.concatenate(chosen)))
    made = data.form.decode(Augmentation()(copies, rng))
    return TrainingSet(rows, made, data.classes[made_codes])
