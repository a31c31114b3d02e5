"""The measures of one class, as `quality_report` gives them."""

import math

import numpy as np

from melanet.metrics import _quality_samples
from melanet.metrics._distances import distinct_share, diversity_ratio, nearest_samples
from melanet.metrics._fidelity import kernel_inception_distance, manifold_scores, two_sample_test
from melanet.metrics._verdict import LEAST_RECOGNISED, NEAR_COPY, judge_class

_EXACT = 1 / 255  # half a grey level of 8 bits, in [-1, 1]
_PICTURES = 12  # synthetic samples of each class on the picture page


class ClassComparison:
    """All samples side by side, in the spaces in which they are compared."""

    def __init__(self, samples, codes, given_codes, sources, features, seed, n_folds):
        self.samples, self.codes, self.given_codes, self.seed = samples, codes, given_codes, seed
        self.made_codes = given_codes[samples.kept]
        self.sources = None if sources is None else sources[samples.kept]
        self.features = samples.features(features, seed)
        self.flat = samples.flat()
        self.real_accepted, self.accepted = _quality_samples.cross_fit(
            samples.kind,
            samples.builtin(seed)[0],
            codes,
            samples.builtin(seed)[1],
            self.made_codes,
            self.sources,
            n_folds,
            seed,
        )
        self.between = self._usual_distances()
        self.nearest_any = nearest_samples(self.flat[1], self.flat[0])

    def _usual_distances(self):
        """Median distance between neighbours within each class, from another class if unknown."""
        distances = np.full(self.codes.max() + 1, math.nan)
        self.own_nearest = np.full(len(self.codes), math.inf)
        for code in range(len(distances)):
            rows = np.flatnonzero(self.codes == code)
            if len(rows) > 1:
                self.own_nearest[rows] = nearest_samples(self.flat[0][rows])[0]
                distances[code] = np.median(self.own_nearest[rows])
        known = distances[~np.isnan(distances)]
        return np.where(np.isnan(distances), np.median(known) if len(known) else 0, distances)

    def measure(self, code, k, subset_size, n_subsets):
        """Return the measures of one class, with its verdict."""
        own, made = np.flatnonzero(self.codes == code), np.flatnonzero(self.made_codes == code)
        given = int((self.given_codes == code).sum())
        measures = {"n_real": len(own), "n_synthetic": given, "n_non_finite": given - len(made)}
        measures |= self._recognition(own, made)
        measures |= self._distances(code, own, made, subset_size, n_subsets)
        real, synthetic = self.features[0][own], self.features[1][made]
        measures |= manifold_scores(real, synthetic, k=k)
        measures["two_sample"] = two_sample_test(
            real,
            synthetic,
            classifier=_quality_samples.make_classifier(self.samples.kind, self.seed),
            random_state=self.seed,
        )
        measures |= self._copies(code, own, made)
        measures |= self._sources(code, own, made)
        measures["diversity"] = diversity_ratio(real, synthetic, random_state=self.seed)
        limit = NEAR_COPY * self.between[code]
        measures["distinct"] = distinct_share(self.flat[1][made], limit)
        for name, x, rows in (("constant", 1, made), ("constant_real", 0, own)):
            flat = self.flat[x][rows]
            share = (np.ptp(flat, axis=1) == 0).mean() if len(flat) else math.nan
            # Of a table's row, equal values mean nothing.
            measures[name] = float(share) if self.samples.kind == "images" else math.nan
        measures["verdict"], measures["reasons"] = judge_class(measures)
        return measures

    def _recognition(self, own, made):
        success, real = _mean(self.accepted[made]), _mean(self.real_accepted[own])
        ratio = success / real if real >= LEAST_RECOGNISED else math.nan
        return {"success": success, "success_real": real, "success_ratio": ratio}

    def _distances(self, code, own, made, subset_size, n_subsets):
        options = {"subset_size": subset_size, "n_subsets": n_subsets, "random_state": self.seed}
        real, others = self.features[0][own], self.features[0][self.codes != code]
        kid, sd = kernel_inception_distance(real, self.features[1][made], **options)
        kid_others, sd_others = kernel_inception_distance(real, others, **options)
        # Where the features do not tell the classes apart, the ratio would be one of noise.
        apart = kid_others > 2 * (0 if math.isnan(sd_others) else sd_others)
        return {
            "kid": kid,
            "kid_sd": sd,
            "kid_others": kid_others,
            "kid_ratio": kid / kid_others if apart else math.nan,
        }

    def _near(self, distances, codes):
        return distances <= NEAR_COPY * self.between[codes]

    def _copies(self, code, own, made):
        distances, _ = nearest_samples(self.flat[1][made], self.flat[0][own])
        usual = self.between[code]
        any_distances, any_rows = (part[made] for part in self.nearest_any)
        near = self._near(any_distances, self.codes[any_rows])
        listed = [
            {
                "index": int(self.samples.kept[i]),
                "row": int(row),
                "exact": self._equal(i, row),
                "same_class": bool(self.codes[row] == code),
            }
            for i, row in zip(made[near], any_rows[near])
        ]
        return {
            "nearest": float(np.median(distances) / usual) if len(made) and usual else math.nan,
            "copies": _mean(self._near(distances, code)),
            "copies_real": _mean(self._near(self.own_nearest[own], code)),
            "copy_list": listed,
        }

    def _equal(self, made, row):
        difference = np.abs(self.samples.synthetic[made] - self.samples.real[row]).max()
        return bool(difference <= (_EXACT if self.samples.kind == "images" else 1e-9))

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
            "identity": _mean(self._near(steps, self.codes[sources])),
            "change": float(np.median(steps) / usual) if usual else math.nan,
        }

    def pictures(self, code):
        """Return rows of images to draw, and which of the synthetic ones were recognised."""
        made = np.flatnonzero(self.made_codes == code)
        if len(made) > _PICTURES:
            rng = np.random.default_rng(self.seed)
            made = np.sort(rng.choice(made, _PICTURES, replace=False))
        own = np.flatnonzero(self.codes == code)
        _, nearest = nearest_samples(self.flat[1][made], self.flat[0][own])
        rows = {"synthetic": self.samples.synthetic[made]}
        if self.sources is not None:
            rows = {"source": self.samples.real[self.sources[made]], **rows}
        rows["nearest real"] = self.samples.real[own[nearest]]
        return rows, self.accepted[made] < 0.5


def _rms(differences):
    return np.sqrt(np.mean(differences**2, axis=1))


def _mean(values):
    values = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return float(values.mean()) if len(values) else math.nan
