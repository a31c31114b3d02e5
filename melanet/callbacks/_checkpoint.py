"""Training that goes on where it was cut off, with the same bits."""

import hashlib
import io
import json
import os
import shutil
import time
from pathlib import Path

import keras
import numpy as np

from melanet.utils._files import atomic_path, write_json

_KEPT = 2  # the newest, and the one before it in case the newest is torn
_DIGITS = 32  # of the checksum, in the file's name


class Checkpoint(keras.callbacks.Callback):
    """Keep all that a training needs to go on, so that a stop at any moment changes nothing.

    At the end of an epoch, if it is time, one file is written: the model's weights and the state
    of its random layers, the optimizer's slots and step count, the number of epochs done and
    their losses. It is written under another name, brought to the disk and renamed; its name
    holds a checksum. `restore` takes the newest file that is whole, else the one before it. A
    training that was killed and goes on ends with the same weights as one that was not, bit for
    bit on the CPU, inside of `melanet.utils.reproducible`.

    Parameters
    ----------
    folder : str or path-like
        Where to write, a folder of its own; made if missing.
    settings : object that JSON can hold, default=None
        What the training is, such as a recipe, a seed and the data's checksum. What a folder
        holds of other settings is removed by `restore`.
    seconds : float, default=60
        Least time between two files. 0 writes at the end of every epoch.

    Attributes
    ----------
    history : dict
        Name of a loss -> list of its values by epoch, those before the stop included.

    See Also
    --------
    melanet.UnpairedImages : Batches whose order depends on the seed and the epoch alone.

    Notes
    -----
    What Python's and NumPy's global generators hold is not kept: nothing in melanet draws from
    them. An epoch that was cut off is done again from its start; where epochs are long, give the
    data set more and shorter ones by ``steps``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from melanet import CycleGAN, UnpairedImages
    >>> from melanet.callbacks import Checkpoint
    >>> def train(folder, epochs):
    ...     A, B = np.full((4, 8, 8, 1), -0.5), np.full((4, 8, 8, 1), 0.5)
    ...     model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    ...     batches, checkpoint = UnpairedImages(A, B), Checkpoint(folder, seconds=0)
    ...     done = checkpoint.restore(model, batches)
    ...     options = {"initial_epoch": done, "epochs": epochs, "verbose": 0}
    ...     _ = model.fit(batches, callbacks=[checkpoint], **options)
    ...     return done, len(checkpoint.history["loss"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train(folder, 2), train(folder, 3)
    ((0, 2), (2, 3))
    """

    def __init__(self, folder, *, settings=None, seconds=60):
        super().__init__()
        self.folder, self.settings, self.seconds = Path(folder), settings, seconds
        self.history, self._written = {}, time.monotonic()

    def restore(self, model, batches=None):
        """Bring a new model, and the order of its batches, to where the training stopped.

        Parameters
        ----------
        model : keras.Model
            Built and compiled as at the first start.
        batches : keras.utils.PyDataset or None, default=None
            New, too; its ``on_epoch_end`` is called once for each epoch done.

        Returns
        -------
        int
            Epochs done, 0 at a first start: the ``initial_epoch`` of ``fit``.

        Raises
        ------
        ValueError
            If the settings agree but `model` has other weights.
        """
        self._claim()
        self.history, self._written, state = {}, time.monotonic(), None
        for path in reversed(self._files()):
            state = _read(path)
            if state is not None:
                break
            path.unlink()  # torn
        if state is None:
            return 0
        card, values = state
        _assign(_variables(model), values, self.folder)
        self.history = card["history"]
        for _ in range(card["epochs"] if batches is not None else 0):
            batches.on_epoch_end()
        return card["epochs"]

    def on_epoch_end(self, epoch, logs=None):
        """Record the losses, and write if it is time."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if time.monotonic() - self._written >= self.seconds:
            self.write(epoch + 1)

    def write(self, epochs):
        """Write the present state; older files but one are removed.

        Parameters
        ----------
        epochs : int
            Epochs done.
        """
        values = [_to_numpy(variable) for variable in _variables(self.model)]
        card = json.dumps({"epochs": epochs, "history": self.history})
        data = io.BytesIO()
        np.savez(data, card=np.array(card), **{f"v{i}": value for i, value in enumerate(values)})
        data = data.getbuffer()
        digest = hashlib.sha256(data).hexdigest()[:_DIGITS]
        path = self.folder / f"epoch-{epochs:08d}.{digest}.npz"
        with atomic_path(path) as partial, partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for old in self._files()[:-_KEPT]:
            old.unlink()
        self._written = time.monotonic()

    def forget(self):
        """Remove the folder, once what was trained is safe elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self):
        """Make the folder one of these settings."""
        note = self.folder / "settings.json"
        settings = json.loads(json.dumps(self.settings))
        if note.exists() and json.loads(note.read_text()) == settings:
            for torn in self.folder.glob(".partial-*"):
                torn.unlink()
            return
        if any(path != note for path in self._strangers()):
            raise ValueError(
                "folder must be new, or hold nothing but checkpoints. Received: "
                f"{str(self.folder)!r}, which holds other files. Name another"
            )
        self.forget()
        write_json(note, settings)

    def _strangers(self):
        ours = {*self._files(), *self.folder.glob(".partial-*"), self.folder / "settings.json"}
        return [path for path in self.folder.glob("*") if path not in ours]

    def _files(self):
        return sorted(self.folder.glob("epoch-*.npz"))


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _to_numpy(variable):
    value = keras.ops.convert_to_numpy(variable)
    # NumPy's files know no bfloat16; float32 holds all of its values.
    return value if value.dtype.kind in "biuf" else value.astype("float32")


def _assign(variables, values, folder):
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise ValueError(
            "model must have the weights and the optimizer that the checkpoint was written of. "
            f"Received: {len(shapes)} variables, but {len(values)} in {str(folder)!r}, or of "
            "other shapes. Put what they depend on into settings, or remove the folder"
        )
    for variable, value in zip(variables, values):
        variable.assign(value)


def _read(path):
    """Return what a file holds, None if it is torn."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest()[:_DIGITS] != path.name.split(".")[1]:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        values = [file[f"v{i}"] for i in range(len(file.files) - 1)]
        return json.loads(str(file["card"])), values
