"""Callbacks that watch the training of a CycleGAN: divergence, progress, image grids."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from melanet.exceptions import TrainingDiverged
from melanet.images import picture_grid, save_picture
from melanet.utils._files import check_writable
from melanet.utils._typing import PathLike
from melanet.utils._validation import as_symmetric

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_TIMED_STEPS = 5
_SMALL_SIDE = 64  # pixels; smaller images are enlarged to about this


class StopOnNonFinite(keras.callbacks.Callback):
    """Raise `TrainingDiverged` at the first step whose loss is infinite or NaN.

    Parameters
    ----------
    description : str, default="training"
        Name of the training in the error message.
    """

    def __init__(self, description: str = "training"):
        super().__init__()
        self.description = description
        self.step = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss."""
        self.step += 1
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"{self.description}: the loss became {loss} at step {self.step}, and the "
                "training was stopped. Lower learning_rate, or check the data for extreme values."
            )


class TimeLimit(keras.callbacks.Callback):
    """End a training after a number of seconds.

    Parameters
    ----------
    seconds : float
        Time from the beginning of the training, its compilation included. The step during which
        it ends is completed.
    """

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds
        self._start = time.monotonic()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop if the time is over."""
        if time.monotonic() - self._start >= self.seconds:
            self.model.stop_training = True


class TimeEstimate(keras.callbacks.Callback):
    """Print how long all trainings will take, from the first steps of the first one.

    Parameters
    ----------
    n_trainings : int
        Number of trainings of about this length.
    """

    def __init__(self, n_trainings: int):
        super().__init__()
        self.n_trainings = n_trainings
        self._step, self._start = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure the steps after the first, which compiles, and print the estimate."""
        self._step += 1
        if self._step == 1:
            self._start = time.monotonic()
        if self._step == 1 + _TIMED_STEPS:
            seconds = (time.monotonic() - self._start) / _TIMED_STEPS
            n_steps = self.params["epochs"] * self.params["steps"]
            total = seconds * n_steps * self.n_trainings
            of = "the training" if self.n_trainings == 1 else f"{self.n_trainings} trainings"
            print(f"About {total:.0f} s for {of}", flush=True)


class Progress(keras.callbacks.Callback):
    """Show a progress bar over all steps of a training.

    The bar appears before the first step, which compiles the model and takes longest.

    Parameters
    ----------
    description : str
        Text beside the bar.
    total : int
        Total number of steps.
    """

    def __init__(self, description: str, total: int):
        super().__init__()
        self.description = description
        self.total = total
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Show the bar."""
        from rich import progress as bars

        self._bar = bars.Progress(
            bars.TextColumn("Training {task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("steps,"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("elapsed,"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("left"),
        )
        self._bar.start()
        self._task = self._bar.add_task(self.description, total=self.total)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the full bar on the screen."""
        self.stop()

    def stop(self) -> None:
        """Release the terminal. Call this after an error; repeated calls are harmless."""
        if self._bar is not None:
            self._bar.stop()


class PictureGrid(keras.callbacks.Callback):
    """Write an image of translations while a CycleGAN trains.

    The image has six rows: samples of A, their translations, their reconstructions, and the same
    for B. Of a model that translates in one direction it has three: samples of A, their
    translations, and samples of B. Files are named by the epoch, such as ``epoch-0010.png``.

    Parameters
    ----------
    folder : str or path-like
        Folder to write to, created if missing.
    A, B : array-like of shape (n, height, width, channels)
        Images in [-1, 1], such as some of the training images.
    every : int, default=1
        Number of epochs between images. The last epoch always writes one.
    n_images : int, default=6
        Number of columns.
    scale : int or None, default=None
        Factor of enlargement. None enlarges images under 64 pixels to about that.

    Raises
    ------
    ValueError
        If A or B does not have the shape of images, or is not in [-1, 1].
    """

    def __init__(
        self,
        folder: PathLike,
        A: ArrayLike,
        B: ArrayLike,
        *,
        every: int = 1,
        n_images: int = 6,
        scale: int | None = None,
    ):
        super().__init__()
        self.folder = Path(folder)
        self.A, self.B = (_check_images(name, x, n_images) for name, x in (("A", A), ("B", B)))
        self.every = every
        self.scale = scale or max(1, _SMALL_SIDE // min(self.A.shape[1:3]))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Try that images can be written."""
        check_writable(self._file(1))

    def _file(self, epoch):
        return self.folder / f"epoch-{epoch:04d}.png"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write an image if it is due."""
        if (epoch + 1) % self.every and epoch + 1 != self.params["epochs"]:
            return
        rows = []
        if self.model.generator_ba is None:
            rows += [self.A, self.model.translate(self.A, to="B"), self.B]
        else:
            for x, target, source in ((self.A, "B", "A"), (self.B, "A", "B")):
                translated = self.model.translate(x, to=target)
                rows += [x, translated, self.model.translate(translated, to=source)]
        save_picture(picture_grid(rows), self._file(epoch + 1), self.scale)


def _check_images(name: str, images: Any, n: int) -> np.ndarray:
    x = as_symmetric(name, images[:n])
    if x.ndim != 4 or not len(x):
        raise ValueError(
            f"{name} must have shape (n, height, width, channels), with n >= 1. "
            f"Received: shape {x.shape}"
        )
    return x
