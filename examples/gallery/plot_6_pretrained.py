"""
Train a CycleGAN once, use it often
===================================

A CycleGAN can be trained by itself, written to a file, and given to the sampler, which then trains
nothing. In the same way ``pretrained={1: "isic2016"}`` takes the paper's published generator.

The pictures are drawn lesions, toy data of 32x32; the 150 steps are a small budget, and the
networks are a quarter of the usual width. Not for diagnosis.
"""

import tempfile
from pathlib import Path

import numpy as np

from melanet import CycleGAN, GANOversampler, UnpairedImages
from melanet.datasets import make_lesions
from melanet.plotting import plot_images

X, y = make_lesions(150, image_size=32, difficulty=0, random_state=0)
benign, malignant = (X[y == label].astype("float32") / 127.5 - 1 for label in (0, 1))
print(len(benign), "benign,", len(malignant), "malignant")

# %%
# Train and save
# --------------
# The networks know images in [-1, 1]. An epoch of ``UnpairedImages`` shows the smaller set once
# unless ``steps`` says otherwise.
gan = CycleGAN.from_shape((32, 32, 3), filters=8, discriminator_filters=16, seed=0)
gan.fit(UnpairedImages(benign, malignant, batch_size=2, steps=150), epochs=1, verbose=0)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "b2m.keras"
gan.save(path)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# Load and translate
# ------------------
# The reader runs nothing that a file contains. There and back again: the second translation should
# return to where the first began.
loaded = CycleGAN.from_pretrained(path)
before = benign[:8]
after = loaded.translate(before, to="B")
back = loaded.translate(after, to="A")
pictures = plot_images(
    [(images + 1) / 2 for images in (before, after, back)],
    row_titles=["benign (toy)", "translated", "and back"],
)

# %%
# Fill up without training
# ------------------------
# The file can be given as it is. The judge still looks at each translation; what it refuses is
# replaced by a changed copy of a real picture.
sampler = GANOversampler(pretrained={1: path}, random_state=0)
X_res, y_res = sampler.fit_resample(X, y)
print(np.bincount(y), "->", np.bincount(y_res), X_res.dtype)
print({str(kind): int(n) for kind, n in zip(*np.unique(sampler.source_kind_, return_counts=True))})
folder.cleanup()
