"""What goes out: pictures as PNGs, and as data URLs that hold them."""

import base64
import io

import numpy as np
from PIL import Image

from melanet.classifier import _grad_cam
from melanet.datasets._lesions import make_lesions
from melanet.images._transform import resize

_EACH = 3  # examples of each class


def draw_examples():
    """Return (label, PNG) of drawn lesions, benign and malignant in turn."""
    options = {"image_size": 192, "difficulty": 0.2, "random_state": 0}
    kinds = [
        (name, make_lesions(_EACH, weights=weights, **options)[0])
        for name, weights in (("benign", (1, 0)), ("malignant", (0, 1)))
    ]
    return [(name, _png(X[i])) for i in range(_EACH) for name, X in kinds]


def draw_overlay(picture, heat):
    """Return the picture with a heat map over it, as a data URL."""
    pixels = np.asarray(picture)[None]
    heat = resize(heat[None, ..., None], pixels.shape[1:3])[..., 0].clip(0, 1)
    return data_url(_grad_cam.overlay(pixels, heat)[0])


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def data_url(pixels):
    """Return pixels, (height, width, 3) uint8, as a data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode()
