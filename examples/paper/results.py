"""From the scores of all runs to the tables: means, intervals, paired differences."""

import csv
from pathlib import Path

import numpy as np
from arms import AGAINST, ARMS
from intervals import MEASURES, bootstrap_weights, measures, percentiles

from melanet.metrics import screening_report
from melanet.utils._files import atomic_path, write_csv

N_DRAWS = 2000
COUNTS = ("tp", "fn", "tn", "fp")


def read_scores(folder):
    """Return the labels and the scores of a run, as arrays."""
    with (Path(folder) / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([int(r["malignant"]) for r in rows]), np.array(
        [float(r["score"]) for r in rows]
    )


def tabulate(runs, out, n_draws=N_DRAWS):
    """Write runs.csv, results.csv, differences.csv and results.md.

    Parameters
    ----------
    runs : list of (protocol, arm, seed, folder)
        Folders with a scores.csv of the same test pictures.
    out : path-like
        Folder to write into.
    n_draws : int, default=2000
        Bootstrap draws of the test pictures, the same for all runs.
    """
    out = Path(out)
    drawn, each = {}, []
    for protocol, arm, seed, folder in runs:
        y, scores = read_scores(folder)
        weights = bootstrap_weights(y == 1, n_draws, seed=0)
        drawn.setdefault((protocol, arm), []).append(measures(y == 1, scores, weights))
        report = screening_report(y, scores)
        names = [*COUNTS, *MEASURES, "auc_low", "auc_high"]
        row = {"protocol": protocol, "arm": arm, "seed": seed}
        each.append(row | {name: report[name] for name in names})
    # Arms in order, the two protocols of an arm one below the other.
    order = sorted(drawn, key=lambda k: (list(ARMS).index(k[1]), k[0]))
    results = [
        {"protocol": protocol, "arm": arm, "measure": name, **_mean(drawn[protocol, arm], name)}
        for protocol, arm in order
        for name in MEASURES
    ]
    differences = [
        {
            "protocol": protocol,
            "arm": arm,
            "less": AGAINST,
            "measure": name,
            **_mean(_less(drawn[protocol, arm], drawn[protocol, AGAINST]), name),
        }
        for protocol, arm in order
        if (protocol, AGAINST) in drawn and arm != AGAINST
        for name in MEASURES
    ]
    write_csv(out / "runs.csv", each)
    write_csv(out / "results.csv", results)
    write_csv(out / "differences.csv", differences)
    with atomic_path(out / "results.md") as partial:
        partial.write_text(_markdown(results, differences), encoding="utf-8")


def _mean(draws, name):
    """Average a measure over seeds; give its interval over pictures and spread over seeds."""
    values = np.array([draw[name] for draw in draws])  # (n_seeds, 1 + n_draws)
    mean = values.mean(axis=0)
    low, high = percentiles(mean[1:])
    spread = float(values[:, 0].std(ddof=1)) if len(values) > 1 else float("nan")
    return {
        "mean": float(mean[0]),
        "low": low,
        "high": high,
        "sd_over_seeds": spread,
        "seeds": len(values),
    }


def _less(draws, others):
    """Subtract run by run: the same seed and the same pictures on both sides."""
    return [{k: a[k] - b[k] for k in a} for a, b in zip(draws, others, strict=True)]


def wide(rows, keys):
    """Turn one row for each measure into one row for each arm, as text for people.

    Returns
    -------
    header : list of str
    body : list of list of str
    """
    body = {}
    for row in rows:
        cells = body.setdefault(tuple(row[key] for key in keys), {"seeds": str(row["seeds"])})
        spread = float(row["sd_over_seeds"])
        text = _text(row["mean"], row["low"], row["high"])
        cells[row["measure"]] = text + (f" ± {spread:.3f}" if np.isfinite(spread) else "")
    header = [*keys, "seeds", *MEASURES.values()]
    table = [
        [*key, cells["seeds"], *(cells[name] for name in MEASURES)] for key, cells in body.items()
    ]
    return header, table


def _text(mean, low, high):
    return f"{float(mean):.3f} [{float(low):.3f}, {float(high):.3f}]"


CAPTION = (
    "Mean over seeds [95 % interval from a bootstrap of the test pictures] ± standard deviation "
    "over seeds. The protocol “released” looks at the test set while it trains, as the notebooks "
    "do. Sensitivity at 90 % specificity is a point of the test set's own ROC curve."
)
DIFFERENCE_CAPTION = (
    f"Arm less {AGAINST}: the same seeds, the same drawn test pictures on both sides. An interval "
    "that holds 0 shows no difference; one that does not may still be the luck of few trainings."
)


def _markdown(results, differences):
    parts = ["# Results", _table(*wide(results, ("arm", "protocol"))), CAPTION]
    if differences:
        rows = wide(differences, ("arm", "protocol"))
        parts += ["## Paired differences", _table(*rows), DIFFERENCE_CAPTION]
    parts.append("Not for diagnosis.")
    return "\n\n".join(parts) + "\n"


def _table(header, body):
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
