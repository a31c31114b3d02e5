"""The snippets of docs/pytorch.md, in order, on PyTorch.

Run ``KERAS_BACKEND=torch python tests/lanes/torch_loader_lane.py``.
"""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
PAGE = Path(__file__).parents[2] / "docs" / "pytorch.md"


def main():
    """Raise the error of the first snippet that fails."""
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 2, len(snippets)
    names = {"__name__": "__main__"}
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), names)
    import keras

    assert keras.backend.backend() == "torch"
    assert "tensorflow" not in sys.modules
    losses = names["losses"]
    print(f"{PAGE.name}: {len(losses)} batches, loss {losses[0]:.3f} to {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
