"""The worked examples of docs/image-data.md, with a generator that is not trained.

The slow tests of the documentation run the same snippets as they are.
"""

import re

import numpy as np
import pytest
from paths import ROOT
from PIL import Image
from snippets import run_python, snippets_of
from worked_examples import write_cells, write_chest_xrays

from melanet import CycleGAN
from melanet.datasets import load_image_folder

EXAMPLES = [s for s in snippets_of(ROOT / "docs" / "image-data.md") if s.mark == "slow"]
SMALLER = (
    ('quality="draft"', "pretrained=untrained, reject=False, guard=False"),
    ("epochs=30", "epochs=1"),
)


def test_the_page_has_both_examples():
    assert [re.search(r'"(chest-xray|cells)', s.code)[1] for s in EXAMPLES] == [
        "chest-xray",
        "cells",
    ]


def smaller(snippet, *more):
    code = snippet.code
    for old, new in (*SMALLER, *more):
        assert old in code
        code = code.replace(old, new)
    return snippet._replace(code=code)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Run both examples in a folder with drawn pictures; return the folder and their names."""
    folder = tmp_path_factory.mktemp("examples")
    write_chest_xrays(folder / "chest-xray", 12, 10, side=40)
    write_cells(folder / "cells", 12, 5)
    small = {"filters": 2, "discriminator_filters": 2, "seed": 0}
    results = {"untrained": {"pneumonia": CycleGAN.from_shape((64, 64, 1), **small)}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        chest = smaller(EXAMPLES[0], ("40, replace", "6, replace"), ("KFold(5", "KFold(3"))
        run_python(chest, results)
        first = dict(results)
        results["untrained"] = {"inclusion": CycleGAN.from_shape((48, 48, 1), **small)}
        run_python(smaller(EXAMPLES[1]), results)
    return folder, first, results


def test_chest_xrays_are_balanced_and_measured_by_patient(names):
    _, first, _ = names
    train = first["train"]
    counts = dict(zip(*np.unique(first["y_res"], return_counts=True)))
    assert counts["normal"] == counts["pneumonia"] == (first["y"][train] == "normal").sum()
    assert first["X_res"].shape[1:] == (64, 64)
    assert not set(first["patients"][train]) & set(first["patients"][first["held"]])
    assert set(first["sampler"].groups_) == set(first["patients"][train])
    assert (first["report"]["n"], first["report"]["n_groups"]) == (22, 11)


def test_sixteen_bits_go_in_and_come_out(names):
    folder, _, last = names
    found = load_image_folder(folder / "cells")
    assert Image.open(found.paths[0]).mode == "I;16"
    made = sorted((folder / "cells-made").iterdir())
    assert len(made) == len(last["X_res"]) - len(last["X_train"])
    pixels = np.stack([np.asarray(Image.open(path)) for path in made])
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, last["X_res"][len(last["X_train"]) :])
    assert 4095 >= pixels.max() > 255
    assert last["model"].value_range_ == (0, 4095)
