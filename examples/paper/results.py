"""Tables from the scores of all runs: means, intervals, paired differences, the paper's rows."""

import csv
from pathlib import Path

import numpy as np
from arms import AGAINST, ARMS
from classifiers import CLASSIFIERS
from intervals import MEASURES, bootstrap_weights, measures, percentiles

from melanet.metrics import paper_table_1, screening_report
from melanet.metrics._group_bootstrap import wilson
from melanet.utils._files import atomic_path, write_csv

N_DRAWS = 2000
COUNTS = ("tp", "fn", "tn", "fp")
KEYS = ("classifier", "arm", "protocol")  # of a row of the tables
# Arm -> row of the paper's Table 1.
PAPER_ROWS = {
    "vgg-gap": "VGG-GAP",
    "augment-5x": "VGG-GAP + Augment-5x",
    "augment-10x": "VGG-GAP + Augment-10x",
    "gan": "MelaNet",
}
PAPER_MEASURES = ("auc", "sensitivity", "specificity", "balanced_accuracy", "npv")


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
    """Write runs.csv, results.csv and differences.csv.

    Parameters
    ----------
    runs : list of (protocol, classifier, arm, seed, folder)
        Runs; each folder holds a scores.csv of the same test images.
    out : path-like
        Output folder.
    n_draws : int, default=2000
        Number of bootstrap draws of the test images, or of their groups, which all runs share.
    """
    out = Path(out)
    draws, run_rows = {}, []
    for protocol, classifier, arm, seed, folder in runs:
        y, scores, groups = read_scores(folder)
        weights = bootstrap_weights(y == 1, n_draws, seed=0, groups=groups)
        key = classifier, arm, protocol
        draws.setdefault(key, []).append(measures(y == 1, scores, weights))
        report = screening_report(y, scores, groups=groups)
        names = [*COUNTS, *MEASURES, "auc_low", "auc_high"]
        row = dict(zip(KEYS, key)) | {"seed": seed}
        run_rows.append(row | {name: report[name] for name in names})
    # In the order of classifiers and arms; the two protocols of an arm are adjacent.
    order = sorted(draws, key=lambda k: (list(CLASSIFIERS).index(k[0]), list(ARMS).index(k[1])))
    results = [
        {**dict(zip(KEYS, key)), "measure": name, **_summarize(draws[key], name)}
        for key in order
        for name in MEASURES
    ]
    differences = []
    for key in order:
        other = key[0], AGAINST, key[2]
        if other in draws and key != other:
            less = _subtract(draws[key], draws[other])
            differences += [
                {**dict(zip(KEYS, key)), "less": AGAINST, "measure": name, **_summarize(less, name)}
                for name in MEASURES
            ]
    write_csv(out / "runs.csv", run_rows)
    write_csv(out / "results.csv", results)
    write_csv(out / "differences.csv", differences)


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


PAPER_CAPTION = (
    "The paper's Table 1 as corrected (docs/table-1.md), above the same arms here; it has no "
    "other arms. Its column “Sensitivity” is the NPV; sensitivity and specificity follow from its "
    "counts. Its intervals are Hanley and McNeil's for the AUC and Wilson's for shares, with 75 "
    "malignant and 304 benign test images. Other images, sizes and networks: the rows are no "
    "repetition."
)
DISTANCE_CAPTION = (
    "The number behind the UMAP figure. The mean over images of the mean Euclidean distance to "
    "the real benign images minus that to the real malignant ones; positive means nearer to "
    "malignant. 95 % bootstrap interval over images. Distances are between the pooled features of "
    "the network of the arm vgg-gap, which was trained on real images only, or between the frozen "
    "features. A trained network has seen the training images, so the test images are the fairer "
    "comparison. No distance is measured in the figure itself."
)


def beside_the_paper(results):
    """Return a header and rows by arm, the paper's own numbers first where it has the arm."""
    printed = {row["method"]: row for row in paper_table_1()}
    cells = {}
    for row in results:
        key = row["arm"], row["classifier"], row["protocol"]
        text = _format_interval(row["mean"], row["low"], row["high"])
        cells.setdefault(key, {})[row["measure"]] = text
    body = []
    for arm in ARMS:
        ours = [key for key in cells if key[0] == arm]
        if ours and arm in PAPER_ROWS:
            method = PAPER_ROWS[arm]
            body.append([arm, "the paper", "released", *_paper_cells(printed[method])])
        body += [[*key, *(cells[key][name] for name in PAPER_MEASURES)] for key in ours]
    return ["arm", "classifier", "protocol", *(MEASURES[name] for name in PAPER_MEASURES)], body


def _paper_cells(row):
    """Return a row's measures as text, with intervals where its counts or its AUC give them."""
    positive, negative = row["tp"] + row["fn"], row["tn"] + row["fp"]
    auc = row["printed_auc"] / 100
    half = 1.96 * hanley_mcneil(auc, positive, negative)
    cells = {"auc": _format_interval(auc, auc - half, auc + half)}
    shares = {
        "sensitivity": (row["tp"], positive),
        "specificity": (row["tn"], negative),
        "npv": (row["tn"], row["tn"] + row["fn"]),
    }
    for name, (count, total) in shares.items():
        interval = wilson(int(count), int(total), 0.95)
        cells[name] = _format_interval(count / total, *interval)
    cells["balanced_accuracy"] = f"{row['balanced_accuracy']:.3f}"
    return [cells[name] for name in PAPER_MEASURES]


def hanley_mcneil(auc, n_positive, n_negative):
    """Return the standard error of an AUC (Hanley and McNeil, Radiology 143, 1982, 29-36)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc)
    variance += (n_positive - 1) * (q1 - auc**2) + (n_negative - 1) * (q2 - auc**2)
    return (variance / (n_positive * n_negative)) ** 0.5


def shorten(table):
    """Return the header and the cells of a table of text, numbers with three decimals."""
    header = list(table[0])
    return header, [[_shorten_number(row[name]) for name in header] for row in table]


def _shorten_number(text):
    try:
        return f"{float(text):.3f}".rstrip("0").rstrip(".") if "." in text else text
    except ValueError:
        return text


def write_markdown(path, tables, notes):
    """Write the tables of a folder to one Markdown page, below notes to the reader."""
    results, differences, distances = (
        read_table(Path(tables) / f"{name}.csv") for name in ("results", "differences", "distances")
    )
    parts = ["# Results", *notes, _table(*pivot(results, KEYS)), CAPTION]
    if differences:
        rows = pivot(differences, KEYS)
        parts += ["## Paired differences", _table(*rows), DIFFERENCE_CAPTION]
    parts += ["## Beside the paper's table", _table(*beside_the_paper(results)), PAPER_CAPTION]
    parts += ["## Are synthetic images nearer to malignant ones?", _table(*shorten(distances))]
    parts += [DISTANCE_CAPTION, "Not for diagnosis."]
    with atomic_path(path) as partial:
        partial.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(header, body):
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
