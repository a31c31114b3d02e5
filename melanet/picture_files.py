"""Picture files as samples: what streaming is made of."""

import numpy as np

from melanet.datasets.pictures import check_paths, check_size, load_images
from melanet.image_form import ImageForm
from melanet.input_checks import plain
from melanet.portions import most_of


class PictureFiles:
    """Picture files as samples in [-1, 1], read when they are asked for.

    Parameters
    ----------
    paths : sequence of str or path-like of length n
        Picture files of any kind that Pillow reads.
    size : int or (int, int)
        Side, or height and width, that pictures are resized to.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from melanet.picture_files import PictureFiles
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "white.png")
    ...     Image.new("RGB", (9, 9), (255, 255, 255)).save(path)
    ...     samples = PictureFiles([path], 8).read([0, 0])
    >>> samples.shape, float(samples.min())
    ((2, 8, 8, 3), 1.0)
    """

    def __init__(self, paths, size):
        self.paths = np.array(check_paths(paths))
        self.sample_shape = (*check_size(size), 3)
        self.form = ImageForm(self.sample_shape, self.sample_shape, "uint8", (0, 255))

    def __len__(self):
        return len(self.paths)

    def read(self, rows, n_jobs=None):
        """Return the samples of some rows.

        Parameters
        ----------
        rows : sequence of int
            Positions in `paths`.
        n_jobs : int or None, default=None
            Threads; None takes one for each processor.

        Returns
        -------
        ndarray of shape (n, height, width, 3), float32
            In [-1, 1].

        Raises
        ------
        ValueError
            Naming the files that cannot be read.
        """
        paths = [self.paths[row].item() for row in rows]
        return self.form.encode(load_images(paths, self.sample_shape[:2], n_jobs=n_jobs))

    def drawn(self, rows, rng, most=300):
        """Return some of `rows`: at most so many, and as many as fill 64 MiB."""
        most = max(2, min(most, most_of(self.sample_shape)))
        if len(rows) > most:
            rows = np.sort(rng.choice(rows, most, replace=False))
        return rows

    def few(self, rows, rng, most=300):
        """Return the samples of the rows that are `drawn`."""
        return self.read(self.drawn(rows, rng, most))


def check_fits(label, cyclegan, classes, sample_shape):
    """Raise ValueError unless a CycleGAN is for one of the classes, and of the samples' shape."""
    if label not in classes:
        raise ValueError(
            f"There is a CycleGAN for the class {plain(label)!r}, which is not among the classes "
            f"{classes.tolist()}. Use a class's name"
        )
    if cyclegan.sample_shape != sample_shape:
        raise ValueError(
            f"The CycleGAN for class {plain(label)!r} translates samples of shape "
            f"{cyclegan.sample_shape}. Received: size for {sample_shape}. Leave size out, or give "
            "the model's"
        )
