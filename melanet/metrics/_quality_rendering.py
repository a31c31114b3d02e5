"""The picture page of a quality report."""

import math

from PIL import Image, ImageDraw, ImageFont

from melanet.images._transform import picture_grid

_CELL = 56  # small images are enlarged to about this
_LARGEST = 128  # and large ones reduced to this
_MARGIN = 96  # for the rows' names
_PAD = 2
_FRAME = (214, 39, 40)
_FOOTER = (
    "framed: not recognised as the class by a classifier trained on real samples. "
    "No basis for a diagnosis."
)


def draw_page(report, pictures):
    """Draw the classes of a report, one below the other.

    Parameters
    ----------
    report : QualityReport
        Its verdicts head the classes.
    pictures : dict
        label -> (dict of a row's name -> images (n, H, W, C) in [-1, 1], mask of those to frame
        in the row "synthetic").

    Returns
    -------
    PIL.Image.Image
    """
    font = ImageFont.load_default(size=13)
    blocks = [
        _class_block(f"class {label}: {report.classes[label]['verdict']}", *pictures[label], font)
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


def _class_block(title, rows, framed, font):
    n = len(framed)
    if not n:
        block = Image.new("RGB", (_MARGIN + 300, 28), "white")
        text = f"{title} (no finite sample)"
        ImageDraw.Draw(block).text((6, 6), text, fill="black", font=font)
        return block
    rows = {name: _fit(images) for name, images in rows.items()}
    height, width = next(iter(rows.values())).shape[1:3]
    scale = max(1, round(_CELL / min(height, width)))
    rows = {name: images.repeat(scale, 1).repeat(scale, 2) for name, images in rows.items()}
    height, width = height * scale, width * scale
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


def _fit(images):
    height, width = images.shape[1:3]
    if max(height, width) <= _LARGEST:
        return images
    from melanet.images._transform import resize

    factor = _LARGEST / max(height, width)
    return resize(images, (max(1, round(height * factor)), max(1, round(width * factor))))


_LISTED = 5  # copies named in the text; all are in the report


def _number(value, form=".2f"):
    return "-" if value is None or math.isnan(value) else format(value, form)


def _line(name, value, yardstick="", meaning="", form=".2f"):
    shown = yardstick if isinstance(yardstick, str) else _number(yardstick, form)
    return f"  {name:<32}{_number(value, form):>9}{shown:>10}  {meaning}".rstrip()


def report_text(report):
    """Give a `QualityReport` as aligned text: a table for each class, then the verdict."""
    parts = [class_text(label, measures) for label, measures in report.classes.items()]
    verdict = f"verdict: {report.verdict}"
    if report.reasons:
        verdict += " (" + "; ".join(report.reasons) + ")"
    return "\n\n".join([*parts, f"{verdict}\nNo basis for a diagnosis."])


def class_text(label, m):
    """Give the table of one class."""
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
        _line("told from real, AUC", test["auc"], 0.5, _interval(test)),
        _line("nearest real, relative", m["nearest"], 1.0, "between real ones"),
        _line("near or exact copies", m["copies"], m["copies_real"], "real ones with a twin"),
    ]
    if m["n_translations"]:
        lines += [
            _line("like its source", m["identity"], 0.0, "share of those from other classes"),
            _line("change from its source, relative", m["change"], 1.0, "between the classes"),
        ]
    lines += [
        _line("diversity, relative", m["diversity"], 1.0, "real ones"),
        _line("distinct", m["distinct"]),
    ]
    if m["constant"] > 0:
        lines.append(_line("images of one value", m["constant"], m["constant_real"], "real ones"))
    if m["copy_list"]:
        lines.append(_copies(m["copy_list"]))
    lines.append(f"  {m['verdict']}" + (": " + "; ".join(m["reasons"]) if m["reasons"] else ""))
    return "\n".join(lines)


def _interval(test):
    if math.isnan(test["auc"]):
        return ""
    if math.isnan(test["auc_low"]):
        return f"p = {test['p_value']:.2g}"
    return f"[{test['auc_low']:.2f}, {test['auc_high']:.2f}], p = {test['p_value']:.2g}"


def _copies(copies):
    shown = [
        f"{c['index']} {'=' if c['exact'] else '~'} X[{c['row']}]"
        + ("" if c["same_class"] else " of another class")
        for c in copies[:_LISTED]
    ]
    more = f" and {len(copies) - _LISTED} more" if len(copies) > _LISTED else ""
    return f"  copies (= exact, ~ near): {', '.join(shown)}{more}"
