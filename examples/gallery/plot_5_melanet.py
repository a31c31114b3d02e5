"""
MelaNet and where it looks
==========================

MelaNet is the paper's classifier as a scikit-learn estimator. Here a small network with random
initial weights is trained on toy lesions, drawn by a program. The paper trains VGG16 with ImageNet
weights on photographs.

.. warning::

   **Not for diagnosis.** No prediction or heat map on this page is a medical finding, and results
   on toy lesions do not apply to skin.
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
# ``val_loss`` is the loss on a fifth of the training images, which ``fit`` holds out.
#
# How good is it?
# ---------------
# The report has intervals, and uses images that were not part of the training. Sensitivity is the
# share of malignant lesions that are found.
scores = model.predict_proba(X[test])[:, 1]
print(screening_report(y[test], scores))

# %%
# Where does it look?
# -------------------
# Grad-CAM shows which parts of an image support the prediction of a class; red is strongest. A map
# does not show where a lesion is, or whether the network is right. ``p`` is the predicted
# probability of "malignant"; all six images are malignant.
shown = test.start + np.flatnonzero(y[test] == 1)[:6]
_, overlays = model.explain(X[shown], label="malignant", return_overlay=True)
pictures = plot_images(
    [X[shown], overlays],
    row_titles=["toy lesion", "Grad-CAM"],
    titles=[f"p = {p:.2f}" for p in model.predict_proba(X[shown])[:, 1]],
)
