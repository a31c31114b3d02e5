"""A guard against failed translations: unchanged, constant, collapsed, or not of the class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from melanet.images._transform import downscale
from melanet.metrics._distances import diversity_ratio, nearest_samples
from melanet.metrics._patch_features import PatchFeatures
from melanet.metrics._translation_measures import translation_measures
from melanet.metrics._verdict import (
    DIVERSITY_AVOID,
    EVIDENCE_CARE,
    NEAR_COPY,
    SUCCESS_AVOID,
    UNCHANGED,
    translation_failures,
)

_MAX_SOURCES = 300  # of which neighbours are sought; enough for a median
_ALARM = 0.2  # share of failed translations that is worth a warning


class GuardFeatures:
    """Features of images, from filters that are learnt on real images without labels.

    Parameters
    ----------
    sources : ndarray of shape (n, H, W, C)
        Images that are translated.
    real : ndarray of shape (m, H, W, C)
        Real images of the class.

    Attributes
    ----------
    sources, real : ndarray of shape (n, d) and (m, d)
        Their features, see `PatchFeatures`.
    """

    def __init__(self, sources: np.ndarray, real: np.ndarray):
        self._network = PatchFeatures()
        both = np.concatenate([downscale(sources), downscale(real)])
        features = self._network.fit_transform(both)
        self.sources, self.real = features[: len(sources)], features[len(sources) :]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the features of other images, an ndarray of shape (k, d)."""
        return self._network.transform(downscale(images))


class Guard:
    """Check the translations into one class.

    Parameters
    ----------
    sources : ndarray of shape (n, *sample_shape)
        Real samples that are translated.
    real : ndarray of shape (m, *sample_shape)
        Real samples of the class.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.over_sampling._guard import Guard
    >>> sources = np.random.default_rng(0).uniform(-1, 1, (20, 4))
    >>> guard = Guard(sources, -sources[:5])
    >>> bool(guard.passes(sources, sources).any()), bool(guard.passes(-sources, sources).all())
    (False, True)
    """

    def __init__(self, sources: np.ndarray, real: np.ndarray):
        self._real = np.asarray(real)
        few = _flatten(sources[:: -(-len(sources) // _MAX_SOURCES)])
        distances = nearest_samples(few)[0]
        usual = float(np.median(distances)) if np.isfinite(distances).all() else 0.0
        self._min_change = (NEAR_COPY if self._real.ndim == 2 else UNCHANGED) * usual

    def passes(self, translations: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Return which translations are finite, not constant, and no copies of their sources.

        Parameters
        ----------
        translations, sources : ndarray of shape (n, *sample_shape)
            Translations and the samples that they were made from.

        Returns
        -------
        ndarray of bool of shape (n,)
        """
        flat, origin = _flatten(translations), _flatten(sources)
        change = np.sqrt(np.mean((flat - origin) ** 2, axis=1))
        constant = (np.ptp(flat, axis=1) == 0) & (np.ptp(origin, axis=1) > 0)
        return np.isfinite(change) & ~constant & ~(change < self._min_change)

    def measure(self, translations: np.ndarray, sources: np.ndarray) -> dict[str, float]:
        """Measure class evidence and realism of translations of images.

        Parameters
        ----------
        translations, sources : ndarray of shape (n, *sample_shape)
            Finite translations and the samples that they were made from.

        Returns
        -------
        dict
            See `translation_measures`, on `PatchFeatures`; measures that are undefined are left
            out. Empty for rows of a table.
        """
        if self._real.ndim == 2 or not len(translations):
            return {}
        features = GuardFeatures(sources, self._real)
        made, rows = features(translations), np.arange(len(translations))
        measures = translation_measures(features.real, features.sources, made, rows, random_state=0)
        return {name: value for name, value in measures.items() if np.isfinite(value)}

    def diversity(self, translations: np.ndarray) -> dict[str, float]:
        """Measure the diversity of translations, relative to the class.

        Parameters
        ----------
        translations : ndarray of shape (n, *sample_shape)
            Finite values.

        Returns
        -------
        dict
            ``diversity``, see `diversity_ratio`; empty if it is undefined.
        """
        if len(translations) < 2:
            return {}
        real, made = _flatten(self._real), _flatten(translations)
        ratio = diversity_ratio(real, made, random_state=0)
        return {"diversity": ratio} if np.isfinite(ratio) else {}


def reasons_to_refuse(measures: Mapping[str, float]) -> list[str]:
    """Return why all translations into a class are to be refused, by `Guard`'s measures."""
    reasons = translation_failures(measures)
    diversity = measures.get("diversity", 1.0)
    if diversity < DIVERSITY_AVOID:
        reasons.append(f"they are only {diversity:.2f} times as diverse as the real samples")
    return reasons


def describe_failures(
    n: int, *, unchanged: int = 0, refused: int = 0, measures: Mapping[str, float] | None = None
) -> str | None:
    """Describe what is wrong with the translations into a class.

    Parameters
    ----------
    n : int
        Number of first attempts.
    unchanged, refused : int, default=0
        Number of them that the guard and the judge rejected.
    measures : dict or None, default=None
        `Guard`'s measures.

    Returns
    -------
    str or None
        None if too few failed to warn about.
    """
    problems = []
    if unchanged >= _ALARM * n > 0:
        problems.append(f"{unchanged / n:.0%} of the translations hardly differ from their sources")
    if refused > (1 - SUCCESS_AVOID) * n:
        problems.append(f"{refused / n:.0%} are not recognised as the class")
    serious = reasons_to_refuse(measures or {})
    evidence = (measures or {}).get("evidence", 1.0)
    if evidence < EVIDENCE_CARE and not serious:
        problems.append(f"they carry only {evidence:.2f} of the evidence of the class")
    problems += serious
    if problems and problems[0].startswith("they "):
        problems[0] = problems[0].replace("they", "the translations", 1)
    return "; ".join(problems) or None


def _flatten(samples: Any) -> np.ndarray:
    return np.asarray(samples, "float64").reshape(len(samples), -1)
