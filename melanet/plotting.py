"""Pictures for papers and reports: grids of images, maps of features, training curves.

Each function returns a matplotlib ``Figure`` that belongs to no window, and writes it if `path`
is given. matplotlib and umap-learn come with ``pip install "melanet[plot]"``.
"""

import importlib

import numpy as np

from melanet.utils._files import atomic_path

# Okabe & Ito's palette, told apart by readers of all kinds of colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def plot_images(rows, *, row_titles=None, titles=None, path=None):
    """Draw images in rows, such as sources above their translations.

    Parameters
    ----------
    rows : sequence of arrays of shape (n, H, W), (n, H, W, 1) or (n, H, W, 3)
        One array for each row: uint8, or floats in [0, 1].
    row_titles, titles : sequence of str or None, default=None
        Text left of each row, and above each column.
    path : str or path-like or None, default=None
        File to write, such as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a row is empty or holds no images.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.plotting import plot_images
    >>> figure = plot_images([np.zeros((3, 8, 8)), np.ones((3, 8, 8))], row_titles=["a", "b"])
    >>> len(figure.axes)
    6
    """
    rows = [np.asarray(row) for row in rows]
    for row in rows:
        if (
            row.ndim not in (3, 4)
            or not len(row)
            or (row.ndim == 4 and row.shape[-1] not in (1, 3))
        ):
            raise ValueError(
                "rows must hold images, (n, H, W) or (n, H, W, 1 or 3), one or more in each row. "
                f"Received: shape {row.shape}"
            )
    columns = max(map(len, rows)) if rows else 0
    if not columns:
        raise ValueError("rows must hold one row or more. Received: none")
    figure = _figure((1.2 * columns, 1.2 * len(rows) + (0.4 if titles else 0)))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for i, row in enumerate(rows):
        for j, axis in enumerate(axes[i]):
            axis.set(xticks=[], yticks=[], frame_on=False)
            if j < len(row):
                picture = row[j][..., 0] if row[j].shape[-1:] == (1,) else row[j]
                axis.imshow(picture, cmap="gray", vmin=0, vmax=255 if row.dtype.kind in "iu" else 1)
        if row_titles is not None:
            axes[i, 0].set_ylabel(row_titles[i])
    for axis, title in zip(axes[0], titles if titles is not None else ()):
        axis.set_title(title, fontsize="small")
    return _write(figure, path)


def umap_embedding(features, *, random_state=None, n_neighbors=15):
    """Lay features out in the plane by UMAP.

    The method is [1]_. Distances in the plane are no measure of anything; take them among the
    features.

    Parameters
    ----------
    features : array-like of shape (n, n_features)
        Such as ``MelaNet.embed`` gives; four or more.
    random_state : int or None, default=None
        Seed of the layout.
    n_neighbors : int, default=15
        How many neighbours the layout tries to keep, at most n - 1.

    Returns
    -------
    ndarray of shape (n, 2), float32
        A point for each row of features.

    Raises
    ------
    ValueError
        If there are too few features.
    ImportError
        Without umap-learn.

    References
    ----------
    .. [1] McInnes, L., Healy, J., & Melville, J. (2018). UMAP: Uniform Manifold Approximation and
       Projection for Dimension Reduction. arXiv:1802.03426.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < 4:
        raise ValueError(
            "features must be four or more rows, shape (n, n_features). "
            f"Received: shape {features.shape}"
        )
    umap = _import("umap", "umap-learn")
    reducer = umap.UMAP(
        n_neighbors=min(n_neighbors, len(features) - 1),
        init="random" if len(features) < 10 else "spectral",
        random_state=random_state,
        n_jobs=1,  # what a seed asks for, said so that it is no warning
    )
    return reducer.fit_transform(features)


def plot_embedding(panels, *, path=None):
    """Draw points of the plane by their labels, in panels of the same limits.

    Parameters
    ----------
    panels : dict
        Title -> (points of shape (n, 2), labels of shape (n,)). A label has one colour in all.
    path : str or path-like or None, default=None
        File to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If points and labels do not fit.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> from melanet.plotting import plot_embedding
    >>> figure = plot_embedding({"all": ([[0, 0], [1, 1]], ["benign", "malignant"])})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['benign', 'malignant']
    """
    panels = {title: (np.asarray(p), np.asarray(labels)) for title, (p, labels) in panels.items()}
    for points, labels in panels.values():
        if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
            raise ValueError(
                "panels must hold points of shape (n, 2) and n labels. "
                f"Received: points of shape {points.shape} and {len(labels)} labels"
            )
    names = list(dict.fromkeys(name for _, labels in panels.values() for name in labels.tolist()))
    figure = _figure((4.2 * len(panels), 4.2))
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    handles = {}
    for axis, (title, (points, labels)) in zip(axes, panels.items()):
        for i, name in enumerate(names):
            chosen = points[labels == name]
            if len(chosen):
                colour = _COLOURS[i % len(_COLOURS)]
                handles[name] = axis.scatter(*chosen.T, s=8, alpha=0.6, color=colour, label=name)
        axis.set(title=title, xticks=[], yticks=[])
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
    return _write(figure, path)


def plot_curves(histories, *, path=None):
    """Draw values by epoch, a panel for each training.

    Parameters
    ----------
    histories : dict
        Title -> dict of name -> values by epoch, such as ``MelaNet.history_`` or
        ``GANOversampler.history_[label]``.
    path : str or path-like or None, default=None
        File to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to draw.
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> from melanet.plotting import plot_curves
    >>> figure = plot_curves({"MelaNet": {"loss": [0.7, 0.5], "val_loss": [0.7, 0.6]}})
    >>> len(figure.axes[0].lines)
    2
    """
    if not histories or not all(histories.values()):
        raise ValueError(f"histories must hold values to draw. Received: {histories!r}")
    columns = min(3, len(histories))
    rows = -(-len(histories) // columns)
    figure = _figure((4 * columns, 2.8 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (title, history) in zip(axes, histories.items()):
        for name, values in history.items():
            mark = "." if len(values) == 1 else None
            axis.plot(range(1, len(values) + 1), values, label=name, marker=mark)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize="small")
    for axis in axes[len(histories) :]:
        axis.remove()
    return _write(figure, path)


def _figure(size):
    _import("matplotlib", "matplotlib")
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _import(module, package):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'melanet.plotting needs {package}: pip install "melanet[plot]"'
        ) from error


def _write(figure, path):
    """Write the figure under its name if it is whole."""
    if path is not None:
        with atomic_path(path) as partial:
            figure.savefig(partial, dpi=120)
    return figure
