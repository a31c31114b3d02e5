"""Images in responses: overlays and drawn examples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanet.classifier import overlay
from melanet.datasets import make_lesions
from melanet.images import data_url, encode_png, resize

_EXAMPLES_PER_CLASS = 3


def draw_examples() -> list[tuple[str, bytes]]:
    """Return (label, PNG) of drawn lesions, alternately benign and malignant."""
    drawn = {
        label: make_lesions(
            _EXAMPLES_PER_CLASS, weights=weights, image_size=192, difficulty=0.2, random_state=0
        )[0]
        for label, weights in (("benign", (1, 0)), ("malignant", (0, 1)))
    }
    return [
        (label, encode_png(X[i])) for i in range(_EXAMPLES_PER_CLASS) for label, X in drawn.items()
    ]


def draw_overlay(image: ArrayLike, heatmap: NDArray[np.float32]) -> str:
    """Return an image with a heat map of another size blended over it, as a data URL."""
    pixels = np.asarray(image)[None]
    heatmaps = resize(heatmap[None, ..., None], pixels.shape[1:3])[..., 0].clip(0, 1)
    return data_url(overlay(pixels, heatmaps)[0])
