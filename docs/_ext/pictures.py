"""Collect the images of an example for Sphinx-Gallery: figures without a window, and Pillow's."""

from matplotlib.figure import Figure
from PIL import Image
from sphinx_gallery.scrapers import figure_rst

_seen = []


def reset(gallery_conf, fname):
    """Forget the images of the previous example."""
    _seen.clear()


def scrape(block, block_vars, gallery_conf):
    """Save each new image that a block assigned to a name."""
    paths = []
    for value in list(block_vars["example_globals"].values()):
        if not isinstance(value, (Figure, Image.Image)) or any(value is one for one in _seen):
            continue
        _seen.append(value)
        path = next(block_vars["image_path_iterator"])
        if isinstance(value, Figure):
            value.savefig(path, dpi=120)
        else:
            value.save(path)
        paths.append(path)
    return figure_rst(paths, gallery_conf["src_dir"])
