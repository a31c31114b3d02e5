"""The picture page of a quality report."""

from PIL import Image, ImageDraw, ImageFont

from melanet.callbacks import picture_grid

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
    from melanet.labelled import resize

    factor = _LARGEST / max(height, width)
    return resize(images, (max(1, round(height * factor)), max(1, round(width * factor))))
