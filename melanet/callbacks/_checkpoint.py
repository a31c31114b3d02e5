"""Checkpoints from which a training resumes with the same bits."""

import hashlib
import io
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from melanet.utils._files import ResumableFolder, atomic_path
from melanet.utils._typing import PathLike

_KEPT = 2  # the newest, and the one before it in case the newest is corrupt
_DIGITS = 32  # of the checksum in the file name


class Checkpoint(keras.callbacks.Callback):
    """Save the complete state of a training, so that it can resume after a kill.

    Each file holds the model's weights and the state of its random layers, the optimizer's slots
    and step count, the number of finished epochs and their losses. Files are written atomically,
    at the end of an epoch, and named by a checksum. `restore` loads the newest intact file.
    Inside `melanet.utils.reproducible`, a resumed training ends with the same weights as an
    uninterrupted one, bit for bit on the CPU.

    Parameters
    ----------
    folder : str or path-like
        Folder for the checkpoints alone, created if missing.
    settings : object, default=None
        JSON-serializable description of the training, such as a recipe, a seed and a checksum of
        the data. `restore` deletes checkpoints of other settings.
    seconds : float, default=60
        Minimum time between two files. 0 writes one at the end of every epoch.

    Attributes
    ----------
    history : dict
        Name of a loss -> list of its values by epoch, including the epochs before a resume.

    See Also
    --------
    melanet.UnpairedImages : Batches whose order depends only on the seed and the epoch.

    Notes
    -----
    The state of Python's and NumPy's global random generators is not saved; melanet does not use
    them. An interrupted epoch is repeated from its start. If epochs are long, set the data set's
    ``steps`` to get more and shorter ones.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from melanet import CycleGAN, UnpairedImages
    >>> from melanet.callbacks import Checkpoint
    >>> def train(folder, epochs):
    ...     A, B = np.full((4, 3), -0.5), np.full((4, 3), 0.5)
    ...     model = CycleGAN.from_shape((3,), filters=2, discriminator_filters=2)
    ...     batches, checkpoint = UnpairedImages(A, B), Checkpoint(folder, seconds=0)
    ...     done = checkpoint.restore(model, batches)
    ...     options = {"initial_epoch": done, "epochs": epochs, "verbose": 0}
    ...     _ = model.fit(batches, callbacks=[checkpoint], **options)
    ...     return done, len(checkpoint.history["loss"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train(folder, 2), train(folder, 3)
    ((0, 2), (2, 3))
    """

    def __init__(self, folder: PathLike, *, settings: Any = None, seconds: float = 60):
        super().__init__()
        self.folder, self.settings, self.seconds = Path(folder), settings, seconds
        self.history: dict[str, list[float]] = {}
        self._work = ResumableFolder(folder, settings, owned=["epoch-*.npz"])
        self._written = time.monotonic()

    def restore(self, model: keras.Model, batches: keras.utils.PyDataset | None = None) -> int:
        """Load the newest checkpoint into a new model.

        Parameters
        ----------
        model : keras.Model
            Model built and compiled as at the first start.
        batches : keras.utils.PyDataset or None, default=None
            New data set; its ``on_epoch_end`` is called once for each finished epoch.

        Returns
        -------
        int
            Number of finished epochs, 0 at a first start. Pass it to ``fit`` as
            ``initial_epoch``.

        Raises
        ------
        ValueError
            If `folder` holds other files, or the checkpoint's weights do not fit `model`.
        """
        self._work.claim()
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self.history, self._written, state = {}, time.monotonic(), None
        for path in reversed(self._files()):
            state = _read(path)
            if state is not None:
                break
            path.unlink()  # corrupt
        if state is None:
            return 0
        card, values = state
        _assign(_variables(model), values, self.folder)
        self.history = card["history"]
        epochs = int(card["epochs"])
        if batches is not None:
            for _ in range(epochs):
                batches.on_epoch_end()
        return epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the losses, and write a checkpoint if enough time has passed."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._written >= self.seconds:
            self.write(epoch + 1)

    def write(self, epochs: int) -> None:
        """Write the current state, and delete all but the two newest files.

        Parameters
        ----------
        epochs : int
            Number of finished epochs.
        """
        values = [_to_numpy(variable) for variable in _variables(self.model)]
        card = json.dumps({"epochs": epochs, "history": self.history})
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {f"v{i}": value for i, value in enumerate(values)}
        np.savez(buffer, card=np.array(card), **arrays)
        data = buffer.getbuffer()
        digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
        path = self.folder / f"epoch-{epochs:08d}.{digest}.npz"
        with atomic_path(path) as partial, partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for old in self._files()[:-_KEPT]:
            old.unlink()
        self._written = time.monotonic()

    def forget(self) -> None:
        """Delete the folder, once the trained model is stored elsewhere."""
        self._work.remove()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.npz"))


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _to_numpy(variable: Any) -> np.ndarray:
    value: np.ndarray = keras.ops.convert_to_numpy(variable)
    # The npz format has no bfloat16; float32 holds all of its values.
    return value if value.dtype.kind in "biuf" else value.astype("float32")


def _assign(variables: Sequence[Any], values: Sequence[np.ndarray], folder: Path) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise ValueError(
            "model must have the same weights and optimizer as the one in the checkpoint. "
            f"Received: {len(shapes)} variables, but {str(folder)!r} has {len(values)}, or they "
            "are of other shapes. Add the model's parameters to settings, or delete the folder"
        )
    for variable, value in zip(variables, values):
        variable.assign(value)


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]] | None:
    """Return the content of a file, or None if its checksum is wrong."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:_DIGITS] != path.name.split(".")[1]:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        values = [file[f"v{i}"] for i in range(len(file.files) - 1)]
        return json.loads(str(file["card"])), values
