"""Pictures of the form that the worked examples of docs/image-data.md read, drawn by code."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_chest_xrays(folder, n_normal=50, n_pneumonia=60, side=96, seed=0):
    """Write train and test of normal and pneumonia: grey JPEGs, named by their patients."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side - 0.5
    for part in ("train", "test"):
        for label, n in (("normal", n_normal), ("pneumonia", n_pneumonia)):
            for i in range(n):
                lungs = np.hypot((np.abs(x) - 0.2) / 0.16, y / 0.35) < rng.uniform(0.9, 1.1)
                picture = 150 - 90.0 * lungs + 6 * rng.standard_normal((side, side))
                if label == "pneumonia":  # a cloud in one lung
                    cx, cy = rng.choice([-0.2, 0.2]), rng.uniform(-0.2, 0.2)
                    picture += 70 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.01) * lungs
                patient = f"person{i // 2}_virus" if label == "pneumonia" else f"IM-{i // 2:04d}"
                path = Path(folder, part, label, f"{patient}_{i}.jpeg")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture.clip(0, 255).astype("uint8")).save(path, quality=95)


def write_cells(folder, n_plain=40, n_inclusion=12, side=48, seed=0):
    """Write TIFFs of 16 bits with the values of a 12-bit camera, in folders plain and inclusion."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side - 0.5
    for label, n in (("plain", n_plain), ("inclusion", n_inclusion)):
        for i in range(n):
            cell = np.hypot(x, y * rng.uniform(0.7, 1.3)) < rng.uniform(0.25, 0.4)
            picture = 300 + 1200 * cell + 60 * rng.standard_normal((side, side))
            if label == "inclusion":
                cx, cy = rng.uniform(-0.12, 0.12, 2)
                picture += 2000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.003)
            path = Path(folder, label, f"{i}.tif")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.clip(0, 4095).astype("uint16")).save(path)
