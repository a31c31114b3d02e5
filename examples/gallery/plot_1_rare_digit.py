"""
Fill up a rare digit
====================

Scikit-learn's digits, 8x8 pixels: 120 images of the digit 3 and only 12 of the digit 8. A
CycleGAN learns from these 132 images to turn a 3 into an 8, and the threes become the eights that
are missing.

The budget is small: 200 steps, where the default takes 600.
"""

import numpy as np
from sklearn.datasets import load_digits

from melanet import GANOversampler
from melanet.plotting import plot_curves, plot_images

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8)
rows = np.concatenate([np.flatnonzero(y == 3)[:120], np.flatnonzero(y == 8)[:12]])
X, y = X[rows], y[rows]
print({int(digit): int(n) for digit, n in zip(*np.unique(y, return_counts=True))})

# %%
# Fit and resample
# ----------------
# The pixels are floats from 0 to 16. That is none of the ranges that the sampler knows by itself,
# so it has to be said.
sampler = GANOversampler(value_range=(0, 16), steps=200, random_state=0)
X_res, y_res = sampler.fit_resample(X, y)
print({int(digit): int(n) for digit, n in zip(*np.unique(y_res, return_counts=True))})

# %%
# The originals come first, untouched, in the form that they had.
print(np.array_equal(X_res[: len(X)], X), X_res.shape, X_res.dtype, X_res.min(), X_res.max())

# %%
# Where each new image comes from
# -------------------------------
# ``source_indices_`` names the original of each new image. ``source_kind_`` says whether it is a
# translation or a copy of a real 8. Half are copies by intent; a judge, trained on the real images
# alone, looks at each translation, and what it refuses twice becomes a copy, too.
made, kinds = X_res[len(X) :], sampler.source_kind_
print({str(kind): int(n) for kind, n in zip(*np.unique(kinds, return_counts=True))})

shown = np.flatnonzero(kinds == "translation")[:8]
sources = X[sampler.source_indices_[shown]]
pictures = plot_images(
    [sources / 16, made[shown] / 16, X[y == 8][:8] / 16],
    row_titles=["a real 3", "its translation", "a real 8"],
)

# %%
# How the training went
# ---------------------
# A loss of a GAN is no measure of its pictures: the discriminator's and the generators' losses
# pull at each other. What to look for is a curve that breaks out. For the samples themselves see
# :doc:`the quality report </gallery/plot_4_quality_report>`.
names = ("cycle_loss", "identity_loss", "adversarial_loss", "discriminator_loss")
history = {name: sampler.history_[8][name] for name in names}
curves = plot_curves({"CycleGAN, 3 to 8": history})
