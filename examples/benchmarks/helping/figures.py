"""Figures of the result page: the scores of every task, and the mean ranks."""

import numpy as np

from melanet.utils._files import atomic_path

_COLOURS = {"raw": "tab:gray", "augmented": "tab:blue", "features": "tab:orange"}


def draw(results, folder):
    """Write the figures.

    Parameters
    ----------
    results : helping.results.Results
        All records.
    folder : pathlib.Path
        Output folder, created if missing.
    """
    import matplotlib

    matplotlib.use("Agg")
    figures = {
        "does-it-help-tasks.png": _plot_tasks(results),
        "does-it-help-ranks.png": _plot_ranks(results),
    }
    for name, figure in figures.items():
        with atomic_path(folder / name) as partial:
            figure.savefig(partial, dpi=100)


def _plot_tasks(results):
    from matplotlib.figure import Figure

    n_columns = min(3, len(results.tasks))
    n_rows = -(-len(results.tasks) // n_columns)
    size = (2 + 4 * n_columns, 0.8 + n_rows * (0.6 + 0.22 * len(results.arms)))
    figure = Figure(size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
    for axis, task in zip(axes, results.tasks):
        for k, column in enumerate(results.columns):
            colour, offset = _COLOURS[column], 0.25 * (1 - k)
            for i, arm in enumerate(results.arms):
                values = results.values(task, arm, column, "auc").values()
                values = np.array(list(values))
                axis.plot(values, np.full(len(values), i + offset), ".", color=colour, alpha=0.5)
                if len(values):
                    label = column if i == 0 else None
                    axis.plot(
                        values.mean(), i + offset, "|", ms=11, mew=2, color=colour, label=label
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
    figure.supxlabel("AUC: a dot for each draw, a bar for the mean", fontsize=9)
    return figure


def _plot_ranks(results):
    from matplotlib.figure import Figure

    figure = Figure((9, 1.2 + 0.35 * len(results.arms)), layout="constrained")
    axis = figure.subplots()
    for k, column in enumerate(results.columns):
        ranks = results.ranks(column, "auc")
        heights = [i + 0.25 * (k - 1) for i, arm in enumerate(results.arms) if arm in ranks]
        axis.barh(heights, list(ranks.values()), 0.24, color=_COLOURS[column], label=column)
    axis.set_yticks(range(len(results.arms)), results.arms)
    axis.invert_yaxis()
    axis.set_xlabel("mean rank over the tasks by AUC (1 is best)")
    axis.legend()
    return figure
