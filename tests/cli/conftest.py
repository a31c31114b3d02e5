from dataclasses import replace

import pytest
from commands import run, write_classes

from melanet import CycleGAN
from melanet.over_sampling import PRESETS


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """Return a folder with images, a CycleGAN, synthetic images and a classifier."""
    folder = tmp_path_factory.mktemp("work")
    train = write_classes(folder / "train", 24, 0)
    write_classes(folder / "test", 16, 1)
    gan, made, model = folder / "b2m.keras", folder / "made", folder / "model.melanet"
    budget = ["--steps", 4, "--size", 16, "--preset", "default"]
    narrow = {"generator": "unet", "filters": 4, "discriminator_filters": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "default", replace(PRESETS["default"], **narrow))
        run("train-gan", train, "--out", gan, *budget)
    run("oversample", train, made, "--model", gan, "--preset", "paper", "--seed", 3)
    small = ["--backbone", "small", "--size", 16, "--epochs", 2]
    run("train-classifier", train, "--synthetic", made, "--out", model, *small)
    return folder


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """Return the file of an untrained CycleGAN of 16 x 16 pixels."""
    path = tmp_path_factory.mktemp("untrained") / "g.keras"
    CycleGAN.from_shape((16, 16, 3), filters=2, discriminator_filters=2, seed=0).save(path)
    return path
