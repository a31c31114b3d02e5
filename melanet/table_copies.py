"""Rows of a class used once more: each moved towards a near row of the same class."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from melanet.containers import take

_NEIGHBOURS = 5  # SMOTE's default


def near_copies(form, X, samples, y, sources, seed):
    """Return a row between each source and one of its nearest neighbours in its class.

    The neighbours are sought among encoded rows, where no column outweighs the others; the line
    is drawn in the user's own units, as SMOTE (Chawla et al., 2002) draws it.

    Parameters
    ----------
    form : TableForm
        Of the table.
    X : DataFrame, ndarray or sparse matrix of shape (n, n_columns)
        Original rows.
    samples : ndarray of shape (n, width), float32
        The same, encoded.
    y : ndarray of shape (n,)
        Labels.
    sources : ndarray of int of shape (m,)
        Rows that are used once more.
    seed : int
        Seed of the choice.

    Returns
    -------
    ndarray of shape (m, n_columns)
        As `TableForm.decode` returns.
    """
    partners = sources.copy()
    shares = np.zeros(len(sources))
    for code, label in enumerate(np.unique(y)):
        chosen = np.flatnonzero(y[sources] == label)
        own = np.flatnonzero(y == label)
        k = min(_NEIGHBOURS, len(own) - 1)
        if not len(chosen) or not k:
            continue
        # Seeded by the class: what one class gets does not hang on the others.
        rng = np.random.default_rng([seed, code])
        finder = NearestNeighbors(n_neighbors=k).fit(samples[own])
        near = finder.kneighbors(return_distance=False)[np.searchsorted(own, sources[chosen])]
        partners[chosen] = own[near[np.arange(len(chosen)), rng.integers(k, size=len(chosen))]]
        shares[chosen] = rng.uniform(size=len(chosen))
    return form.between(take(X, sources), take(X, partners), shares)
