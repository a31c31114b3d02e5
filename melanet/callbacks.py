"""Callbacks for training a CycleGAN: progress, picture grids, a stop where the loss breaks."""

import math
from pathlib import Path

import keras
import numpy as np

from melanet.writing import whole


class TrainingDiverged(ArithmeticError):
    """The loss of a training became infinite or not a number."""


class StopOnNonFinite(keras.callbacks.Callback):
    """Raise `TrainingDiverged` at the first step whose loss is not finite.

    Parameters
    ----------
    what : str, default="training"
        Named in the message.
    """

    def __init__(self, what="training"):
        super().__init__()
        self.what = what
        self.step = 0

    def on_train_batch_end(self, batch, logs=None):
        """Look at the loss."""
        self.step += 1
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"{self.what}: the loss became {loss} at step {self.step}. Lower learning_rate, "
                "or check the data for extreme values; nothing was returned."
            )


class Progress(keras.callbacks.Callback):
    """A progress bar over all steps of a training, drawn by rich.

    Parameters
    ----------
    description : str
        Text beside the bar.
    total : int
        Steps in all.
    """

    def __init__(self, description, total):
        super().__init__()
        self.description = description
        self.total = total
        self._bar = self._task = None

    def on_train_begin(self, logs=None):
        """Show the bar."""
        from rich.progress import Progress as Bar

        self._bar = Bar()
        self._bar.start()
        self._task = self._bar.add_task(self.description, total=self.total)

    def on_train_batch_end(self, batch, logs=None):
        """Advance."""
        self._bar.advance(self._task)

    def on_train_end(self, logs=None):
        """Leave the full bar on the screen."""
        self.stop()

    def stop(self):
        """Give the screen back, also after an error; more than once does no harm."""
        if self._bar is not None:
            self._bar.stop()


def picture_grid(rows, pad=2, background=255):
    """Lay pictures out in a grid.

    Parameters
    ----------
    rows : sequence of arrays of shape (n, H, W, C)
        One array for each row, in [-1, 1]; C is 1 or 3 (of more, the first three are shown).
    pad : int, default=2
        Pixels between the pictures.
    background : int, default=255
        Grey level between them.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.callbacks import picture_grid
    >>> picture_grid([np.zeros((3, 8, 8, 1))] * 2).shape
    (22, 32, 3)
    """
    rows = [np.asarray(row) for row in rows]
    height, width, channels = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    size = (len(rows) * (height + pad) + pad, columns * (width + pad) + pad, 3)
    grid = np.full(size, background, "uint8")
    for i, row in enumerate(rows):
        pixels = np.rint((np.clip(row, -1, 1) + 1) * 127.5).astype("uint8")
        pixels = pixels[..., :3] if channels >= 3 else pixels[..., :1].repeat(3, axis=-1)
        for j, picture in enumerate(pixels):
            top, left = pad + i * (height + pad), pad + j * (width + pad)
            grid[top : top + height, left : left + width] = picture
    return grid


class PictureGrid(keras.callbacks.Callback):
    """Write a picture of translations while a CycleGAN trains.

    Six rows: samples of A, their translations, their reconstructions, and the same for B. Each
    file is named by its epoch, such as ``epoch-0010.png``.

    Parameters
    ----------
    folder : str or path-like
        Where to write; made if missing.
    A, B : array-like of shape (n, height, width, channels)
        Images in [-1, 1], such as some of the training's own.
    every : int, default=1
        Epochs between pictures; the last epoch is always drawn.
    n_images : int, default=6
        Columns.
    scale : int or None, default=None
        Enlargement; by default images under 64 pixels are enlarged to about that.

    Raises
    ------
    ValueError
        If A or B does not hold images.
    """

    def __init__(self, folder, A, B, *, every=1, n_images=6, scale=None):
        super().__init__()
        self.folder = Path(folder)
        self.A, self.B = (np.asarray(x[:n_images], "float32") for x in (A, B))
        for name, x in (("A", self.A), ("B", self.B)):
            if x.ndim != 4 or not len(x):
                raise ValueError(
                    f"{name} must hold images of shape (n, height, width, channels). "
                    f"Received: shape {x.shape}"
                )
        self.every = every
        self.scale = scale or max(1, 64 // min(self.A.shape[1:3]))

    def on_epoch_end(self, epoch, logs=None):
        """Draw, if it is time."""
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        rows = []
        for x, there, back in ((self.A, "B", "A"), (self.B, "A", "B")):
            translated = self.model.translate(x, to=there)
            rows += [x, translated, self.model.translate(translated, to=back)]
        save_picture(picture_grid(rows), self.folder / f"epoch-{epoch + 1:04d}.png", self.scale)


def save_picture(pixels, path, scale=1):
    """Write a picture file that is whole or not there.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8
        The picture.
    path : str or path-like
        Its name, ending in a format that Pillow writes; folders are made.
    scale : int, default=1
        Enlargement by whole pixels.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.NEAREST)
    with whole(path) as partial:
        picture.save(partial)
