"""Text and picture page of a quality report."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from melanet.images import fit_cells, picture_grid
from melanet.metrics._translation_measures import LEAST_CLASS_AUC

if TYPE_CHECKING:
    from melanet.metrics._quality_report import QualityReport

_MOST_LISTED = 5  # copies in the text; the report has all
_CELL = 56  # pixels to which small images are enlarged
_LARGEST = 128  # pixels to which large images are reduced
_MARGIN = 96  # pixels for the names of the rows
_PAD = 2
_FRAME = (214, 39, 40)
_FOOTER = (
    "framed: not recognised as the class by a classifier trained on real samples. "
    "No basis for a diagnosis."
)


def format_report(report: "QualityReport") -> str:
    """Return a report as aligned text: a table per class, then the verdict."""
    tables = [_format_class(label, measures) for label, measures in report.classes.items()]
    verdict = f"verdict: {report.verdict}"
    if report.reasons:
        verdict += " (" + "; ".join(report.reasons) + ")"
    return "\n\n".join([*tables, f"{verdict}\nNo basis for a diagnosis."])


def _format_class(label: object, m: Mapping[str, Any]) -> str:
    test = m["two_sample"]
    title = f"class {label}: {m['n_synthetic']} synthetic, {m['n_real']} real"
    if m["n_translations"] is not None:
        title += f", {m['n_translations']} made from other classes"
    if m["n_non_finite"]:
        title += f", {m['n_non_finite']} not finite and left out"
    lines = [
        title,
        f"  {'':<32}{'measured':>9}{'yardstick':>10}",
        _line("recognised as the class", m["success"], m["success_real"], "real, held out"),
        _line("kernel inception distance", m["kid"], m["kid_others"], "other classes", ".3g"),
        _line("  sd over subsets", m["kid_sd"], form=".3g"),
        _line("precision", m["precision"]),
        _line("recall", m["recall"]),
        _line("density", m["density"], 1.0, "if of one distribution"),
        _line("coverage", m["coverage"], m["coverage_expected"], "if of one distribution"),
        _line("told from real, AUC", test["auc"], 0.5, _format_interval(test)),
        _line("nearest real, relative", m["nearest"], 1.0, "between real ones"),
        _line("near or exact copies", m["copies"], m["copies_real"], "real ones with a twin"),
    ]
    if m["n_translations"] is not None:
        lines.append(_line("changed copies", m["changed_copies"], "", "made from the class itself"))
    if m["n_translations"]:
        lines += [
            _line("like its source", m["identity"], 0.0, "share of those from other classes"),
            _line("change from its source, relative", m["change"], 1.0, "between the classes"),
        ]
    if "evidence" in m:
        interval = _format_evidence(m)
        lines += [
            _line("class evidence", m["evidence"], 1.0, interval),
            _line("moved towards the class", m["towards"], "", "share of the translations"),
            _line("told from the class, AUC", m["told"], m["told_sources"], "their sources"),
        ]
    lines += [
        _line("diversity, relative", m["diversity"], 1.0, "real ones"),
        _line("distinct", m["distinct"]),
    ]
    if m["constant"] > 0:
        lines.append(_line("images of one value", m["constant"], m["constant_real"], "real ones"))
    if m["copy_list"]:
        lines.append(_format_copies(m["copy_list"]))
    lines.append(f"  {m['verdict']}" + (": " + "; ".join(m["reasons"]) if m["reasons"] else ""))
    return "\n".join(lines)


def _line(name, value, yardstick="", meaning="", form=".2f"):
    shown = yardstick if isinstance(yardstick, str) else _format_number(yardstick, form)
    return f"  {name:<32}{_format_number(value, form):>9}{shown:>10}  {meaning}".rstrip()


def _format_number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


def _format_interval(test: Mapping[str, float]) -> str:
    if math.isnan(test["auc"]):
        return ""
    if math.isnan(test["auc_low"]):
        return f"p = {test['p_value']:.2g}"
    return f"[{test['auc_low']:.2f}, {test['auc_high']:.2f}], p = {test['p_value']:.2g}"


def _format_evidence(m: Mapping[str, Any]) -> str:
    if m["class_auc"] < LEAST_CLASS_AUC:
        return f"unknown: real samples of the classes are told apart with AUC {m['class_auc']:.2f}"
    return f"[{m['evidence_low']:.2f}, {m['evidence_high']:.2f}]"


def _format_copies(copies: Sequence[Mapping[str, Any]]) -> str:
    shown = [
        f"{c['index']} {'=' if c['exact'] else '~'} X[{c['row']}]"
        + ("" if c["same_class"] else " of another class")
        for c in copies[:_MOST_LISTED]
    ]
    more = f" and {len(copies) - _MOST_LISTED} more" if len(copies) > _MOST_LISTED else ""
    return f"  copies (= exact, ~ near): {', '.join(shown)}{more}"


def draw_page(
    report: "QualityReport",
    pictures: Mapping[Any, tuple[Mapping[str, np.ndarray], NDArray[np.bool_]]],
) -> Image.Image:
    """Draw the classes of a report below each other.

    Parameters
    ----------
    report : QualityReport
        Report with the verdict on each class.
    pictures : dict
        Label -> (dict of the name of a row -> images of shape (n, H, W, C) in [-1, 1], mask of
        the images to frame in the row "synthetic").

    Returns
    -------
    PIL.Image.Image
    """
    font = ImageFont.load_default(size=13)
    blocks = [
        _draw_class(f"class {label}: {report.classes[label]['verdict']}", *pictures[label], font)
        for label in pictures
    ]
    width = max([_MARGIN + 20, int(font.getlength(_FOOTER)) + 12, *(b.width for b in blocks)])
    page = Image.new("RGB", (width, sum(b.height for b in blocks) + 28), "white")
    top = 0
    for block in blocks:
        page.paste(block, (0, top))
        top += block.height
    ImageDraw.Draw(page).text((6, top + 6), _FOOTER, fill="black", font=font)
    return page


def _draw_class(title, rows, framed, font):
    n = len(framed)
    if not n:
        block = Image.new("RGB", (_MARGIN + 300, 28), "white")
        text = f"{title} (no finite sample)"
        ImageDraw.Draw(block).text((6, 6), text, fill="black", font=font)
        return block
    rows = {name: fit_cells(images, _CELL, _LARGEST) for name, images in rows.items()}
    height, width = next(iter(rows.values())).shape[1:3]
    grid = Image.fromarray(picture_grid(list(rows.values()), pad=_PAD))
    title_width = int(font.getlength(title)) + 12
    block = Image.new("RGB", (max(_MARGIN + grid.width, title_width), grid.height + 28), "white")
    block.paste(grid, (_MARGIN, 26))
    draw = ImageDraw.Draw(block)
    draw.text((6, 6), title, fill="black", font=font)
    for i, name in enumerate(rows):
        top = 26 + _PAD + i * (height + _PAD)
        draw.text((6, top + height // 2 - 7), name, fill="black", font=font)
        for j in range(n):
            if name == "synthetic" and framed[j]:
                left = _MARGIN + _PAD + j * (width + _PAD)
                box = (left - _PAD, top - _PAD, left + width + _PAD - 1, top + height + _PAD - 1)
                draw.rectangle(box, outline=_FRAME, width=_PAD)
    return block
