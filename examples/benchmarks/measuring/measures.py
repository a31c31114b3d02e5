"""Measures of translations: class evidence, realism, nuisances kept, copies.

>>> bench = open_bench("isic2016", 64, "photographs")  # doctest: +SKIP
>>> measure(translations, source_rows, bench)  # doctest: +SKIP
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from measuring import data as photographs
from measuring import oracles
from measuring.nuisances import kept, structural_similarity
from measuring.oracles import LinearOracle, SmallNetwork
from measuring.pretrained import Features
from measuring.realism import told_from
from melanet.utils._files import atomic_path

WORTH = 0.65  # an oracle of a lower AUC on real pictures counts for nothing
_RESAMPLES = 1000


@dataclass
class Bench:
    """Pictures of a data set and side, the oracles, and the outside features.

    Parameters
    ----------
    X : ndarray of shape (n, side, side, c), uint8
        The sampler's training pictures.
    y : ndarray of shape (n,), bool
        Whether a picture is of the rare class.
    unseen : ndarray of shape (m, side, side, c), uint8
        Real pictures of the rare class that the sampler has not seen.
    oracles : list of callables
        Functions of pictures that return P(rare class), with a ``name``; they have learnt from
        pictures that the sampler has not seen.
    features : callable
        Function of pictures that returns an array (n, d).
    outside : tuple of str
        Networks that may serve neither sampler nor guard of this run.
    weights : str or path-like
        Folder of the networks' weights.
    """

    X: np.ndarray
    y: np.ndarray
    unseen: np.ndarray
    oracles: list
    features: object
    outside: tuple = ()
    weights: object = "."
    _cache: dict = field(default_factory=dict, repr=False)

    @property
    def rare(self):
        """The sampler's pictures of the rare class."""
        return self.X[self.y]

    @cached_property
    def chances(self):
        """P(rare class) of the sampler's pictures, by oracle."""
        return {oracle.name: oracle(self.X) for oracle in self.oracles}

    @cached_property
    def aucs(self):
        """AUC on the sampler's pictures, which no oracle has seen, by oracle."""
        return {name: float(roc_auc_score(self.y, p)) for name, p in self.chances.items()}

    @cached_property
    def scale(self):
        """Mean and standard deviation of the features of the sampler's pictures.

        A feature that hardly varies among them, as one that a rectifier cuts off, counts as if it
        varied by a tenth of the median: divided by its own deviation it would outweigh all others.
        """
        values = self.features(self.X).astype("float64")
        sd = values.std(axis=0)
        return values.mean(axis=0), np.maximum(sd, 0.1 * np.median(sd))

    def standardised(self, images):
        """Return features of mean 0 and standard deviation 1 over the sampler's pictures."""
        mean, sd = self.scale
        return (self.features(images) - mean) / sd


def measure(translations, source_rows, data):
    """Measure translations against their sources and real pictures.

    Parameters
    ----------
    translations : ndarray of shape (n, side, side, c), uint8
        All pictures that a sampler returned as translations.
    source_rows : ndarray of int of shape (n,)
        Row of `data.X` that each was made from.
    data : Bench
        Pictures, oracles and features of the data set and side.

    Returns
    -------
    dict
        JSON-serializable figures: ``n``; by oracle ``evidence`` (its value and 95 % interval) and
        ``towards``, the share that moved towards the class; ``realism``, ``kid``, ``kept``,
        ``similarity``, ``copied``, ``own``, and ``change``, the mean absolute difference of 255.
        ``kept``, ``similarity`` and ``change`` are of each source's first use: later ones are
        mirrored, rotated or shifted before they are translated.
    """
    translations, source_rows = np.asarray(translations), np.asarray(source_rows, int)
    if translations.shape[1:] != data.X.shape[1:] or translations.dtype != np.uint8:
        raise ValueError(
            f"translations must be uint8 pictures of shape (n, {data.X.shape[1:]}). "
            f"Received: {translations.dtype} of shape {translations.shape}"
        )
    sources = data.X[source_rows]
    first = np.unique(source_rows, return_index=True)[1]
    difference = np.abs(translations.astype("float32") - sources)[first]
    return {
        "n": len(translations),
        "change": float(difference.mean()),
        "oracles": {
            oracle.name: _evidence(oracle, translations, source_rows, data)
            for oracle in data.oracles
        },
        "realism": _realism(translations, source_rows, data),
        "kid": _kid(translations, data),
        "kept": kept(sources[first], translations[first]),
        "similarity": float(structural_similarity(sources[first], translations[first]).mean()),
        **_copies(translations, sources, data),
    }


def _evidence(oracle, translations, source_rows, data):
    """Return how far P(rare class) moves from the sources to the real pictures of the class."""
    before, after = data.chances[oracle.name][source_rows], oracle(translations)
    real = data.chances[oracle.name][data.y]
    value = _share_of_way(before, after, real)
    rng = np.random.default_rng(0)
    unique = np.unique(source_rows)
    rows_of = [np.flatnonzero(source_rows == row) for row in unique]
    values = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([rows_of[i] for i in rng.integers(len(unique), size=len(unique))])
        drawn = real[rng.integers(len(real), size=len(real))]
        values.append(_share_of_way(before[rows], after[rows], drawn))
    low, high = np.percentile(values, [2.5, 97.5])
    return {
        "auc": data.aucs[oracle.name],
        "counts": data.aucs[oracle.name] >= WORTH,
        "sources": float(before.mean()),
        "translations": float(after.mean()),
        "real": float(real.mean()),
        "evidence": value,
        "low": float(low),
        "high": float(high),
        "towards": float((after > before).mean()),
    }


def _share_of_way(before, after, real):
    return float((after.mean() - before.mean()) / (real.mean() - before.mean()))


def _realism(translations, source_rows, data):
    """Return AUCs against the sampler's rare pictures, unseen ones, and the higher of both."""
    copies, copied_rows = _augmented_copies(data, len(translations))
    rows = np.unique(source_rows)
    made = {
        "translations": (translations, source_rows),
        "sources": (data.X[rows], rows),
        "augmented copies": (copies, copied_rows),
    }
    real = {
        "seen": (data.rare, np.flatnonzero(data.y)),
        "unseen": (data.unseen, -1 - np.arange(len(data.unseen))),
    }
    found = {}
    for name, (images, groups) in made.items():
        # The reference figures depend on nothing but the bench and the sources.
        key = (name, groups.tobytes()) if name != "translations" else None
        if key not in data._cache or key is None:
            values = {
                part: told_from(data.features(pictures), data.features(images), own_groups, groups)
                for part, (pictures, own_groups) in real.items()
            }
            data._cache[key] = {**values, "auc": max(values.values())}
        found[name] = data._cache[key]
    return found


def _augmented_copies(data, n):
    """Return n mild changes of rare pictures and the rows that they were made from."""
    from melanet.images import Augmentation

    rng = np.random.default_rng(0)
    rows = np.resize(rng.permutation(np.flatnonzero(data.y)), n)
    flip = "both" if data.X.shape[-1] == 3 else "horizontal"
    changed = Augmentation(flip=flip)(data.X[rows].astype("float32") / 127.5 - 1, rng)
    return np.rint((changed + 1) * 127.5).astype(np.uint8), rows


def _kid(translations, data):
    from melanet.metrics import kernel_inception_distance

    real = data.standardised(data.unseen)
    made = {"translations": translations, "common": data.X[~data.y], "rare": data.rare}
    return {
        name: kernel_inception_distance(real, data.standardised(images), random_state=0)[0]
        for name, images in made.items()
    }


def _copies(translations, sources, data):
    """Return the copied ratio, and the share more like their source than any rare picture.

    Pixels are compared, not features: in these, common pictures are nearer to rare ones than
    unseen rare pictures are.
    """
    from melanet.metrics import nearest_samples

    def flat(images):
        return images.reshape(len(images), -1) / 255.0

    rare, made = flat(data.rare), flat(translations)
    to_rare, _ = nearest_samples(made, rare)
    of_unseen, _ = nearest_samples(flat(data.unseen), rare)
    to_source = np.sqrt(((made - flat(sources)) ** 2).mean(axis=1))
    return {
        "copied": float(np.median(to_rare) / np.median(of_unseen)),
        "own": float((to_source < to_rare).mean()),
    }


def open_bench(data, side, out, *, final=False, outside="efficientnet-lite0", weights=None):
    """Return the bench of a data set and side; oracles and features are kept under `out`.

    Parameters
    ----------
    data : str
        Name of a data set, or a folder; see `measuring.data.load_parts`.
    side : int
        Side of the pictures.
    out : str or path-like
        Folder of the cache.
    final : bool
        Divide for the last table.
    outside : str
        Network of the first oracle and the realism features; a key of `PACKAGES`.
    weights : str or path-like or None
        Folder of the networks' weights; None takes one under `out`, which pip fills.
    """
    out = Path(out)
    parts = photographs.load_parts(data, side, final)
    weights = Path(weights or out / "weights")
    features = Features(outside, weights)
    folder = out / "cache" / f"{photographs.find_folder(data).name}-{side}"
    folder.mkdir(parents=True, exist_ok=True)
    everything = np.concatenate([parts.X, parts.oracle_X])
    key = _digest(everything)
    path = folder / f"{outside}-{key}.npy"
    if path.exists():
        features.remember(everything, np.load(path))
    else:
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.save(file, features(everything))
    code = Path(oracles.__file__).read_text()
    network = SmallNetwork(parts.X.shape[1:])
    path = folder / f"small-network-{_digest(parts.oracle_X, parts.oracle_y, code)}.npz"
    if path.exists():
        with np.load(path) as file:
            network.model.set_weights([file[name] for name in file.files])
    else:
        network.fit(parts.oracle_X, parts.oracle_y)
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.savez(file, *network.model.get_weights())
    linear = LinearOracle(features, parts.oracle_X, parts.oracle_y)
    unseen = parts.oracle_X[parts.oracle_y]
    return Bench(parts.X, parts.y, unseen, [linear, network], features, (outside,), weights)


def _digest(*values):
    """Return a short hash of arrays and settings."""
    sha = hashlib.sha256()
    for value in values:
        sha.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return sha.hexdigest()[:12]
