"""The result page's pictures: a dot for each draw of each task, and the mean ranks."""

import numpy as np

from helping.results import COLUMNS


def draw(results, folder):
    """Write the pictures; return their names.

    Parameters
    ----------
    results : helping.results.Results
        All records.
    folder : pathlib.Path
        Made if missing.
    """
    import matplotlib

    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"does-it-help-tasks.png": _tasks(results), "does-it-help-ranks.png": _ranks(results)}
    for name, figure in figures.items():
        partial = folder / f".{name}.partial"
        figure.savefig(partial, format="png", dpi=100)
        partial.replace(folder / name)
    return list(figures)


def _tasks(results):
    from matplotlib.figure import Figure

    n_columns = min(3, len(results.tasks))
    n_rows = -(-len(results.tasks) // n_columns)
    size = (2 + 4 * n_columns, 0.8 + n_rows * (0.6 + 0.22 * len(results.arms)))
    figure = Figure(size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
    for axis, task in zip(axes, results.tasks):
        for augmented, column in COLUMNS.items():
            colour, place = (("tab:blue", 0.15), ("tab:gray", -0.15))[not augmented]
            for i, arm in enumerate(results.arms):
                values = results.values(task, arm, augmented, "balanced_accuracy").values()
                values = np.array(list(values))
                axis.plot(values, np.full(len(values), i + place), ".", color=colour, alpha=0.5)
                if len(values):
                    label = column if i == 0 else None
                    axis.plot(
                        values.mean(), i + place, "|", ms=11, mew=2, color=colour, label=label
                    )
        axis.set_title(f"{task} ({results.half[task]})", fontsize=9)
        axis.grid(axis="x", alpha=0.3)
    for axis in axes[len(results.tasks) :]:
        axis.set_visible(False)
    axes[0].set_yticks(range(len(results.arms)), results.arms)
    for axis in axes:
        axis.tick_params(axis="y", labelsize=8)
    axes[0].invert_yaxis()
    axes[0].legend(fontsize=8)
    figure.supxlabel("balanced accuracy: a dot for each draw, a bar for the mean", fontsize=9)
    return figure


def _ranks(results):
    from matplotlib.figure import Figure

    figure = Figure((9, 1.2 + 0.35 * len(results.arms)), layout="constrained")
    axis = figure.subplots()
    for augmented, column in COLUMNS.items():
        ranks = results.ranks(augmented, "balanced_accuracy")
        place = 0.2 if augmented else -0.2
        where = [i + place for i, arm in enumerate(results.arms) if arm in ranks]
        colour = "tab:blue" if augmented else "tab:gray"
        axis.barh(where, list(ranks.values()), 0.38, color=colour, label=column)
    axis.set_yticks(range(len(results.arms)), results.arms)
    axis.invert_yaxis()
    axis.set_xlabel("mean rank over the tasks by balanced accuracy (1 is best)")
    axis.legend()
    return figure
