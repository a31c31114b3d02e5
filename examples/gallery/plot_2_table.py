"""
A table with categories
=======================

Rows of a table are translated as images are, by a CycleGAN of dense networks. Numbers stay in the
range that was seen, whole numbers stay whole, and categories stay categories.

The data are scikit-learn's Wisconsin breast cancer measurements: 200 benign samples, and 50
malignant ones instead of the 212 that there are. The set has no categories, so one of its columns
is cut into three. This shows what comes back; it is no basis for a diagnosis.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer

from melanet import GANOversampler

data = load_breast_cancer(as_frame=True)
kind = data.target_names[data.target]
X = pd.DataFrame(
    {
        "radius": data.data["mean radius"],
        "area": data.data["mean area"].round().astype(int),
        "smoothness": data.data["mean smoothness"],
        "concavity": pd.cut(
            data.data["mean concavity"], [-1, 0.03, 0.1, 1], labels=["none", "some", "much"]
        ),
    }
)
rows = np.concatenate([np.flatnonzero(kind == "benign")[:200], np.flatnonzero(kind == "malignant")])
kept, unseen = rows[:250], rows[250:]
sampler = GANOversampler(steps=1000, random_state=0)
X_res, y_res = sampler.fit_resample(X.loc[kept], kind[kept])

# %%
# The form stays
# --------------
print(X_res.dtypes)
X_res.tail(4)

# %%
# A random forest that was trained on the real rows judges each translation. What it refuses twice
# is replaced by a row between two near real ones, here called a copy. After the 300 steps that are
# the default for tables there are more of these.
kinds, counts = np.unique(sampler.source_kind_, return_counts=True)
print(dict(zip(kinds.tolist(), counts.tolist())))

# %%
# What the new rows look like
# ---------------------------
# Beside the malignant rows that the sampler saw stand those that it did not see. New rows should
# lie among both. The share of each category among them:
made = X_res.iloc[len(kept) :]
groups = {
    "benign, seen": X.loc[kept[:200]],
    "malignant, seen": X.loc[kept[200:]],
    "malignant, synthetic": made,
    "malignant, never seen": X.loc[unseen],
}
pd.DataFrame(
    {name: part["concavity"].value_counts(normalize=True) for name, part in groups.items()}
).round(2)

# %%
figure = Figure(figsize=(9, 3.2), layout="constrained")
axes = figure.subplots(1, 3, sharex=True, sharey=True)
for axis, name in zip(axes, list(groups)[1:]):
    for part, colour in (("benign, seen", "#bbbbbb"), (name, "#D55E00")):
        axis.scatter(groups[part]["radius"], groups[part]["smoothness"], s=9, color=colour)
    axis.set(title=name, xlabel="radius")
axes[0].set_ylabel("smoothness (grey: benign)")

# %%
# The synthetic rows lie among the malignant ones, and in a narrower band than these; a share of
# them has the category "none", which the benign rows brought along. Whether a classifier gains
# from them is measured on rows that neither it nor the sampler has seen.
# :doc:`The page on tables </tables>` says what becomes of each kind of column.
