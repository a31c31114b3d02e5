import random

import numpy as np
import pytest

from melanet.gan import networks

GENERATORS = [networks.unet_generator, networks.resnet_generator]


def test_paper_networks_have_the_papers_sizes():
    unet = networks.unet_generator((256, 256, 3), filters=32)
    patch = networks.patch_discriminator((256, 256, 3), filters=64)
    assert unet.count_params() == 1_545_425
    assert patch.count_params() == 2_764_743
    assert patch.output_shape == (None, 16, 16, 1)


SIZES = [(1, 1, 1), (2, 3, 1), (8, 8, 1), (28, 28, 1), (33, 17, 4), (45, 60, 3), (64, 64, 3)]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("build", GENERATORS)
def test_generators_accept_any_size_and_keep_it(build, shape):
    model = build(shape, filters=4)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
    y = model.predict(x, verbose=0)
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert np.abs(y).max() <= 1


@pytest.mark.parametrize("build", GENERATORS)
def test_generators_accept_photographs(build):
    assert build((450, 600, 3), filters=4).output_shape == (None, 450, 600, 3)


@pytest.mark.parametrize("shape", SIZES)
def test_discriminator_judges_patches(shape):
    model = networks.patch_discriminator(shape, filters=4)
    assert model.output_shape[-1] == 1
    if min(shape[:2]) >= 8:
        assert min(model.output_shape[1:3]) >= 2


@pytest.mark.parametrize("build", [*GENERATORS, networks.patch_discriminator])
def test_weights_depend_on_the_seed_alone(build):
    first, second, other = (build((8, 8, 1), filters=4, seed=s) for s in (1, 1, 2))
    pairs = list(zip(first.get_weights(), second.get_weights(), other.get_weights()))
    assert all((a == b).all() for a, b, _ in pairs)
    kernels = [(a, c) for a, _, c in pairs if a.ndim == 4]
    assert all((a != c).any() for a, c in kernels)


def test_building_keeps_pythons_random_state():
    random.seed(3)
    state = random.getstate()
    for build in (*GENERATORS, networks.patch_discriminator):
        build((8, 8, 1), filters=4)
    networks.dense_generator((5,))
    networks.dense_discriminator((5,))
    assert random.getstate() == state


def test_dense_networks_keep_the_row_shape():
    x = np.random.default_rng(0).uniform(-1, 1, (4, 7)).astype("float32")
    assert networks.dense_generator((7,)).predict(x, verbose=0).shape == (4, 7)
    assert networks.dense_discriminator((7,)).predict(x, verbose=0).shape == (4, 1)


@pytest.mark.parametrize("shape", [(8, 8), (0, 8, 1), (8, 8, 1.5)])
def test_shape_is_validated(shape):
    with pytest.raises(ValueError, match="shape must be"):
        networks.unet_generator(shape)
