"""Callbacks for training a CycleGAN: progress, picture grids, a stop where the loss breaks."""

import math
from pathlib import Path

import keras
import numpy as np

from melanet.exceptions import TrainingDiverged
from melanet.images._io import save_picture
from melanet.images._transform import picture_grid


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
