"""Check the advice of `melanet.compare` where the best remedy is known by construction.

Draws tables of two overlapping classes, compares remedies, and counts
how often the advice names a right one. In each scenario one fact is built in:

- "nothing": balanced classes; no remedy can help.
- "threshold": rare class, the model that is true; ranks cannot improve, decisions at .5 can.
- "gain": rare class, many columns for its samples; one remedy adds true further samples of it.
- "harm": rare class; one remedy adds samples from the wrong side of the common class.
- "noise in folds": three remedies alone, each of which trains on a random half of the rows, drawn
  anew in each fold. They are equal, and any difference that is named is a false alarm.
- "noise in data": the same with halves that are drawn once for all folds, so that a remedy that
  is lucky is so in all of them.

The rule was adjusted on seeds from 1000 on; the figures in docs/compare.md are for seeds from 0.
"""

from helping.start import check_start

check_start()  # before Keras is imported

import argparse
import time
import zlib
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

import melanet
from melanet.metrics._paired_differences import LEVEL

SHIFT = 1.4  # of the rare class, along the first column
FAR = 1.5  # times that where much is to be learnt
NOTHING, THRESHOLD, WEIGHTS = "nothing", "nothing, tuned threshold", "class weights"
OVER, UNDER, SMOTE = "random over-sampling", "random under-sampling", "SMOTE"
PLAIN = (NOTHING, THRESHOLD, WEIGHTS, UNDER, OVER, SMOTE)
HALVES = ("half a", "half b", "half c")
FALSE_ALARMS = ("noise in folds", "noise in data")
MEASURED = ("auc", "balanced_accuracy")
# Numbers of common and rare samples and of columns, and the right answers by ranks and by
# decisions. Class weights and over-sampling move the threshold as well as tuning it does.
# Seeds depend on the order.
SCENARIOS = {
    "gain": ((1000, 150, 40), {"further samples"}, {"further samples"}),
    "harm": ((900, 150, 10), {NOTHING}, {THRESHOLD, WEIGHTS, OVER}),
    "nothing": ((300, 300, 10), {NOTHING}, {NOTHING}),
    "threshold": ((900, 150, 10), {NOTHING}, {THRESHOLD, WEIGHTS, OVER}),
    "noise in folds": ((300, 100, 10), {HALVES[0]}, {HALVES[0]}),
    "noise in data": ((300, 100, 10), {HALVES[0]}, {HALVES[0]}),
}


# It estimates a covariance of each class, so that more samples, or other ones, matter.
ESTIMATORS = dict.fromkeys(("gain", *FALSE_ALARMS), QuadraticDiscriminantAnalysis())


def draw(rng, n, n_columns, side):
    X = rng.normal(size=(n, n_columns))
    X[:, 0] += side * SHIFT
    return X


class Adds:
    """Sampler that adds new draws to the rare class until the classes are equal."""

    def __init__(self, rng, side):
        self.rng, self.side = rng, side

    def fit_resample(self, X, y):  # noqa: D102
        n = int((y == 0).sum() - (y == 1).sum())
        return np.r_[X, draw(self.rng, n, X.shape[1], self.side)], np.r_[y, np.ones(n, y.dtype)]


class Half(BaseEstimator):
    """Sampler that keeps each row with a probability of a half.

    With a text, which rows these are depends on it and on the row alone, not on the fold.
    """

    def __init__(self, text=None, random_state=None):
        self.text, self.random_state = text, random_state

    def fit_resample(self, X, y):  # noqa: D102
        if self.text is None:
            kept = np.random.default_rng(self.random_state).random(len(X)) < 0.5
        else:
            kept = np.array([zlib.crc32(self.text.encode() + row.tobytes()) % 2 for row in X]) == 1
        self.sample_indices_ = np.flatnonzero(kept)
        return X[kept], y[kept]


class Drawn(NamedTuple):
    """The choices of one draw, and by measure p-values of remedies without an effect, and names.

    The names are those of remedies that differ significantly from the first.
    """

    scenario: str
    ranking: str
    decision: str
    p_values: list
    different: list


def one_draw(scenario, seed):
    """Draw a table, compare, and return what was found."""
    rng = np.random.default_rng([seed, list(SCENARIOS).index(scenario)])
    (n_common, n_rare, n_columns), _, _ = SCENARIOS[scenario]
    side = FAR if scenario == "gain" else 1
    X = np.r_[draw(rng, n_common, n_columns, 0), draw(rng, n_rare, n_columns, side)]
    y = np.repeat([0, 1], [n_common, n_rare])
    remedies = {"GANOversampler": None, "changed copies": None, "SMOTE of features": None}
    if scenario == "gain":
        remedies["further samples"] = Adds(rng, side)
    elif scenario == "harm":
        remedies["wrong samples"] = Adds(rng, -1)
    elif scenario in FALSE_ALARMS:
        remedies |= dict.fromkeys(PLAIN)
        in_data = scenario == "noise in data"
        remedies |= {name: Half(f"{name} {seed}" if in_data else None) for name in HALVES}
    model = ESTIMATORS.get(scenario, GaussianNB())
    found = melanet.compare(X, y, {"model": model}, remedies=remedies, random_state=seed)
    rows = found.rows("model")
    without_effect = (OVER, WEIGHTS, *HALVES[1:])
    return Drawn(
        scenario,
        *found.best_["model"].values(),
        [
            [float(row[f"{measure}_p"]) for row in rows if row["remedy"] in without_effect]
            for measure in MEASURED
        ],
        [[row["remedy"] for row in rows if row[f"{m}_p_holm"] < LEVEL] for m in MEASURED],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--n-jobs", type=int, default=2)
    arguments = parser.parse_args()
    start = time.time()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.draws)
    results = joblib.Parallel(arguments.n_jobs)(
        joblib.delayed(one_draw)(scenario, seed)
        for scenario in arguments.scenarios
        for seed in seeds
    )
    print("| scenario | right by ranks | right by decisions | named by decisions |")
    print("|---|---|---|---|")
    notes = []
    for scenario in arguments.scenarios:
        _, by_ranks, by_decisions = SCENARIOS[scenario]
        own = [result for result in results if result.scenario == scenario]
        ranks = sum(result.ranking in by_ranks for result in own)
        # "SMOTE with a tuned threshold" is SMOTE.
        decided = [result.decision.removesuffix(" with a tuned threshold") for result in own]
        right = sum(decision in by_decisions for decision in decided)
        named = {name: decided.count(name) for name in sorted(set(decided), key=decided.count)}
        shown = ", ".join(f"{name} {n}" for name, n in reversed(named.items()))
        print(f"| {scenario} | {ranks} of {len(own)} | {right} of {len(own)} | {shown} |")
        if scenario == "harm":
            told = sum("wrong samples" in result.different[0] for result in own)
            notes.append(f"{scenario}: the remedy is called worse in {told} of {len(own)} draws")
        for i, measure in enumerate(MEASURED if scenario in FALSE_ALARMS else MEASURED[:1]):
            if scenario not in ("nothing", "threshold", *FALSE_ALARMS):
                continue
            noise = np.array([p for result in own for p in result.p_values[i]])
            line = f"{scenario}, {measure}: uncorrected p < {LEVEL} of remedies without an effect: "
            line += f"{(noise < LEVEL).sum()} of {len(noise)}"
            if scenario in FALSE_ALARMS:
                alarms = sum(bool(result.different[i]) for result in own)
                line += f"; one or more differ after Holm's correction: {alarms} of {len(own)}"
            notes.append(line)
    print("", *notes, sep="\n")
    print(f"\n{len(results)} draws in {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
