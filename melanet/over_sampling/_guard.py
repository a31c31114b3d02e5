"""The guard: tells translations that are none, whatever a judge says of them."""

import numpy as np

from melanet.metrics._distances import diversity_ratio, nearest_samples
from melanet.metrics._verdict import DIVERSITY_AVOID, NEAR_COPY, SUCCESS_AVOID

_MOST_SOURCES = 300  # of which neighbours are sought: enough for a median
_ALARM = 0.2  # share of failed translations that is worth a warning


class Guard:
    """Watches the translations into one class.

    Parameters
    ----------
    sources : ndarray of shape (n, *sample_shape)
        Real samples that are translated.
    own : ndarray of shape (m, *sample_shape)
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

    def __init__(self, sources, own):
        self._own = _flat(own)
        few = _flat(sources[:: -(-len(sources) // _MOST_SOURCES)])
        usual = nearest_samples(few)[0]
        usual = float(np.median(usual)) if np.isfinite(usual).all() else 0.0
        self._least_change = NEAR_COPY * usual

    def passes(self, made, sources):
        """Tell which translations are finite, not of one value, and no copies of their sources.

        Parameters
        ----------
        made, sources : ndarray of shape (n, *sample_shape)
            Translations, and what each was made from.

        Returns
        -------
        ndarray of bool of shape (n,)
        """
        flat, origin = _flat(made), _flat(sources)
        change = np.sqrt(np.mean((flat - origin) ** 2, axis=1))
        dull = (np.ptp(flat, axis=1) == 0) & (np.ptp(origin, axis=1) > 0)
        return np.isfinite(change) & ~dull & ~(change < self._least_change)

    def collapsed(self, made):
        """Return the diversity of translations over that of the class, None if it is enough.

        Parameters
        ----------
        made : ndarray of shape (n, *sample_shape)
            Finite.

        Returns
        -------
        float or None
        """
        if len(made) < 2:
            return None
        ratio = diversity_ratio(self._own, _flat(made), random_state=0)
        return ratio if ratio < DIVERSITY_AVOID else None


def describe_failures(n, *, unchanged=0, refused=0, diversity=None):
    """Say what is wrong with the translations into a class, None if nothing much is.

    Parameters
    ----------
    n : int
        Number of first attempts.
    unchanged, refused : int
        Of them, those that the guard and the judge did not let pass.
    diversity : float or None
        As from `Guard.collapsed`.

    Returns
    -------
    str or None
    """
    found = []
    if unchanged >= _ALARM * n > 0:
        found.append(f"{unchanged / n:.0%} of the translations hardly differ from their sources")
    if refused > (1 - SUCCESS_AVOID) * n:
        found.append(f"{refused / n:.0%} are not recognised as the class")
    if diversity is not None:
        found.append(f"they are only {diversity:.2f} times as diverse as the real samples")
    return "; ".join(found) or None


def _flat(samples):
    return np.asarray(samples, "float64").reshape(len(samples), -1)
