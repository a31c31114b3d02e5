"""
Find images that are in two sets
================================

An image in both the training set and the test set inflates every score. The years of the ISIC
challenge share hundreds of images. :func:`melanet.datasets.find_duplicates` finds copies that were
saved again, reduced, flipped, rotated or brightened, and :func:`melanet.datasets.check_overlap`
warns about them.

The images here are toy lesions, drawn by a program.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from melanet.datasets import check_overlap, find_duplicates, make_lesions
from melanet.plotting import plot_images

folder = tempfile.TemporaryDirectory()
train, test = Path(folder.name) / "train", Path(folder.name) / "test"
train.mkdir()
test.mkdir()
X, _ = make_lesions(40, image_size=64, random_state=0)
for i, pixels in enumerate(X[:30]):
    Image.fromarray(pixels).save(train / f"{i:02}.png")
for i, pixels in enumerate(X[30:]):
    Image.fromarray(pixels).save(test / f"new-{i}.png")

# %%
# Put changed copies into the test set
# ------------------------------------
changes = {
    "small": lambda picture: picture.resize((40, 40)),
    "mirrored": ImageOps.mirror,
    "rotated": lambda picture: picture.rotate(90),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "cropped": lambda picture: picture.crop((8, 8, 56, 56)),
}
for i, (name, change) in enumerate(changes.items()):
    change(Image.fromarray(X[i])).save(test / f"{name}.jpg", quality=60)

# %%
# Find them
# ---------
# The distance is the number of bits, out of 255, in which two perceptual hashes differ. Up to 40,
# the images are called "near".
paths = [sorted(part.iterdir()) for part in (train, test)]
found = find_duplicates(*paths)
for pair in found:
    print(Path(pair.path_a).name, Path(pair.path_b).name, pair.reason, pair.distance)

# %%
# The cropped copy is not found, because a hash of the whole image cannot detect strong crops. None
# of the ten new images is mistaken for another.
pictures = plot_images(
    [
        np.stack([np.asarray(Image.open(path).resize((64, 64))) for path in side])
        for side in zip(*[(pair.path_a, pair.path_b) for pair in found])
    ],
    row_titles=["training set", "test set"],
    titles=[Path(pair.path_b).stem for pair in found],
)

# %%
# Warn in a script
# ----------------
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    check_overlap(*paths)
print(caught[0].message)
folder.cleanup()
