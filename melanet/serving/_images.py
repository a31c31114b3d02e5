"""Images in responses: PNG files, data URLs, overlays and drawn examples."""

import base64
import io

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from melanet.classifier import overlay
from melanet.datasets import make_lesions
from melanet.images import resize

_EXAMPLES_PER_CLASS = 3


def draw_examples() -> list[tuple[str, bytes]]:
    """Return (label, PNG) of drawn lesions, alternately benign and malignant."""
    options = {"image_size": 192, "difficulty": 0.2, "random_state": 0}
    classes = [
        (name, make_lesions(_EXAMPLES_PER_CLASS, weights=weights, **options)[0])
        for name, weights in (("benign", (1, 0)), ("malignant", (0, 1)))
    ]
    return [(name, _png(X[i])) for i in range(_EXAMPLES_PER_CLASS) for name, X in classes]


def draw_overlay(image: ArrayLike, heatmap: NDArray[np.float32]) -> str:
    """Return an image with a heat map of another size blended over it, as a data URL."""
    pixels = np.asarray(image)[None]
    heatmaps = resize(heatmap[None, ..., None], pixels.shape[1:3])[..., 0].clip(0, 1)
    return data_url(overlay(pixels, heatmaps)[0])


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels of shape (height, width, 3) as a data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode()


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()
