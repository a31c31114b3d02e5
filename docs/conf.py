"""Sphinx configuration: `sphinx-build -W --keep-going -b html docs docs/_build/html`.

Building or reading the pages needs no network: no inventories of other projects, no remote fonts
or scripts, and formulas as MathML, which browsers render themselves.
"""

import importlib
import inspect
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import melanet  # noqa: E402

project = "melanet"
author = "The melanet developers"
copyright = "The melanet developers, MIT licence. Not for diagnosis"
version = release = melanet.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "commands",
    "mathml",
]
exclude_patterns = ["_build", "generated/backreferences"]
templates_path = ["_templates"]
default_role = "py:obj"
language = "en"

# Pages
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Reference
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# Methods that estimators inherit from scikit-learn and imbalanced-learn.
_ESTIMATORS = ("fit_resample", "get_params", "set_params")


def _methods(cls):
    """Return the public methods that melanet defines on `cls`, and those of an estimator."""
    own = [
        name
        for base in cls.__mro__
        if base.__module__.startswith("melanet")
        for name, value in vars(base).items()
        if not name.startswith(("_", "set_fit_", "set_score_"))
        and (inspect.isroutine(value) or isinstance(value, property))
    ]
    inherited = [name for name in _ESTIMATORS if hasattr(cls, name) and hasattr(cls, "get_params")]
    kinds = {True: "autoproperty", False: "automethod"}
    return {n: kinds[isinstance(getattr(cls, n), property)] for n in own + inherited}


def _classes():
    for name in re.findall(r"^   (melanet\..+)$", (HERE / "api.md").read_text(), re.MULTILINE):
        module, _, member = name.rpartition(".")
        if inspect.isclass(value := getattr(importlib.import_module(module), member)):
            yield name, value


autosummary_context = {
    "own_methods": {
        name: {} if issubclass(cls, tuple) else _methods(cls) for name, cls in _classes()
    }
}

# Examples: an error in one fails the build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "gallery",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("melanet",),
    "image_scrapers": ("pictures.scrape",),
    "reset_modules": ("pictures.reset",),
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "capture_repr": ("_repr_html_",),
    "plot_gallery": True,
    "thumbnail_size": (320, 224),
    "write_computation_times": False,  # that page would load remote scripts
}

# Appearance
html_theme = "pydata_sphinx_theme"
html_title = f"melanet {version}"
html_static_path = ["_static"]
html_css_files = ["melanet.css"]
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "melanet"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "back_to_top_button": False,
}
html_sidebars = {
    "index": [],
    "install": [],
    "quickstart": [],
    "contributing": [],
    "changelog": [],
    "migration": [],
}
