"""Builds with the documentation's own settings: formulas, commands, and broken pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("sphinx_gallery", reason='needs Sphinx: pip install "melanet[docs]"')
pytest.importorskip("numpydoc", reason='needs numpydoc: pip install "melanet[docs]"')

DOCS = Path(__file__).parents[2] / "docs"
GOOD = '''"""
One example
===========

Text.
"""

from melanet.plotting import plot_images

figure = plot_images([[[[0.0, 1.0], [1.0, 0.0]]]])
'''


def build(folder, example, page="# Title\n"):
    """Build a page and an example; return the process and the output folder."""
    docs, gallery = folder / "docs", folder / "examples" / "gallery"
    gallery.mkdir(parents=True)
    docs.mkdir()
    shutil.copy(DOCS / "conf.py", docs)
    for name in ("_ext", "_static", "_templates"):
        shutil.copytree(DOCS / name, docs / name)
    (gallery / "GALLERY_HEADER.rst").write_text("Examples\n========\n")
    (gallery / "plot_one.py").write_text(example)
    (docs / "index.md").write_text(f"{page}\n```{{toctree}}\napi\ngallery/index\n```\n")
    (docs / "api.md").write_text("# API\n")
    out = docs / "_build" / "html"
    command = ["sphinx", "-W", "--keep-going", "-q", "-b", "html", str(docs), str(out)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    return done, out


def test_an_example_is_built_with_its_figure(tmp_path):
    page = "# Title\n\nSay $\\frac{a}{b}$.\n\n```{melanet-commands}\n```\n"
    done, out = build(tmp_path, GOOD, page)
    assert done.returncode == 0, done.stderr
    with Image.open(out / "_images" / "sphx_glr_plot_one_001.png") as image:
        assert image.convert("L").getextrema() == (0, 255)  # the black and the white pixels
    index = (out / "index.html").read_text()
    assert re.search(r"<mfrac>\s*<mi>a</mi>\s*<mi>b</mi>\s*</mfrac>", index)
    assert "usage: melanet train-gan" in index


def test_a_broken_example_fails_the_build(tmp_path):
    done, _ = build(tmp_path, GOOD + "figure.no_such_thing()\n")
    assert done.returncode != 0
    assert "plot_one.py" in done.stderr
    assert "no_such_thing" in done.stderr


@pytest.mark.parametrize("fault", ["[lost](no-such-page.md)", "```{no-such-directive}\n```"])
def test_a_broken_page_fails_the_build(tmp_path, fault):
    done, _ = build(tmp_path, GOOD, f"# Title\n\n{fault}\n")
    assert done.returncode != 0
    assert "no-such" in done.stderr
