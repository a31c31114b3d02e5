"""
The paper's Table 1, from counts to measures
============================================

Table 1 of the MelaNet paper has a column "Sensitivity". The confusion matrices can be recovered
from its numbers (:doc:`the page on Table 1 </table-1>` shows how). They show that the rows of the
paper's own networks print the negative predictive value there: the share of benign ones among the
images called benign. This example computes all measures from the counts. It is no basis for a
diagnosis.
"""

import pandas as pd
from matplotlib.figure import Figure

from melanet.metrics import paper_table_1

rows = pd.DataFrame(paper_table_1()).set_index("method")
# True positives (malignant images called malignant), false negatives, true negatives and false
# positives. Rows above VGG-GAP are other authors' methods.
own = rows.loc["VGG-GAP":, ["tp", "fn", "tn", "fp"]].astype(int)
own

# %%
# From counts to measures
# -----------------------
# The test set has 304 benign and 75 malignant images. In percent:
measures = pd.DataFrame(
    {
        "sensitivity": own.tp / (own.tp + own.fn),
        "specificity": own.tn / (own.tn + own.fp),
        "negative predictive value": own.tn / (own.tn + own.fn),
        "positive predictive value": own.tp / (own.tp + own.fp),
    }
)
measures["balanced accuracy"] = (measures["sensitivity"] + measures["specificity"]) / 2
(100 * measures).round(2)

# %%
# The printed column and two measures
# -----------------------------------
printed = rows.loc[own.index, "printed_sensitivity"]
figure = Figure(figsize=(7.5, 3.2), layout="constrained")
axis = figure.subplots()
for name, mark, colour in (
    ("negative predictive value", "o", "#0072B2"),
    ("sensitivity", "s", "#D55E00"),
):
    axis.plot(100 * measures[name], own.index, mark, color=colour, markersize=8, label=name)
axis.plot(printed, own.index, "x", color="black", markersize=11, label='printed as "Sensitivity"')
axis.set(xlim=(0, 100), xlabel="percent")
axis.invert_yaxis()
figure.legend(loc="outside lower center", ncols=3)

# %%
# Every cross lies in a circle: the column has negative predictive values. A network that calls
# everything benign would have 80 % in this column, with a sensitivity of 0.
