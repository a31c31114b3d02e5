import numpy as np
import pytest

from melanet.over_sampling._conditions import describe_conditions, move_conditions


def wave(cycles, phase=0.0, size=16, amplitude=0.3):
    x = np.arange(size) / size * 2 * np.pi
    row = amplitude * np.sin(cycles * x + phase)
    return np.tile(row, (size, 1))[None, :, :, None]


def test_numbers_of_a_drawn_image():
    image = np.zeros((1, 16, 16, 3))
    image[0, :, :, 0] = np.linspace(-0.5, 0.5, 16)[:, None]  # red grows downwards
    image[0, 1, 14] = 1  # a white dot in the upper right corner
    found = describe_conditions(image)
    assert found["mean of channel 0"][0] == pytest.approx(image[..., 0].mean())
    assert found["channel 0 minus 2"][0] == pytest.approx(
        image[..., 0].mean() - image[..., 2].mean()
    )
    x, y = np.linspace(-1, 1, 16), image.mean(axis=(0, 3))
    slope = np.polyfit(x, y.mean(axis=1), 1)[0]
    assert found["light downwards"][0] == pytest.approx(slope)
    assert found["light to the right"][0] == pytest.approx(np.polyfit(x, y.mean(axis=0), 1)[0])
    assert found["brightest of the upper right corner"][0] == 1
    assert found["brightest of the upper left corner"][0] < 0
    assert found["lower left corner"][0] == pytest.approx(y[-4:, :4].mean())
    corners = [
        y[rows, columns].mean()
        for rows in (slice(4), slice(-4, None))
        for columns in (slice(4), slice(-4, None))
    ]
    assert found["corners"][0] == pytest.approx(np.mean(corners))


def test_a_small_part_of_a_foreign_colour_stands_out():
    images = np.full((2, 16, 16, 3), 0.2) + [0.3, 0.0, -0.2]
    images[1, 4:6, 8:10] = [-0.5, 0.5, 0.0]
    plain, marked = describe_conditions(images)["strangest colour"]
    assert plain == pytest.approx(0, abs=1e-12)
    usual, foreign = np.array([0.5, 0.2, 0.0]), np.array([-0.5, 0.5, 0.0])
    difference = (foreign - foreign.mean()) - (usual - usual.mean())
    assert marked == pytest.approx(np.linalg.norm(difference))
    assert "strangest colour" not in describe_conditions(images[..., :1])


def test_colour_light_and_low_frequencies_move_and_the_rest_stays():
    ramp = np.linspace(-0.2, 0.2, 16)[None, :, None, None]
    content = wave(6, 0.4, amplitude=0.1)
    own, other = content + 0.1, ramp - 0.2 + content * 0
    moved = move_conditions(own, other)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(describe_conditions(moved)["light downwards"], [0.2], atol=1e-3)
    assert moved.mean() == pytest.approx(-0.2, abs=1e-6)
    spectra = [np.abs(np.fft.fft(part[0, 8, :, 0]))[6] for part in (moved, own)]
    assert spectra[0] == pytest.approx(spectra[1], rel=0.02)  # six cycles are content


def test_the_phase_of_low_frequencies_stays():
    own, other = wave(2, 0.0), wave(2, 1.3, amplitude=0.6)
    # Sines that are orthogonal to any plane, up and down the image.
    own, other = (np.swapaxes(part, 1, 2) for part in (own, other))
    spectra = [
        np.fft.fft(part.mean(axis=2)[0, :, 0])[2] for part in (move_conditions(own, own), own)
    ]
    assert spectra[0] == pytest.approx(spectra[1], rel=1e-3)
    moved = np.fft.fft(move_conditions(own, other).mean(axis=2)[0, :, 0])[2]
    assert np.angle(moved / spectra[1]) == pytest.approx(0, abs=0.3)
    assert abs(moved) > 1.5 * abs(spectra[1])
