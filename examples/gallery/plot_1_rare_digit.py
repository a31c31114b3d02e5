"""
Fill up a rare digit
====================

The data are scikit-learn's digits, with 8x8 pixels: 120 images of the digit 3 and only 12 of the
digit 8. A CycleGAN learns from these 132 images to translate a 3 into an 8. The missing eights are
then made from threes.

The budget is small: 200 steps instead of the default of 600.
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
# The pixels are floats from 0 to 16. The sampler cannot infer this range, so it must be given.
sampler = GANOversampler(value_range=(0, 16), steps=200, random_state=0)
X_res, y_res = sampler.fit_resample(X, y)
print({int(digit): int(n) for digit, n in zip(*np.unique(y_res, return_counts=True))})

# %%
# The originals come first, unchanged and in their original form.
print(np.array_equal(X_res[: len(X)], X), X_res.shape, X_res.dtype, X_res.min(), X_res.max())

# %%
# Sources of the new images
# -------------------------
# ``source_indices_`` has the original of each new image. ``source_kind_`` tells translations from
# copies of a real 8. Half of the new images are copies by design. A judge, trained on the real
# images only, checks each translation. A translation that is rejected twice is replaced by a copy.
synthetic, kinds = X_res[len(X) :], sampler.source_kind_
print({str(kind): int(n) for kind, n in zip(*np.unique(kinds, return_counts=True))})

shown = np.flatnonzero(kinds == "translation")[:8]
sources = X[sampler.source_indices_[shown]]
pictures = plot_images(
    [sources / 16, synthetic[shown] / 16, X[y == 8][:8] / 16],
    row_titles=["a real 3", "its translation", "a real 8"],
)

# %%
# Training curves
# ---------------
# The losses of a GAN do not measure the quality of its images, because the discriminators and the
# generators work against each other. Look for a curve that diverges. To measure the samples, use
# :doc:`the quality report </gallery/plot_4_quality_report>`.
names = ("cycle_loss", "identity_loss", "adversarial_loss", "discriminator_loss")
history = {name: sampler.history_[8][name] for name in names}
curves = plot_curves({"CycleGAN, 3 to 8": history})
