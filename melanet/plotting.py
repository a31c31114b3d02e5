"""Figures for papers and reports: grids of images, maps of features, training curves.

Each function returns a matplotlib ``Figure`` without a window, and writes it to a file if `path`
is given. To install matplotlib and umap-learn, run ``pip install "melanet[plot]"``.
"""

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanet.images import difference_map
from melanet.preprocessing import ImageForm, Scale, as_numbers
from melanet.utils._files import atomic_path, check_writable
from melanet.utils._labels import label_texts
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_unmasked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, suitable for colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def plot_images(
    rows: Sequence[ArrayLike],
    *,
    row_titles: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
    path: PathLike | None = None,
) -> "Figure":
    """Draw images in rows, such as sources above their translations.

    Parameters
    ----------
    rows : sequence of arrays of shape (n, H, W), (n, H, W, 1) or (n, H, W, 3)
        One array per row; a list of arrays or PIL images is an array, too.
    row_titles, titles : sequence of str or None, default=None
        Text left of each row and above each column.
    value_range : (float, float) or None, default=None
        Values of black and white. None infers them for each row, see
        `melanet.preprocessing.infer_value_range`.
    path : str or path-like or None, default=None
        File to write, such as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are no rows, a row is empty or does not hold images, there are more or fewer
        titles than rows or columns, or a row's range of values cannot be inferred.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.plotting import plot_images
    >>> figure = plot_images([np.zeros((3, 8, 8)), np.ones((3, 8, 8))], row_titles=["a", "b"])
    >>> len(figure.axes)
    6
    """
    _check_path(path)
    arrays = [_shown(images, Scale.of(images, value_range)) for images in map(_check_images, rows)]
    if not arrays:
        raise ValueError("rows must hold at least one row. Received: none")
    n_columns = max(map(len, arrays))
    for name, texts, n in (("row_titles", row_titles, len(arrays)), ("titles", titles, n_columns)):
        if texts is not None and len(texts) != n:
            raise ValueError(
                f"{name} must hold {n} texts, one for each. Received: {len(texts)}, {list(texts)}"
            )
    figure = _make_figure((1.2 * n_columns, 1.2 * len(arrays) + (0.4 if titles else 0)))
    axes = figure.subplots(len(arrays), n_columns, squeeze=False)
    for i, images in enumerate(arrays):
        for j, axis in enumerate(axes[i]):
            axis.set(xticks=[], yticks=[], frame_on=False)
            if j < len(images):
                image = images[j][..., 0] if images[j].shape[-1:] == (1,) else images[j]
                vmax = 255 if image.dtype == np.uint8 else 1
                axis.imshow(image, cmap="gray", vmin=0, vmax=vmax)
        if row_titles is not None:
            axes[i, 0].set_ylabel(row_titles[i])
    for axis, title in zip(axes[0], () if titles is None else titles):
        axis.set_title(title, fontsize="small")
    return _write(figure, path)


def plot_edits(
    sources: ArrayLike,
    translations: ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    value_range: tuple[float, float] | None = None,
    path: PathLike | None = None,
) -> "Figure":
    """Draw sources, their translations, and where these were edited.

    Parameters
    ----------
    sources, translations : array of shape (n, H, W), (n, H, W, 1) or (n, H, W, 3)
        Pairs of images on one scale.
    titles : sequence of str or None, default=None
        Text above each pair.
    value_range : (float, float) or None, default=None
        Values of black and white; None infers them from the sources, as in `plot_images`.
    path : str or path-like or None, default=None
        File to write, such as a PNG.

    Returns
    -------
    matplotlib.figure.Figure
        In its third row, red is where a translation is brighter than its source, blue where it
        is darker, relative to the largest difference of all pairs.

    Raises
    ------
    ValueError
        If the two arrays have different shapes or scales, or do not hold images.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.plotting import plot_edits
    >>> len(plot_edits(np.zeros((2, 8, 8)), np.ones((2, 8, 8))).axes)
    6
    """
    before, after = _check_images(sources), _check_images(translations)
    problem = "sources and translations must be pairs of images of the same shape and scale. "
    if before.shape != after.shape:
        raise ValueError(
            f"{problem}Received: {before.dtype} of shape {before.shape}, {after.dtype} of shape "
            f"{after.shape}"
        )
    scale = Scale.of(before, value_range)
    try:
        scale.check(after)
    except ValueError as error:
        raise ValueError(f"{problem}{error}") from error
    pair = [_to_unit_range(images, scale) for images in (before, after)]
    pair = [images[..., None] if images.ndim == 3 else images for images in pair]
    edits = (difference_map(*pair) + 1) / 2
    return plot_images(
        [*(_shown(images, scale) for images in (before, after)), edits],
        row_titles=["source", "translation", "edit"],
        titles=titles,
        path=path,
    )


def umap_embedding(
    features: ArrayLike, *, random_state: int | None = None, n_neighbors: int = 15
) -> NDArray[np.float32]:
    """Embed features in the plane by UMAP [1]_.

    Distances in the plane are not meaningful; measure distances between the features instead.

    Parameters
    ----------
    features : array-like of shape (n, n_features)
        Features of at least four samples, such as ``MelaNet.embed`` returns.
    random_state : int or None, default=None
        Seed.
    n_neighbors : int, default=15
        Number of neighbours that the embedding tries to preserve, at most n - 1.

    Returns
    -------
    ndarray of shape (n, 2), float32
        A point for each sample.

    Raises
    ------
    ValueError
        If there are fewer than four samples.
    ImportError
        If umap-learn is not installed.

    References
    ----------
    .. [1] McInnes, L., Healy, J., & Melville, J. (2018). UMAP: Uniform Manifold Approximation and
       Projection for Dimension Reduction. arXiv:1802.03426.
    """
    values = np.asarray(features)
    if values.ndim != 2 or len(values) < 4:
        raise ValueError(
            f"features must have shape (n, n_features), with n >= 4. Received: shape {values.shape}"
        )
    umap = _import("umap", "umap-learn")
    reducer = umap.UMAP(
        n_neighbors=min(n_neighbors, len(values) - 1),
        init="random" if len(values) < 10 else "spectral",
        random_state=random_state,
        n_jobs=1,  # as a seed requires; otherwise UMAP warns
    )
    embedding: NDArray[np.float32] = reducer.fit_transform(values)
    return embedding


def plot_embedding(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike]], *, path: PathLike | None = None
) -> "Figure":
    """Draw points coloured by their labels, in panels with common axis limits.

    Parameters
    ----------
    panels : dict
        Title -> (points of shape (n, 2), labels of shape (n,)). A label has the same colour in
        all panels, of any type: 9 and "9" are one.
    path : str or path-like or None, default=None
        File to write.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a panel's points and labels do not fit together, or labels are missing.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from melanet.plotting import plot_embedding
    >>> figure = plot_embedding({"all": ([[0, 0], [1, 1]], ["benign", "malignant"])})
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['benign', 'malignant']
    """
    _check_path(path)
    for points, labels in panels.values():
        check_unmasked("panels", points)
        check_unmasked("panels", labels)
    arrays = {title: (np.asarray(p), np.asarray(labels)) for title, (p, labels) in panels.items()}
    for points, labels in arrays.values():
        if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels):
            raise ValueError(
                "panels must hold points of shape (n, 2) and n labels. "
                f"Received: points of shape {points.shape} and {len(labels)} labels"
            )
    texts = {title: label_texts("panels", labels) for title, (_, labels) in arrays.items()}
    names = list(dict.fromkeys(text for found in texts.values() for text in found))
    figure = _make_figure((4.2 * len(arrays), 4.2))
    axes = figure.subplots(1, len(arrays), sharex=True, sharey=True, squeeze=False)[0]
    handles = {}
    for axis, (title, (points, _)) in zip(axes, arrays.items()):
        for i, name in enumerate(names):
            chosen = points[[text == name for text in texts[title]]]
            if len(chosen):
                colour = _COLOURS[i % len(_COLOURS)]
                handles[name] = axis.scatter(*chosen.T, s=8, alpha=0.6, color=colour, label=name)
        axis.set(title=title, xticks=[], yticks=[])
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
    return _write(figure, path)


def plot_curves(
    histories: Mapping[str, Mapping[str, Sequence[float]]], *, path: PathLike | None = None
) -> "Figure":
    """Draw values by epoch, with a panel per training.

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
        If `histories` or one of them is empty.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from melanet.plotting import plot_curves
    >>> figure = plot_curves({"MelaNet": {"loss": [0.7, 0.5], "val_loss": [0.7, 0.6]}})
    >>> len(figure.axes[0].lines)
    2
    """
    _check_path(path)
    if not histories or not all(histories.values()):
        raise ValueError(f"histories must hold values to draw. Received: {histories!r}")
    figure, axes = _make_panels(len(histories), 3, (4, 2.8))
    for axis, (title, history) in zip(axes, histories.items()):
        for name, values in history.items():
            marker = "." if len(values) == 1 else None
            axis.plot(range(1, len(values) + 1), values, label=name, marker=marker)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.legend(fontsize="small")
    return _write(figure, path)


def plot_intervals(
    panels: Mapping[str, Mapping[str, tuple[float, float, float]]],
    *,
    path: PathLike | None = None,
) -> "Figure":
    """Draw differences with their intervals, side by side.

    Parameters
    ----------
    panels : dict
        Title -> dict of name -> (difference, low, high). NaN ends draw the difference alone.
    path : str or path-like or None, default=None
        File to write, such as a PNG.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to draw.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from melanet.plotting import plot_intervals
    >>> figure = plot_intervals({"AUC": {"SMOTE": (0.01, -0.02, 0.04)}})
    >>> len(figure.axes)
    1
    """
    _check_path(path)
    if not panels or not all(panels.values()):
        raise ValueError(f"panels must hold intervals to draw. Received: {panels!r}")
    tallest = max(map(len, panels.values()))
    figure, axes = _make_panels(len(panels), 2, (5.2, 1 + 0.3 * tallest))
    for axis, (title, intervals) in zip(axes, panels.items()):
        for i, (mean, low, high) in enumerate(intervals.values()):
            axis.plot([low, high], [i, i], color=_COLOURS[0], linewidth=2)
            axis.plot(mean, i, "o", color=_COLOURS[0])
        axis.axvline(0, color=_COLOURS[-1], linewidth=0.8)
        axis.set_title(title, fontsize="small")
        axis.set_yticks(range(len(intervals)), intervals)
        axis.invert_yaxis()
    return _write(figure, path)


def _check_images(row: ArrayLike) -> np.ndarray:
    images = as_numbers(row)
    is_image = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] in (1, 3))
    if not is_image or not len(images):
        raise ValueError(
            "rows must hold images of shape (n, H, W), (n, H, W, 1) or (n, H, W, 3), with "
            f"n >= 1. Received: shape {images.shape}"
        )
    return images


def _shown(images: np.ndarray, scale: Scale) -> np.ndarray:
    """Return 8-bit images as they are, others as floats in [0, 1]."""
    if images.dtype == np.uint8 and scale.value_range == (0, 255):
        return images
    return _to_unit_range(images, scale)


def _to_unit_range(images: np.ndarray, scale: Scale) -> np.ndarray:
    """Return images as floats in [0, 1]."""
    shape = images.shape[1:]
    form = ImageForm(shape, shape, images.dtype, scale.value_range)
    return (form.encode(images) + 1) / 2


def _make_figure(size: tuple[float, float]) -> Any:
    _import("matplotlib", "matplotlib")
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _make_panels(n: int, most: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """Return a figure and the axes of n panels of a size, at most `most` of them in a row."""
    n_columns = min(most, n)
    n_rows = -(-n // n_columns)
    figure = _make_figure((size[0] * n_columns, size[1] * n_rows))
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in axes[n:]:
        axis.remove()
    return figure, axes[:n]


def _import(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f'melanet.plotting needs {package}: pip install "melanet[plot]"'
        ) from error


def _check_path(path: PathLike | None) -> None:
    """Raise, before anything is drawn, if the file cannot be written."""
    if path is not None:
        check_writable(path)


def _write(figure: Any, path: PathLike | None) -> Any:
    """Write the figure to a file atomically, if a path is given."""
    if path is not None:
        with atomic_path(path) as partial:
            figure.savefig(partial, dpi=120)
    return figure
