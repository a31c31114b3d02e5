import subprocess
import sys

import keras
import numpy as np
import pytest
from paths import ROOT

from melanet import CycleGAN, UnpairedImages
from melanet.callbacks import Checkpoint
from melanet.gan.losses import adam
from melanet.utils import reproducible

EPOCHS = 5


class Interrupted(Exception):
    pass


class Interrupt(keras.callbacks.Callback):
    """Interrupts the training in the middle of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise Interrupted


def train(folder, at=None, settings="a"):
    """Train with a decaying rate and noise; return its state, history and first epoch."""

    def add_noise(rows, rng):
        return np.clip(rows + rng.normal(0, 0.1, rows.shape), -1, 1).astype("float32")

    rng = np.random.default_rng(0)
    with reproducible():
        model = CycleGAN.from_shape((6,), filters=4, discriminator_filters=4, seed=1)
        # Ten times faster without tracing. The script below trains in graph mode.
        model.compile(optimizer=adam(1e-2, decay_steps=2 * EPOCHS), run_eagerly=True)
        A, B = rng.uniform(-1, 0, (9, 6)), rng.uniform(0, 1, (4, 6))
        batches = UnpairedImages(A, B, batch_size=2, seed=3, augment=add_noise)
        checkpoint = Checkpoint(folder, settings=settings, seconds=0)
        done = checkpoint.restore(model, batches)
        interrupt = Interrupt()
        interrupt.epoch = at
        options = {"initial_epoch": done, "epochs": EPOCHS, "verbose": 0}
        model.fit(batches, callbacks=[checkpoint, interrupt], **options)
    state = [*model.get_weights(), *(np.asarray(v) for v in model.optimizer.variables)]
    return state, checkpoint.history, done


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("uninterrupted") / "state")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damages", "first_epoch"),
    [((), 3), ((truncate,), 2), ((flip_bit,), 2), ((flip_bit, truncate), 0)],
)
def test_a_resumed_training_ends_with_the_same_bits(uninterrupted, tmp_path, damages, first_epoch):
    folder = tmp_path / "state"
    with pytest.raises(Interrupted):
        train(folder, at=3)
    files = sorted(folder.glob("epoch-*.npz"))
    assert [path.name[:14] for path in files] == ["epoch-00000002", "epoch-00000003"]
    (folder / ".partial-epoch-00000004.x.npz").write_bytes(b"killed while writing")
    for damage, path in zip(damages, reversed(files)):
        damage(path)
    state, history, done = train(folder)
    assert done == first_epoch
    assert history == uninterrupted[1]
    assert len(history["loss"]) == EPOCHS
    for a, b in zip(uninterrupted[0], state, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list(folder.glob(".partial-*"))


def test_other_settings_start_again(tmp_path):
    with pytest.raises(Interrupted):
        train(tmp_path / "state", at=2)
    assert train(tmp_path / "state", settings={"seed": 1})[2] == 0


def test_a_folder_with_other_files_is_rejected(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        Checkpoint(tmp_path).restore(CycleGAN.from_shape((2,), filters=2, discriminator_filters=2))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_another_model_is_rejected(tmp_path):
    models = [CycleGAN.from_shape((2,), filters=n, discriminator_filters=2) for n in (2, 3)]
    checkpoint = Checkpoint(tmp_path / "state")
    assert checkpoint.restore(models[0]) == 0
    checkpoint.set_model(models[0])
    checkpoint.write(1)
    before = models[1].get_weights()
    with pytest.raises(ValueError, match="of other shapes"):
        Checkpoint(tmp_path / "state").restore(models[1])
    for a, b in zip(before, models[1].get_weights()):
        np.testing.assert_array_equal(a, b)
    assert Checkpoint(tmp_path / "state").restore(models[0]) == 1


@pytest.mark.slow  # it starts thirteen trainings; above, an exception ends them
def test_killed_trainings_end_with_the_same_bits():
    tries, epochs = 5, 6
    script = ROOT / "examples" / "benchmarks" / "kill_resume.py"
    if not script.exists():
        pytest.skip("examples are not installed")
    done = subprocess.run(
        [sys.executable, script, "--tries", str(tries), "--epochs", str(epochs)],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tries} of {tries} killed trainings ended with the same" in done.stdout
