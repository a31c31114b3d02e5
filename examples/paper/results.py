"""Tables from the scores of all runs: means, intervals, paired differences."""

import csv
from pathlib import Path

import numpy as np
from arms import AGAINST, ARMS
from intervals import MEASURES, bootstrap_weights, measures, percentiles

from melanet.metrics import screening_report
from melanet.utils._files import atomic_path, write_csv

N_DRAWS = 2000
COUNTS = ("tp", "fn", "tn", "fp")


def read_table(path):
    """Return a CSV file as a list of dicts of text."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_scores(folder):
    """Return the labels, the scores and the groups (None without) of a run, as arrays."""
    rows = read_table(Path(folder) / "scores.csv")
    y = np.array([int(row["malignant"]) for row in rows])
    groups = [row["group"] for row in rows] if "group" in rows[0] else None
    return y, np.array([float(row["score"]) for row in rows]), groups


def tabulate(runs, out, n_draws=N_DRAWS):
    """Write runs.csv, results.csv, differences.csv and results.md.

    Parameters
    ----------
    runs : list of (protocol, arm, seed, folder)
        Runs; each folder holds a scores.csv of the same test images.
    out : path-like
        Output folder.
    n_draws : int, default=2000
        Number of bootstrap draws of the test images, or of their groups, which all runs share.
    """
    out = Path(out)
    draws, run_rows = {}, []
    for protocol, arm, seed, folder in runs:
        y, scores, groups = read_scores(folder)
        weights = bootstrap_weights(y == 1, n_draws, seed=0, groups=groups)
        draws.setdefault((protocol, arm), []).append(measures(y == 1, scores, weights))
        report = screening_report(y, scores, groups=groups)
        names = [*COUNTS, *MEASURES, "auc_low", "auc_high"]
        row = {"protocol": protocol, "arm": arm, "seed": seed}
        run_rows.append(row | {name: report[name] for name in names})
    # In the order of the arms; the two protocols of an arm are adjacent.
    order = sorted(draws, key=lambda k: (list(ARMS).index(k[1]), k[0]))
    results = [
        {
            "protocol": protocol,
            "arm": arm,
            "measure": name,
            **_summarize(draws[protocol, arm], name),
        }
        for protocol, arm in order
        for name in MEASURES
    ]
    differences = [
        {
            "protocol": protocol,
            "arm": arm,
            "less": AGAINST,
            "measure": name,
            **_summarize(_subtract(draws[protocol, arm], draws[protocol, AGAINST]), name),
        }
        for protocol, arm in order
        if (protocol, AGAINST) in draws and arm != AGAINST
        for name in MEASURES
    ]
    write_csv(out / "runs.csv", run_rows)
    write_csv(out / "results.csv", results)
    write_csv(out / "differences.csv", differences)
    with atomic_path(out / "results.md") as partial:
        partial.write_text(_markdown(results, differences), encoding="utf-8")


def _summarize(draws, name):
    """Return a measure's mean over seeds, interval over images and deviation over seeds."""
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


def _subtract(draws, others):
    """Subtract run by run: both sides have the same seed and test images."""
    return [{k: a[k] - b[k] for k in a} for a, b in zip(draws, others, strict=True)]


def pivot(rows, keys):
    """Convert rows of one measure each to rows of one arm each, formatted as text.

    Returns
    -------
    header : list of str
        Names of the columns.
    body : list of list of str
        Cells, row by row.
    """
    body = {}
    for row in rows:
        cells = body.setdefault(tuple(row[key] for key in keys), {"seeds": str(row["seeds"])})
        spread = float(row["sd_over_seeds"])
        text = _format_interval(row["mean"], row["low"], row["high"])
        cells[row["measure"]] = text + (f" ± {spread:.3f}" if np.isfinite(spread) else "")
    header = [*keys, "seeds", *MEASURES.values()]
    table = [
        [*key, cells["seeds"], *(cells[name] for name in MEASURES)] for key, cells in body.items()
    ]
    return header, table


def _format_interval(mean, low, high):
    return f"{float(mean):.3f} [{float(low):.3f}, {float(high):.3f}]"


CAPTION = (
    "Mean over seeds [95 % interval from a bootstrap of the test images] ± standard deviation "
    "over seeds. The protocol “released” uses the test set for early stopping, as the notebooks "
    "do. Sensitivity at 90 % specificity is read from the ROC curve of the test set."
)
DIFFERENCE_CAPTION = (
    f"Arm minus {AGAINST}, with the same seeds and bootstrap draws. An interval that includes 0 "
    "shows no difference; one that excludes it may still be due to the small number of seeds."
)


def _markdown(results, differences):
    parts = ["# Results", _table(*pivot(results, ("arm", "protocol"))), CAPTION]
    if differences:
        rows = pivot(differences, ("arm", "protocol"))
        parts += ["## Paired differences", _table(*rows), DIFFERENCE_CAPTION]
    parts.append("Not for diagnosis.")
    return "\n\n".join(parts) + "\n"


def _table(header, body):
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
