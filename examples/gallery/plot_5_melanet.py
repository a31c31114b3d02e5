"""
MelaNet and where it looks
==========================

MelaNet is the paper's classifier as a scikit-learn estimator. Here it is taught on drawn lesions,
toy data, with a small network that starts from random weights; the paper's is VGG16 from ImageNet
weights, on photographs.

.. warning::

   **Not for diagnosis.** No prediction and no heat map on this page is a medical finding, and
   figures of drawn lesions say nothing about skin.
"""

# sphinx_gallery_thumbnail_number = 2
import numpy as np

from melanet import MelaNet
from melanet.datasets import make_lesions
from melanet.metrics import screening_report
from melanet.plotting import plot_curves, plot_images

X, y = make_lesions(500, weights=(0.7, 0.3), image_size=32, difficulty=0.2, random_state=0)
train, test = slice(0, 300), slice(300, 500)
names = np.array(["benign", "malignant"])
model = MelaNet(
    backbone="small", input_size=32, class_weight="balanced", epochs=20, random_state=0
).fit(X[train], names[y[train]])
curves = plot_curves(
    {"MelaNet, small network": {k: model.history_[k] for k in ("loss", "val_loss")}}
)

# %%
# How good is it?
# ---------------
# On pictures that took no part in the training, and with intervals. The names mean what they say:
# sensitivity is the share of the malignant ones that is found.
scores = model.predict_proba(X[test])[:, 1]
print(screening_report(y[test], scores))

# %%
# Where does it look?
# -------------------
# Grad-CAM shows where in a picture the network finds what speaks for a class, red most. A map
# does not show where a lesion is, nor whether the network is right.
shown = test.start + np.flatnonzero(y[test] == 1)[:6]
_, overlays = model.explain(X[shown], label="malignant", return_overlay=True)
pictures = plot_images(
    [X[shown], overlays],
    row_titles=["toy lesion", "Grad-CAM"],
    titles=[f"p = {p:.2f}" for p in model.predict_proba(X[shown])[:, 1]],
)
