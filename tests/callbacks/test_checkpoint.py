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


class Cut(Exception):
    pass


class CutOff(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise Cut


def train(folder, cut=None, settings="a"):
    """Train with a decaying rate, noise; return the state and where it began."""

    def shake(rows, rng):
        return np.clip(rows + rng.normal(0, 0.1, rows.shape), -1, 1).astype("float32")

    rng = np.random.default_rng(0)
    with reproducible():
        model = CycleGAN.from_shape((6,), filters=4, discriminator_filters=4, seed=1)
        # Without tracing it takes a tenth of the time; the script below trains in graphs.
        model.compile(optimizer=adam(1e-2, decay_steps=2 * EPOCHS), run_eagerly=True)
        A, B = rng.uniform(-1, 0, (9, 6)), rng.uniform(0, 1, (4, 6))
        batches = UnpairedImages(A, B, batch_size=2, seed=3, augment=shake)
        checkpoint = Checkpoint(folder, settings=settings, seconds=0)
        done = checkpoint.restore(model, batches)
        ends = CutOff()
        ends.epoch = cut
        options = {"initial_epoch": done, "epochs": EPOCHS, "verbose": 0}
        model.fit(batches, callbacks=[checkpoint, ends], **options)
    state = [*model.get_weights(), *(np.asarray(v) for v in model.optimizer.variables)]
    return state, checkpoint.history, done


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole") / "state")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def one_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("torn", "begins_at"), [((), 3), ((cut_short,), 2), ((one_bit,), 2), ((one_bit, cut_short), 0)]
)
def test_what_was_cut_off_ends_with_the_same_bits(whole, tmp_path, torn, begins_at):
    folder = tmp_path / "state"
    with pytest.raises(Cut):
        train(folder, cut=3)
    files = sorted(folder.glob("epoch-*.npz"))
    assert [path.name[:14] for path in files] == ["epoch-00000002", "epoch-00000003"]
    (folder / ".partial-epoch-00000004.x.npz").write_bytes(b"killed while writing")
    for tear, path in zip(torn, reversed(files)):
        tear(path)
    state, history, done = train(folder)
    assert done == begins_at
    assert history == whole[1]
    assert len(history["loss"]) == EPOCHS
    for a, b in zip(whole[0], state, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not list(folder.glob(".partial-*"))


def test_other_settings_begin_anew(tmp_path):
    with pytest.raises(Cut):
        train(tmp_path / "state", cut=2)
    assert train(tmp_path / "state", settings={"seed": 1})[2] == 0


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        Checkpoint(tmp_path).restore(CycleGAN.from_shape((2,), filters=2, discriminator_filters=2))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_another_model_is_refused(tmp_path):
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


def test_killed_trainings_end_with_the_same_bits():
    script = ROOT / "examples" / "benchmarks" / "kill_resume.py"
    if not script.exists():
        pytest.skip("the examples are not here")
    done = subprocess.run(
        [sys.executable, script, "--tries", "3", "--epochs", "6"],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 killed trainings ended with the same" in done.stdout
