import numpy as np
import pytest
from PIL import Image

from melanet import CycleGAN, UnpairedImages
from melanet.callbacks import PictureGrid, Progress, StopOnNonFinite
from melanet.exceptions import TrainingDiverged
from melanet.gan.losses import adam
from melanet.images import picture_grid, save_picture


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (5, 8, 8, 1)), rng.uniform(-1, 1, (4, 8, 8, 1))


def tiny():
    model = CycleGAN.from_shape((8, 8, 1), filters=2, discriminator_filters=2)
    model.compile(run_eagerly=True)  # quicker than tracing for so few steps
    return model


def test_picture_grid_places_images():
    rows = [np.full((2, 3, 4, 1), -1.0), np.full((3, 3, 4, 1), 1.0)]
    grid = picture_grid(rows, pad=1, background=100)
    assert grid.shape == (2 * 4 + 1, 3 * 5 + 1, 3)
    assert (grid[1:4, 1:5] == 0).all()
    assert (grid[1:4, 11:15] == 100).all()  # the empty cell of the shorter row
    assert (grid[5:8, 11:15] == 255).all()
    assert (grid[0] == 100).all()


def test_grids_are_written_while_training(tmp_path, sets):
    model = tiny()
    grid = PictureGrid(tmp_path / "grids", *sets, every=2, n_images=3)
    model.fit(UnpairedImages(*sets, batch_size=4), epochs=5, callbacks=[grid], verbose=0)
    names = sorted(p.name for p in (tmp_path / "grids").iterdir())
    assert names == ["epoch-0002.png", "epoch-0004.png", "epoch-0005.png"]
    image = np.asarray(Image.open(tmp_path / "grids" / names[-1]))
    # Six rows of 8 + 2 pixels and three columns, enlarged eight times.
    assert image.shape == ((6 * 10 + 2) * 8, (3 * 10 + 2) * 8, 3)
    translated = model.translate(sets[0][:1].astype("float32"), to="B")
    expected = np.rint((translated[0, :, :, 0] + 1) * 127.5)
    np.testing.assert_allclose(image[12 * 8 : 20 * 8 : 8, 16:80:8, 0], expected, atol=1)


def test_grid_rejects_table_rows():
    with pytest.raises(ValueError, match=r"A must have shape .*Received: shape \(3, 5\)"):
        PictureGrid("x", np.zeros((3, 5)), np.zeros((3, 5)))


def test_a_failed_write_leaves_no_file(tmp_path):
    with pytest.raises((ValueError, KeyError)):
        save_picture(np.zeros((4, 4, 3), "uint8"), tmp_path / "picture.nonsense")
    assert list(tmp_path.iterdir()) == []


def test_training_stops_when_the_loss_diverges(sets):
    model = tiny()
    model.compile(optimizer=adam(1e30), run_eagerly=True)
    with pytest.raises(TrainingDiverged, match=r"class 8: the loss became .* at step \d"):
        model.fit(
            UnpairedImages(*sets), epochs=30, callbacks=[StopOnNonFinite("class 8")], verbose=0
        )


def test_progress_releases_the_terminal_after_an_error():
    bar = Progress("toy", 8)
    bar.stop()  # before it started
    bar.on_train_begin()
    assert bar._bar.live.is_started
    bar.stop()
    bar.stop()
    assert not bar._bar.live.is_started


def test_progress_counts_the_steps(sets, capsys):
    model = tiny()
    model.fit(UnpairedImages(*sets), epochs=2, callbacks=[Progress("toy", 8)], verbose=0)
    output = capsys.readouterr().out
    assert "Training toy" in output
    assert "8/8 steps" in output
