"""A guard against failed translations: unchanged, constant or collapsed ones."""

from typing import Any

import numpy as np

from melanet.metrics._distances import diversity_ratio, nearest_samples
from melanet.metrics._verdict import DIVERSITY_AVOID, NEAR_COPY, SUCCESS_AVOID

_MAX_SOURCES = 300  # of which neighbours are sought; enough for a median
_ALARM = 0.2  # share of failed translations that is worth a warning


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
        self._real = _flatten(real)
        few = _flatten(sources[:: -(-len(sources) // _MAX_SOURCES)])
        distances = nearest_samples(few)[0]
        usual = float(np.median(distances)) if np.isfinite(distances).all() else 0.0
        self._min_change = NEAR_COPY * usual

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

    def collapsed(self, translations: np.ndarray) -> float | None:
        """Return the diversity of translations over that of the class, None if it is sufficient.

        Parameters
        ----------
        translations : ndarray of shape (n, *sample_shape)
            Finite values.

        Returns
        -------
        float or None
        """
        if len(translations) < 2:
            return None
        ratio = diversity_ratio(self._real, _flatten(translations), random_state=0)
        return ratio if ratio < DIVERSITY_AVOID else None


def describe_failures(
    n: int, *, unchanged: int = 0, refused: int = 0, diversity: float | None = None
) -> str | None:
    """Describe what is wrong with the translations into a class.

    Parameters
    ----------
    n : int
        Number of first attempts.
    unchanged, refused : int, default=0
        Number of them that the guard and the judge rejected.
    diversity : float or None, default=None
        Result of `Guard.collapsed`.

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
    if diversity is not None:
        problems.append(f"they are only {diversity:.2f} times as diverse as the real samples")
    return "; ".join(problems) or None


def _flatten(samples: Any) -> np.ndarray:
    return np.asarray(samples, "float64").reshape(len(samples), -1)
