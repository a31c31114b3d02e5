"""
A pipeline without leakage that trains each GAN once
====================================================

Over-sampling belongs inside the cross-validation: the sampler of a fold may see only that fold's
training rows. imbalanced-learn's pipeline ensures this. Its ``memory=`` caches fitted samplers, so
that a search over the classifier's parameters does not train the same GAN again.

The data are scikit-learn's breast cancer measurements, with only 60 malignant samples. This example
is no basis for a diagnosis.
"""

import tempfile
from pathlib import Path

import numpy as np
from imblearn.pipeline import Pipeline
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from melanet import GANOversampler

X, y = load_breast_cancer(return_X_y=True)
y = 1 - y  # 1 is malignant
rows = np.concatenate([np.flatnonzero(y == 0)[:200], np.flatnonzero(y == 1)[:60]])
X, y = X[rows], y[rows]
folds = StratifiedKFold(3, shuffle=True, random_state=0)

# %%
# Over-sample inside the folds
# ----------------------------
# ``random_state`` makes the results repeatable, and lets the cache recognise an unchanged sampler.
cache = tempfile.TemporaryDirectory()
pipeline = Pipeline(
    [
        ("sampler", GANOversampler(steps=600, random_state=0)),
        ("classifier", KNeighborsClassifier()),
    ],
    memory=cache.name,
)
sound = cross_val_score(pipeline, X, y, cv=folds, scoring="balanced_accuracy")
print(f"balanced accuracy {sound.mean():.3f}")


def count_trained():
    """Return the number of fitted samplers in the cache."""
    return len(list(Path(cache.name).rglob("output.pkl")))


print(count_trained(), "GANs trained")

# %%
# A search trains no further GAN
# ------------------------------
# Four numbers of neighbours on three folds need the same three samplers. Their results are read
# from the cache.
search = GridSearchCV(
    pipeline,
    {"classifier__n_neighbors": [1, 3, 5, 15]},
    cv=folds,
    scoring="balanced_accuracy",
    refit=False,
).fit(X, y)
print(f"best of 12 fits: {search.best_params_}; {count_trained()} GANs trained, as before")

# %%
# Over-sample before the split: leakage
# -------------------------------------
# Over-sampling before the split puts synthetic rows into the test folds, and rows made from test
# rows into the training folds. The score then measures how well the classifier knows the GAN.
X_res, y_res = GANOversampler(steps=600, random_state=0).fit_resample(X, y)
leaking = cross_val_score(
    KNeighborsClassifier(), X_res, y_res, cv=folds, scoring="balanced_accuracy"
)
print(f"sound {sound.mean():.3f}, leaking {leaking.mean():.3f}")

# %%
figure = Figure(figsize=(5.5, 3), layout="constrained")
axis = figure.subplots()
for i, scores in enumerate((sound, leaking)):
    axis.plot(scores, [i] * 3, "o", color="#0072B2", alpha=0.5)
    axis.plot(scores.mean(), i, "|", color="#D55E00", markersize=28, markeredgewidth=3)
axis.set(yticks=[0, 1], ylim=(-0.6, 1.6), xlabel="balanced accuracy: three folds and their mean")
axis.set_yticklabels(["over-sampled\ninside the folds", "over-sampled\nbefore the split"])
cache.cleanup()
