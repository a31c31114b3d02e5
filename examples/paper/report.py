"""A self-contained HTML report of the study: tables, figures, settings, versions."""

import base64
import html
import platform
from importlib.metadata import version
from pathlib import Path

import keras
from results import (
    CAPTION,
    DIFFERENCE_CAPTION,
    DISTANCE_CAPTION,
    KEYS,
    PAPER_CAPTION,
    beside_the_paper,
    pivot,
    read_table,
    shorten,
)

from melanet import NOT_FOR_DIAGNOSIS, __version__
from melanet.metrics import paper_table_1
from melanet.utils._files import atomic_path

_PACKAGES = (
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "imbalanced-learn",
    "pillow",
    "matplotlib",
    "umap-learn",
)
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; font-size: .8rem; margin: 1rem 0 }
th, td { border: 1px solid #bbb; padding: .25rem .5rem; text-align: left; vertical-align: top }
th { background: #eee } img { max-width: 100% } pre { background: #eee; padding: .5rem }
.notice { border-left: .4rem solid #c30; padding: .5rem 1rem; background: #fee }
.wide { overflow-x: auto }
"""


def write_report(path, *, about, command, settings, warnings, stages, tables, figures):
    """Write the HTML report.

    Parameters
    ----------
    path : path-like
        File to write.
    about : list of (str, str)
        Facts of the study, shown first.
    command : str
        The command line.
    settings : dict
        Name -> value.
    warnings : list of str
        Warnings to the reader, shown before the results.
    stages : list of (str, float, bool)
        Name of a stage, its seconds, and whether it was skipped because it was complete.
    tables : path-like
        Folder with results.csv, differences.csv, runs.csv and distances.csv.
    figures : list of (path-like, str)
        PNG files and their captions, in order.
    """
    tables = Path(tables)
    results, differences, runs, distances = (
        read_table(tables / f"{name}.csv")
        for name in ("results", "differences", "runs", "distances")
    )
    body = [
        "<h1>MelaNet: the study</h1>",
        f'<p class="notice">{html.escape(NOT_FOR_DIAGNOSIS)}</p>',
        *(f'<p class="notice">{html.escape(text)}</p>' for text in warnings),
        _table(["", ""], about),
        "<h2>Results on the test set</h2>",
        _table(*pivot(results, KEYS)),
        _paragraph(CAPTION),
    ]
    if differences:
        body += [
            "<h2>Paired differences</h2>",
            _table(*pivot(differences, KEYS)),
            _paragraph(DIFFERENCE_CAPTION),
        ]
    body += ["<h2>Beside the paper's table</h2>", _table(*beside_the_paper(results))]
    body += [_paragraph(PAPER_CAPTION)]
    body += ["<h2>Each run</h2>", _table(*shorten(runs))]
    body += ["<h2>Are synthetic images nearer to malignant ones?</h2>"]
    body += [_table(*shorten(distances)), _paragraph(DISTANCE_CAPTION), "<h2>Figures</h2>"]
    for file, caption in figures:
        data = base64.b64encode(Path(file).read_bytes()).decode()
        text = html.escape(caption)
        body.append(f'<figure><img alt="{text}" src="data:image/png;base64,{data}">')
        body.append(f"<figcaption>{text}</figcaption></figure>")
    body += ["<h2>The paper's own table, with corrected names</h2>", _table(*_paper_table())]
    body += [_paragraph("In percent, on ISIC 2016's 379 test images; see docs/table-1.md.")]
    body += ["<h2>How to reproduce it</h2>", f"<pre>{html.escape(command)}</pre>"]
    body += [
        _table(["setting", "value"], settings.items()),
        _table(["software", "version"], _versions()),
    ]
    body.append(
        _table(
            ["stage", "seconds", ""],
            [(name, f"{s:.1f}", "skipped: complete" if old else "") for name, s, old in stages],
        )
    )
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>MelaNet: the study'
        f"</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _paragraph(text):
    return f"<p>{html.escape(text)}</p>"


def _table(header, body):
    def cells(tag, row):
        return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in row)

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in body)
    return f'<div class="wide"><table><tr>{cells("th", header)}</tr>{rows}</table></div>'


def _paper_table():
    names = ("tp", "fn", "tn", "fp")
    rates = ("sensitivity", "specificity", "balanced_accuracy", "npv")
    rows = []
    for row in paper_table_1():
        counts = ["" if row.get(name) is None else row[name] for name in names]
        percent = ["" if row.get(name) is None else f"{100 * row[name]:.2f}" for name in rates]
        rows.append([row["method"], row["printed_auc"], *counts, *percent])
    return ["row", "AUC", "TP", "FN", "TN", "FP", *(name.replace("_", " ") for name in rates)], rows


def _versions():
    backend = keras.backend.backend()
    return [
        ("melanet", __version__),
        *((name, version(name)) for name in _PACKAGES),
        ("backend", f"{backend} {_backend_version(backend)}"),
        ("Python", platform.python_version()),
        ("machine", f"{platform.system()} {platform.machine()}"),
    ]


def _backend_version(backend):
    return getattr(__import__(backend), "__version__", "")
