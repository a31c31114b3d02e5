"""Image features from a small network that is trained on the real images without labels."""

import warnings
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

_MOST_PATCHES = 20_000  # for learning the filters
_FILTERS = 64
_RIDGE = 0.1  # of the patches' mean variance, added before whitening
_POOLS = 2  # each filter's map is averaged over 2 x 2 parts of the image
_STRIDED_SIDE = 48  # images of this side or more are read at every second row and column
_WINDOWS = 4096  # patches at a time: their arrays stay in the processor's cache
_CHUNK = 64  # images at a time, when patches are drawn
_TINY = 1e-8  # values that vary less differ only by rounding


class PatchFeatures:
    """Convolutional layer whose filters are k-means centres of whitened patches.

    This is the network of [1]_. Patches of the images are whitened and clustered. The activation
    of a filter is the amount by which a patch is nearer to its centre than to the average centre
    (the "triangle" activation). The maps are averaged over the four quarters of the image. Unlike
    in [1]_, patches keep their brightness and colour. In images of 48 pixels or more, every second
    row and column of patches is taken.

    Training uses no labels, and 64 patch centres cannot memorise images. The features of training
    images and of unseen images therefore follow the same distribution, as the comparison of
    training images with synthetic ones requires. The features of a classifier do not.

    Parameters
    ----------
    seed : int, default=0
        Seed of the choice of patches and of the clustering.

    References
    ----------
    .. [1] Coates, A., Ng, A., & Lee, H. (2011). An analysis of single-layer networks in
       unsupervised feature learning. AISTATS 2011, PMLR 15, 215-223.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.metrics import PatchFeatures
    >>> images = np.random.default_rng(0).uniform(-1, 1, (20, 8, 8, 1))
    >>> PatchFeatures().fit(images).transform(images).shape
    (20, 256)
    """

    def __init__(self, *, seed: int = 0):
        self.seed = seed

    def fit(self, images: np.ndarray) -> "PatchFeatures":
        """Learn the filters, and the mean and scale of the features.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C)
            Images in [-1, 1].

        Returns
        -------
        PatchFeatures
        """
        self.fit_transform(images)
        return self

    def fit_transform(self, images: np.ndarray) -> NDArray[np.float64]:
        """Learn from images, and return their features in less time than `fit` and `transform`.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C)
            Images in [-1, 1].

        Returns
        -------
        ndarray of shape (n, 4 * n_filters)
        """
        rng = np.random.default_rng(self.seed)
        shorter = min(images.shape[1:3])
        self._side = int(np.clip(shorter // 4, 1, 6))
        self._stride = 2 if shorter >= _STRIDED_SIDE else 1
        patches = self._draw_patches(images, rng)
        self._mean = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(
            np.cov(patches - self._mean, rowvar=False).reshape(patches.shape[1], -1)
        )
        values = np.clip(values, 0, None)
        ridge = max(_RIDGE * values.mean(), _TINY)
        self._whiten = (vectors / np.sqrt(values + ridge)) @ vectors.T
        patches = (patches - self._mean) @ self._whiten
        clustering = MiniBatchKMeans(
            min(_FILTERS, len(patches)), n_init=1, batch_size=4096, random_state=self.seed
        )
        with warnings.catch_warnings():
            # Uniform images have fewer distinct patches than there are filters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._centres = clustering.fit(patches).cluster_centers_
        raw = self._pooled(images)
        self._offset, spread = raw.mean(axis=0), raw.std(axis=0)
        # Without a lower bound, a filter that is hardly ever active would amplify rounding errors.
        usual = np.sqrt(np.mean(spread**2))
        self._scale = np.maximum(spread, 0.1 * usual if usual > _TINY else 1.0)
        return (raw - self._offset) / self._scale

    def transform(self, images: np.ndarray) -> NDArray[np.float64]:
        """Return the features of images, standardised on the images passed to `fit`.

        Parameters
        ----------
        images : ndarray of shape (n, H, W, C)
            Images in [-1, 1], of the same size as those passed to `fit`.

        Returns
        -------
        ndarray of shape (n, 4 * n_filters)
        """
        return (self._pooled(images) - self._offset) / self._scale

    def _windows(self, images):
        side, step = self._side, self._stride
        windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))
        windows = windows[:, ::step, ::step]
        return windows.reshape(*windows.shape[:3], -1)

    def _draw_patches(self, images, rng):
        each = max(1, _MOST_PATCHES // len(images))
        if len(images) > _MOST_PATCHES:
            images = images[rng.choice(len(images), _MOST_PATCHES, replace=False)]
        drawn = []
        for start in range(0, len(images), _CHUNK):
            windows = self._windows(images[start : start + _CHUNK])
            windows = windows.reshape(len(windows), -1, windows.shape[-1])
            places = rng.integers(windows.shape[1], size=(len(windows), each))
            drawn.append(np.take_along_axis(windows, places[..., None], axis=1))
        return np.concatenate(drawn).reshape(-1, drawn[0].shape[-1]).astype("float64")

    def _pooled(self, images):
        height, width = ((size - self._side) // self._stride + 1 for size in images.shape[1:3])
        step = max(1, _WINDOWS // (height * width))
        pools = _pools(height, width)
        whiten, centres = self._whiten.astype("float32"), self._centres.astype("float32")
        mean = self._mean.astype("float32")
        lengths = np.einsum("ij,ij->i", centres, centres)
        pooled = np.empty((len(images), len(pools) * len(centres)))
        for start in range(0, len(images), step):
            windows = self._windows(images[start : start + step].astype("float32"))
            whitened = (windows.reshape(-1, len(mean)) - mean) @ whiten
            distance = whitened @ (-2 * centres.T)
            distance += np.einsum("ij,ij->i", whitened, whitened)[:, None]
            distance += lengths
            np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
            nearness = distance.mean(axis=1, keepdims=True) - distance
            np.maximum(nearness, 0, out=nearness)
            maps = nearness.reshape(len(windows), height, width, -1)
            parts = [maps[:, rows, columns].mean(axis=(1, 2)) for rows, columns in pools]
            pooled[start : start + step] = np.concatenate(parts, axis=1)
        return pooled


def _pools(height, width):
    """Return the rows and the columns of each part of a map, as slices."""
    cuts = (np.linspace(0, size, _POOLS + 1).astype(int).tolist() for size in (height, width))
    rows, columns = ([slice(a, max(b, a + 1)) for a, b in pairwise(edges)] for edges in cuts)
    return [(row, column) for row in rows for column in columns]
