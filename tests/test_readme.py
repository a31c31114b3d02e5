import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_run(code):
    names = {}
    exec(code, names)
    classes, counts = np.unique(names["y_res"], return_counts=True)
    assert len(set(counts)) == 1
    assert len(classes) == 2
