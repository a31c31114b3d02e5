"""Measures of the synthetic samples of a class, for `quality_report`."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melanet.images import difference_map
from melanet.metrics._distances import distinct_share, diversity_ratio, nearest_samples
from melanet.metrics._fidelity import kernel_inception_distance, manifold_scores, two_sample_test
from melanet.metrics._quality_samples import SampleSets
from melanet.metrics._recognition import assign_folds, cross_recognise, make_classifier
from melanet.metrics._translation_measures import translation_measures
from melanet.metrics._verdict import LEAST_RECOGNISED, NEAR_COPY, UNCHANGED, judge_class

_EXACT_IMAGE = 1 / 255  # half a grey level of 8 bits, in [-1, 1]
_EXACT_TABLE = 1e-9
_SHOWN = 12  # synthetic samples of each class on the picture page


class SetComparison:
    """Comparison of all real and synthetic samples, by features, pixels and classifiers.

    Parameters
    ----------
    samples : SampleSets
        Samples.
    codes : ndarray of int
        Classes of the real samples.
    given_codes : ndarray of int
        Classes of the user's synthetic samples, including those that are not finite.
    sources : ndarray of int or None
        Row of the real samples that each of the user's synthetic samples was made from.
    features : None, "pixels" or callable
        Features, as for `quality_report`.
    n_folds : int
        Number of classifiers for the recognition.
    seed : int
        Seed.
    """

    def __init__(
        self,
        samples: SampleSets,
        codes: NDArray[np.intp],
        given_codes: NDArray[np.intp],
        sources: NDArray[np.intp] | None,
        features: Any,
        n_folds: int,
        seed: int,
    ):
        self.samples, self.codes, self.given_codes, self.seed = samples, codes, given_codes, seed
        self.synthetic_codes = given_codes[samples.kept]
        self.sources = None if sources is None else sources[samples.kept]
        self.features = samples.features(features, seed)
        self.flat = samples.flat()
        self._unchanged = UNCHANGED if samples.kind == "images" else NEAR_COPY
        self.classifier = make_classifier(samples.kind, seed)
        real, synthetic = samples.builtin(seed)
        folds = assign_folds(codes, min(n_folds, int(np.bincount(codes).max())), seed)
        self.real_recognised, self.recognised = cross_recognise(
            self.classifier, real, codes, folds, synthetic, self.synthetic_codes, self.sources
        )
        self.usual = self._usual_distances()
        self.nearest_any = nearest_samples(self.flat[1], self.flat[0])

    def _usual_distances(self):
        """Return each class's median distance between neighbours.

        A class of one sample gets the median of the other classes.
        """
        distances = np.full(self.codes.max() + 1, math.nan)
        self.nearest_own = np.full(len(self.codes), math.inf)
        for code in range(len(distances)):
            rows = np.flatnonzero(self.codes == code)
            if len(rows) > 1:
                self.nearest_own[rows] = nearest_samples(self.flat[0][rows])[0]
                distances[code] = np.median(self.nearest_own[rows])
        known = distances[~np.isnan(distances)]
        return np.where(np.isnan(distances), np.median(known) if len(known) else 0, distances)

    def measure(self, code: int, k: int, subset_size: int, n_subsets: int) -> dict[str, Any]:
        """Return the measures and the verdict of a class.

        Parameters
        ----------
        code : int
            Class.
        k : int
            Number of neighbours, see `manifold_scores`.
        subset_size, n_subsets : int
            Subsets, see `kernel_inception_distance`.

        Returns
        -------
        dict
            See `quality_report`.
        """
        own, made = np.flatnonzero(self.codes == code), np.flatnonzero(self.synthetic_codes == code)
        given = int((self.given_codes == code).sum())
        measures: dict[str, Any] = {
            "n_real": len(own),
            "n_synthetic": given,
            "n_non_finite": given - len(made),
        }
        measures |= self._recognition(own, made)
        measures |= self._distances(code, own, made, subset_size, n_subsets)
        real, synthetic = self.features[0][own], self.features[1][made]
        measures |= manifold_scores(real, synthetic, k=k)
        measures["two_sample"] = two_sample_test(
            real,
            synthetic,
            classifier=self.classifier,
            random_state=self.seed,
        )
        measures |= self._copies(code, own, made)
        measures |= self._sources(code, own, made)
        measures["diversity"] = diversity_ratio(real, synthetic, random_state=self.seed)
        limit = NEAR_COPY * self.usual[code]
        measures["distinct"] = distinct_share(self.flat[1][made], limit)
        for name, x, rows in (("constant", 1, made), ("constant_real", 0, own)):
            flat = self.flat[x][rows]
            share = (np.ptp(flat, axis=1) == 0).mean() if len(flat) else math.nan
            # In a row of a table, equal values mean nothing.
            measures[name] = float(share) if self.samples.kind == "images" else math.nan
        measures["verdict"], measures["reasons"] = judge_class(measures)
        return measures

    def _recognition(self, own, made):
        success, real = _mean(self.recognised[made]), _mean(self.real_recognised[own])
        ratio = success / real if real >= LEAST_RECOGNISED else math.nan
        return {"success": success, "success_real": real, "success_ratio": ratio}

    def _distances(self, code, own, made, subset_size, n_subsets):
        options = {"subset_size": subset_size, "n_subsets": n_subsets, "random_state": self.seed}
        real, others = self.features[0][own], self.features[0][self.codes != code]
        kid, sd = kernel_inception_distance(real, self.features[1][made], **options)
        kid_others, sd_others = kernel_inception_distance(real, others, **options)
        # If the features do not separate the classes, the ratio would be noise.
        separated = kid_others > 2 * (0 if math.isnan(sd_others) else sd_others)
        return {
            "kid": kid,
            "kid_sd": sd,
            "kid_others": kid_others,
            "kid_ratio": kid / kid_others if separated else math.nan,
        }

    def _near(self, distances, codes):
        return distances <= NEAR_COPY * self.usual[codes]

    def _copies(self, code, own, made):
        distances, _ = nearest_samples(self.flat[1][made], self.flat[0][own])
        usual = self.usual[code]
        copied = self._near(distances, code)
        changed = math.nan
        if self.sources is not None:
            changed = _mean(~copied & (self.codes[self.sources[made]] == code))
        any_distances, any_rows = (values[made] for values in self.nearest_any)
        near = self._near(any_distances, self.codes[any_rows])
        listed = [
            {
                "index": int(self.samples.kept[i]),
                "row": int(row),
                "exact": self._is_exact(i, row),
                "same_class": bool(self.codes[row] == code),
            }
            for i, row in zip(made[near], any_rows[near])
        ]
        return {
            "nearest": float(np.median(distances) / usual) if len(made) and usual else math.nan,
            "copies": _mean(copied),
            "changed_copies": changed,
            "copies_real": _mean(self._near(self.nearest_own[own], code)),
            "copy_list": listed,
        }

    def _is_exact(self, i, row):
        difference = np.abs(self.samples.synthetic[i] - self.samples.real[row]).max()
        return bool(difference <= (_EXACT_IMAGE if self.samples.kind == "images" else _EXACT_TABLE))

    def _sources(self, code, own, made):
        if self.sources is None:
            return {"n_translations": None, "identity": math.nan, "change": math.nan}
        made = made[self.codes[self.sources[made]] != code]
        sources = self.sources[made]
        steps = _rms(self.flat[1][made] - self.flat[0][sources])
        rng = np.random.default_rng(self.seed)
        pairs = self.flat[0][sources] - self.flat[0][rng.choice(own, len(sources))]
        usual = np.median(_rms(pairs)) if len(made) else 0
        return {
            "n_translations": len(made),
            "identity": _mean(steps <= self._unchanged * self.usual[self.codes[sources]]),
            "change": float(np.median(steps) / usual) if usual else math.nan,
            **self._towards_class(own, made, sources),
        }

    def _towards_class(self, own, made, sources):
        if self.samples.kind == "table":
            return {}
        others = np.flatnonzero(np.isin(self.codes, np.unique(self.codes[sources])))
        return translation_measures(
            self.features[0][own],
            self.features[0][others],
            self.features[1][made],
            np.searchsorted(others, sources),
            random_state=self.seed,
        )

    def pictures(self, code: int) -> tuple[dict[str, np.ndarray], NDArray[np.bool_]]:
        """Return the images of a class for the picture page.

        Parameters
        ----------
        code : int
            Class.

        Returns
        -------
        rows : dict
            Name of a row -> images of shape (n, H, W, C) in [-1, 1].
        framed : ndarray of bool of shape (n,)
            Whether each synthetic image was not recognised as the class.
        """
        made = np.flatnonzero(self.synthetic_codes == code)
        if len(made) > _SHOWN:
            rng = np.random.default_rng(self.seed)
            made = np.sort(rng.choice(made, _SHOWN, replace=False))
        own = np.flatnonzero(self.codes == code)
        _, nearest = nearest_samples(self.flat[1][made], self.flat[0][own])
        rows = {"synthetic": self.samples.synthetic[made]}
        if self.sources is not None:
            rows = {"source": self.samples.real[self.sources[made]], **rows}
        if self.sources is not None:
            rows["edit"] = difference_map(rows["source"], rows["synthetic"])
        rows["nearest real"] = self.samples.real[own[nearest]]
        return rows, self.recognised[made] < 0.5


def _rms(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.mean(differences**2, axis=1))


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN."""
    values = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return float(values.mean()) if len(values) else math.nan
