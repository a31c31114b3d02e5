"""Sources of samples in [-1, 1] that are read in parts, so that they need not fit in memory."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from melanet.images import Depth, check_paths, check_size, read_pictures
from melanet.preprocessing._containers import dense
from melanet.preprocessing._image_form import ImageForm
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_value_range

Rows = slice | Sequence[int] | np.ndarray


class SampleSource(Protocol):
    """Samples that are read in parts, as float32 in [-1, 1].

    A source has a length, a shape and rows, as an array has them. An ndarray of encoded samples
    is a source, too. Classes need not inherit from this protocol.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import SampleSource
    >>> def count_positive(samples: SampleSource) -> int:
    ...     return sum(int((samples[i : i + 2] > 0).sum()) for i in range(0, len(samples), 2))
    >>> count_positive(np.ones((3, 4), "float32"))
    12
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of samples, followed by the shape of a sample."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, rows: Rows, /) -> NDArray[np.float32]:
        """Return the samples in these rows, in [-1, 1].

        Parameters
        ----------
        rows : slice, list of int or ndarray of int
            Positions, in any order and with repetitions.

        Returns
        -------
        ndarray of shape (number of rows, *shape[1:]), float32
        """


class EncodedImages:
    """Images in memory that are encoded when they are read, so that no encoded copy is kept.

    Implements `SampleSource`.

    Parameters
    ----------
    form : ImageForm
        Form of the images.
    X : array-like of shape (n, *form.sample_shape)
        Images.

    Attributes
    ----------
    shape : tuple of int
        (n, height, width, channels).

    Raises
    ------
    ValueError
        If X does not have this form.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.preprocessing import EncodedImages, ImageForm
    >>> images = np.full((3, 8, 8), 255, "uint8")
    >>> samples = EncodedImages(ImageForm((8, 8), (8, 8, 1), "uint8", (0, 255)), images)
    >>> samples.shape, float(samples[[0, 2]].min())
    ((3, 8, 8, 1), 1.0)
    """

    def __init__(self, form: ImageForm, X: Any):
        self._form, self._X = form, dense(X)
        form.check(self._X)
        self.shape = (len(self._X), *form.tensor_shape)

    def __len__(self) -> int:
        return len(self._X)

    def __getitem__(self, rows: Rows) -> NDArray[np.float32]:
        """Encode the images in these rows, as `ImageForm.encode` does."""
        return self._form.encode(self._X[rows])


class PictureFiles:
    """Image files that are decoded when they are read.

    Implements `SampleSource`.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Image files in any format that Pillow reads.
    size : int or (int, int)
        Side of a square, or height and width, that images are resized to.
    value_range : (float, float) or None, default=None
        Limits of the values of grey files of more than 8 bits, see `melanet.datasets.load_images`.
    depth : melanet.images.Depth or None, default=None
        Record of the bits that files of more than 8 bits use, shared by parts of a set.
    channels : {3, 1}, default=3
        Channels of the images: colours, or grey; see `melanet.images.count_channels`.

    Attributes
    ----------
    shape : tuple of int
        (n, height, width, channels).
    paths : ndarray of str of shape (n,)
        Image files.
    sample_shape : tuple of int
        (height, width, channels).
    form : ImageForm
        Form of the decoded images: uint8 in [0, 255].

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.preprocessing import PictureFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "white.png")
    ...     Image.new("RGB", (9, 9), (255, 255, 255)).save(path)
    ...     files = PictureFiles([path], 8)
    ...     samples = files[[0, 0]]
    >>> files.shape, samples.shape, float(samples.min())
    ((1, 8, 8, 3), (2, 8, 8, 3), 1.0)
    """

    def __init__(
        self,
        paths: Iterable[PathLike],
        size: int | Sequence[int],
        value_range: Iterable[float] | None = None,
        depth: Depth | None = None,
        channels: int = 3,
    ):
        self.paths = np.array(check_paths(paths))
        self.sample_shape = (*check_size(size), channels)
        self.shape = (len(self.paths), *self.sample_shape)
        self.form = ImageForm(self.sample_shape, self.sample_shape, "uint8", (0, 255))
        self.value_range = None if value_range is None else check_value_range(value_range)
        self.depth = depth or Depth(len(self.paths))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Rows) -> NDArray[np.float32]:
        """Read the images in these rows, using one thread per processor; see `read`."""
        return self.read(rows)

    def read(self, rows: Rows, n_jobs: int | None = None) -> NDArray[np.float32]:
        """Read the images in some rows.

        Parameters
        ----------
        rows : slice, sequence of int or ndarray of int
            Positions in `paths`.
        n_jobs : int or None, default=None
            Number of threads; None uses one per processor.

        Returns
        -------
        ndarray of shape (number of rows, height, width, channels), float32
            Images in [-1, 1].

        Raises
        ------
        ValueError
            If files cannot be read; the message lists all of them.
        """
        chosen = rows if isinstance(rows, (slice, np.ndarray)) else list(rows)
        paths = self.paths[chosen].tolist()
        size, channels = self.sample_shape[:2], self.sample_shape[2]
        images = read_pictures(paths, size, self.value_range, self.depth, n_jobs, channels)
        return self.form.encode(images)

    def subset(self, rows: Rows) -> "PictureFiles":
        """Return the files in some rows as a source of their own."""
        size, channels = self.sample_shape[:2], self.sample_shape[2]
        return PictureFiles(self.paths[rows], size, self.value_range, self.depth, channels)
