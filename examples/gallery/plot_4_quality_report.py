"""
Read a quality report
=====================

Inspect and measure synthetic images before training on them.
:func:`melanet.metrics.quality_report` compares them with the real images of their class and ends
with a verdict. Here it is applied to one good set and three bad ones.

The data are scikit-learn's digits, 120 threes and 20 eights. The GAN has a small budget of 200
steps.
"""

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from melanet import GANOversampler
from melanet.metrics import quality_report

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8)
rows = np.concatenate([np.flatnonzero(y == 3)[:120], np.flatnonzero(y == 8)[:20]])
X, y = X[rows], y[rows]


def report_on(images, sources):
    """Report on images labelled as eights."""
    labels = np.full(len(images), 8)
    return quality_report(
        X, y, images, labels, source_indices=sources, value_range=(0, 16), random_state=0
    )


# %%
# A good set
# ----------
# The sampler makes half translations of threes into eights and half copies of real eights. Every
# second copy is exact, and the report counts them. The first number is the measure, the second a
# yardstick: the value for real samples or another class. :doc:`The user guide </quality-report>`
# explains each line.
sampler = GANOversampler(value_range=(0, 16), steps=200, random_state=0)
X_res, y_res = sampler.fit_resample(X, y)
good = report_on(X_res[len(X) :], sampler.source_indices_)
print(good)

# %%
# The report can also draw sources, synthetic images and the nearest real eight to each. A red frame
# marks images that are not recognised as eights.
page = good.to_picture()

# %%
# Three bad sets
# --------------
# The bad sets are threes with the label 8, one eight repeated 100 times, and copies of real eights.
threes, eights = np.flatnonzero(y == 3), np.flatnonzero(y == 8)
bad = {
    "threes called eights": report_on(X[threes[:100]], threes[:100]),
    "one eight, 100 times": report_on(X[eights[:1]].repeat(100, axis=0), eights[:1].repeat(100)),
    "copies of the eights": report_on(X[eights].repeat(5, axis=0), eights.repeat(5)),
}
for name, report in bad.items():
    print(f"{name}: {report.verdict}")
    for reason in report.reasons:
        print(f"  {reason}")

# %%
# Four measures side by side
# --------------------------
# A different measure detects each set. Copies are not harmful: they are random over-sampling, and
# the report says so.
reports = {"GANOversampler": good, **bad}
measures = {
    "success": "recognised\nas eights",
    "identity": "like their\nsource",
    "distinct": "distinct",
    "copies": "copies of\nreal eights",
}
figure = Figure(figsize=(9, 2.6), layout="constrained")
for axis, (name, title) in zip(figure.subplots(1, 4, sharey=True), measures.items()):
    values = [np.nan_to_num(report.classes[8][name]) for report in reports.values()]
    axis.barh(list(reports), values, color=["#009E73", "#D55E00", "#D55E00", "#E69F00"])
    axis.set(title=title, xlim=(0, 1))
    axis.invert_yaxis() if name == "success" else None
