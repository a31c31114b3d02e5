"""
A table with categories
=======================

Rows of a table are translated like images, by a CycleGAN of dense networks, if one is asked for,
here by its number of steps. Numbers stay within the range of the training data, integers stay
integers, and categories stay categories.

The data are scikit-learn's Wisconsin breast cancer measurements: 200 benign samples, and only 50 of
the 212 malignant ones. The data set has no categories, so one of its columns is divided into three.
The example shows the form of the result; it is no basis for a diagnosis.
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
# The result has the original form
# --------------------------------
print(X_res.dtypes)
X_res.tail(4)

# %%
# A random forest, trained on the real rows, checks each translation. One that is rejected twice is
# replaced by a row between two similar real ones, called a copy here. With fewer steps there are
# more copies, and without ``steps`` all rows are made so.
kinds, counts = np.unique(sampler.source_kind_, return_counts=True)
print(dict(zip(kinds.tolist(), counts.tolist())))

# %%
# Compare the new rows with real ones
# -----------------------------------
# New rows should resemble both the malignant rows that the sampler has seen and those that it has
# not. The share of each category:
synthetic = X_res.iloc[len(kept) :]
groups = {
    "benign, seen": X.loc[kept[:200]],
    "malignant, seen": X.loc[kept[200:]],
    "malignant, synthetic": synthetic,
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
# The synthetic rows lie among the malignant ones, but in a narrower band. Some have the category
# "none", like the benign rows that they were made from. To find out whether a classifier gains from
# them, test it on rows that neither it nor the sampler has seen.
# :doc:`The page on tables </tables>` describes how each kind of column is handled.
