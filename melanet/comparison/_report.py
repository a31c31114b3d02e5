"""The page of a comparison: one HTML file that loads nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from melanet import NOT_FOR_DIAGNOSIS
from melanet._version import __version__
from melanet.comparison._advice import WITH_THRESHOLD
from melanet.comparison._measures import DECISION, MEASURES
from melanet.images import data_url, difference_map, fit_cells, picture_grid
from melanet.utils._files import atomic_path
from melanet.utils._typing import PathLike

if TYPE_CHECKING:
    import numpy as np

    from melanet.comparison._comparison import Comparison, Summary

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.advice { border-left: .3rem solid #0072b2; background: #f2f7fb; padding: .8rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
th { vertical-align: bottom; } th:first-child, td:first-child, td.note { text-align: left; }
td:first-child { white-space: nowrap; } td.note { color: #555; }
.panels { display: flex; flex-wrap: wrap; gap: 0 2rem; }
tr.chosen td { background: #e8f3ec; }
figure { margin: 1rem 0; max-width: 100%; }
figcaption, .small { color: #555; font-size: .85rem; }
svg text { font: 13px system-ui, sans-serif; fill: #1b1b1b; }
img { max-width: 100%; height: auto; image-rendering: pixelated; }
"""
_LEFT, _WIDTH, _ROW, _TOP = 200, 450, 24, 34  # of a panel, in pixels
_CELL, _LARGEST = 64, 128  # pixels to which pictures are enlarged or reduced


def write_page(comparison: Comparison, summary: Summary, scoring: str, path: PathLike) -> None:
    """Write the page of a comparison.

    Parameters
    ----------
    comparison : Comparison
        The comparison.
    summary : Summary
        Facts about data and folds.
    scoring : str
        Ranking measure.
    path : str or path-like
        File to write, atomically.
    """
    counts = ", ".join(f"{n} of {label}" for label, n in summary.counts.items())
    parts = [
        "<h1>Which remedy for imbalanced classes?</h1>",
        f"<p>{_text(f'{sum(summary.counts.values())} {summary.unit}: {counts}.')}</p>",
        f"<p class=advice>{_text(comparison.advice_)}</p>",
        f"<p><b>{_text(NOT_FOR_DIAGNOSIS)}</b></p>",
        "<h2>Differences, with 95 % intervals</h2>",
        "<div class=panels>",
        *(_panel(title, intervals) for title, intervals in comparison.intervals().items()),
        "</div>",
    ]
    for model in comparison.models:
        parts += [f"<h2>Scores before {_text(model)}</h2>", _table(comparison, model, scoring)]
    parts.append(
        "<p class=small>Means over the folds of a remedy; differences from the first remedy are on "
        "the folds that both have. Seconds are the median of one fold, resampling and fit. A "
        "quarter of the training rows tunes the thresholds; test rows are untouched. "
        "p-values: corrected resampled t-test (Nadeau and Bengio, 2003), then Holm's correction "
        "for the number of remedies. Green: named by the advice.</p>"
    )
    for name, pair in comparison.pictures().items():
        parts += [f"<h2>Pictures by {_text(name)}</h2>", _pictures(*pair)]
    if comparison.notes_:
        notes = "".join(f"<li>{_text(note)}</li>" for note in comparison.notes_)
        parts += ["<h2>Notes</h2>", f"<ul>{notes}</ul>"]
    parts.append(
        f"<p class=small>melanet {__version__}, {summary.n_folds} folds, "
        f"{comparison.seconds_:.0f} s of fits.</p>"
    )
    page = (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>Which remedy?</title><style>{_STYLE}</style></head><body>"
        f"{''.join(parts)}</body></html>\n"
    )
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _text(value: object) -> str:
    return html.escape(str(value))


def _table(comparison: Comparison, model: str, scoring: str) -> str:
    rows = comparison.rows(model)
    shown = [m for m in MEASURES if any(not math.isnan(row[m]) for row in rows)]
    best = (comparison.best_[model] or {}).values()
    chosen = {name.removesuffix(WITH_THRESHOLD) for name in best}
    heads = ["remedy", *(MEASURES[m] for m in shown)]
    heads += [f"{MEASURES[scoring]}, difference", f"p, {MEASURES[scoring]}"]
    heads += ["p, balanced accuracy", "seconds", "folds"]
    lines = ["".join(f"<th>{_text(head)}</th>" for head in heads)]
    for row in rows:
        name = f"<td>{_text(row['remedy'])}</td>"
        if not row["n_folds"]:
            note = f"<td class=note colspan={len(heads) - 1}>{_text(row['note'])}</td>"
            lines.append(f"<tr>{name}{note}</tr>")
            continue
        cells = [*(_number(row[m]) for m in shown)]
        cells.append(f"{row[f'{scoring}_difference']:+.3f}")
        cells += [_number(row[f"{m}_p_holm"]) for m in (scoring, DECISION)]
        cells += [f"{row['seconds']:.2g}" if row["seconds"] < 10 else f"{row['seconds']:.0f}"]
        cells += [str(row["n_folds"])]
        kind = " class=chosen" if row["remedy"] in chosen else ""
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f"<tr{kind}>{name}{body}</tr>")
    return f"<div class=wide><table><tr>{lines[0]}</tr>{''.join(lines[1:])}</table></div>"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _panel(title: str, intervals: Mapping[str, tuple[float, float, float]]) -> str:
    """Draw intervals as an SVG."""
    ends = [end for interval in intervals.values() for end in interval if math.isfinite(end)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    margin = 0.06 * (high - low) or 0.01
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - 30)

    height = _TOP + _ROW * len(intervals) + 26
    bottom = height - 24
    shapes = [f"<line x1={x(0):.1f} x2={x(0):.1f} y1={_TOP - 6} y2={bottom} stroke='#1b1b1b'/>"]
    for tick in _ticks(low, high):
        shapes.append(
            f"<line x1={x(tick):.1f} x2={x(tick):.1f} y1={_TOP - 6} y2={bottom} stroke='#ddd'/>"
            f"<text x={x(tick):.1f} y={height - 8} text-anchor=middle>{tick:+.4g}</text>"
        )
    for i, (name, (mean, left, right)) in enumerate(intervals.items()):
        y = _TOP + _ROW * i + _ROW / 2
        shapes.append(f"<text x={_LEFT - 10} y={y + 4} text-anchor=end>{_text(name)}</text>")
        if math.isfinite(left):
            shapes.append(
                f"<line x1={x(left):.1f} x2={x(right):.1f} y1={y} y2={y} stroke='#0072b2' "
                "stroke-width=3 />"
            )
        if math.isfinite(mean):
            shapes.append(f"<circle cx={x(mean):.1f} cy={y} r=5 fill='#0072b2' />")
    return (
        f"<figure><svg viewBox='0 0 {_WIDTH} {height}' width={_WIDTH} role=img "
        f"style='max-width:100%;height:auto;overflow:visible'><title>{_text(title)}</title>"
        f"<text x=0 y=16 font-weight=bold>{_text(title)}</text>{''.join(shapes)}</svg></figure>"
    )


def _ticks(low: float, high: float) -> Sequence[float]:
    step = 10.0 ** math.floor(math.log10(high - low))
    # The finest round step with at most six ticks.
    step = min(s for s in (step * f for f in (0.1, 0.2, 0.5, 1, 2)) if (high - low) / s <= 6)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _pictures(sources: np.ndarray, made: np.ndarray) -> str:
    shown = sources, made, difference_map(sources, made)
    grid = picture_grid([fit_cells(images, _CELL, _LARGEST) for images in shown])
    return (
        f"<figure><img alt='sources, translations and edits' src='{data_url(grid)}'>"
        "<figcaption>From the training rows of the first fold. Above: sources. Middle: their "
        "translations into the rare class, or copies of it where too few translations passed. "
        "Below: the edits, red where a translation is brighter and blue where it is darker."
        "</figcaption></figure>"
    )
