"""
Train a CycleGAN once, use it often
===================================

A CycleGAN can be trained separately, saved to a file and passed to the sampler, which then trains
nothing. In the same way, ``pretrained={1: "isic2016"}`` uses the paper's published generator.

The images are scikit-learn's digits, 150 fours and 30 nines. The budget is small: 300 steps of
narrow networks.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from melanet import CycleGAN, GANOversampler, UnpairedImages
from melanet.gan.losses import adam
from melanet.plotting import plot_images

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8, 1)
rows = np.concatenate([np.flatnonzero(y == 4)[:150], np.flatnonzero(y == 9)[:30]])
X, y = X[rows], y[rows]

# %%
# Train and save
# --------------
# The networks expect images in [-1, 1]. An epoch of ``UnpairedImages`` shows the smaller set once,
# unless ``steps`` is set. The learning rate is higher than the paper's and decays to 0.
fours, nines = (X[y == digit] / 8 - 1 for digit in (4, 9))
gan = CycleGAN.from_shape((8, 8, 1), filters=16, discriminator_filters=16, seed=0)
gan.compile(adam(1e-3, decay_steps=300))
gan.fit(UnpairedImages(fours, nines, batch_size=4, steps=300), epochs=1, verbose=0)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "4-to-9.keras"
gan.save(path)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# Load and translate
# ------------------
# Loading never executes code from a file. Translating back should restore the original image.
loaded = CycleGAN.from_pretrained(path)
before = fours[:8]
after = loaded.translate(before, to="B")
back = loaded.translate(after, to="A")
pictures = plot_images(
    [(images + 1) / 2 for images in (before, after, back)],
    row_titles=["real", "translated", "back"],
)

# %%
# Fill up without training
# ------------------------
# Pass the path of the file. The judge still checks each translation; one that is rejected twice is
# replaced by a slightly changed real image.
sampler = GANOversampler(pretrained={9: path}, value_range=(0, 16), random_state=0)
X_res, y_res = sampler.fit_resample(X, y)
digits, counts = np.unique(y_res, return_counts=True)
print(dict(zip(digits.tolist(), counts.tolist())))
kinds, counts = np.unique(sampler.source_kind_, return_counts=True)
print(dict(zip(kinds.tolist(), counts.tolist())))
folder.cleanup()
