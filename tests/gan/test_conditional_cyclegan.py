import keras
import numpy as np
import pytest

from melanet.gan import CycleGAN, networks
from melanet.gan._conditional_cyclegan import ConditionalCycleGAN
from melanet.gan._unpaired_dataset import ConditionalImages

SHAPE = (8, 8, 1)
KINDS = [("resnet", SHAPE), ("unet", SHAPE), (None, (5,))]


def four(generator="resnet", shape=SHAPE):
    return networks.build_four(shape, generator, 3, 2, seed=0)


def values(model):
    return [keras.ops.convert_to_numpy(v) for v in model.weights]


def trained(generator="resnet", shape=SHAPE, n_classes=3):
    """Return a model after two steps of each class, which differ by brightness."""
    rng = np.random.default_rng(0)
    A = rng.uniform(-0.1, 0.1, (6, *shape))
    classes = [rng.uniform(-0.1, 0.1, (5, *shape)) + c / 3 for c in range(n_classes)]
    model = ConditionalCycleGAN(*four(generator, shape), n_classes=n_classes)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)  # no compilation
    batches = ConditionalImages(A, classes, batch_size=2, steps=2 * n_classes)
    model.fit(batches, epochs=1, verbose=0)
    return model


@pytest.fixture(scope="module", params=KINDS, ids=str)
def model(request):
    return trained(*request.param)


@pytest.mark.parametrize(("generator", "shape"), KINDS)
def test_classes_share_all_kernels_but_those_of_the_last_scores(generator, shape):
    model = ConditionalCycleGAN(*four(generator, shape), n_classes=3)
    for name, tables in model._tables.items():
        network = getattr(model, name)
        own = {id(v) for v in network.non_trainable_variables}
        last = {id(v) for v in network.layers[-1].weights}
        for variable in network.weights:
            of_a_class = variable.ndim == 1 or (name == "discriminator_b" and id(variable) in last)
            assert (id(variable) in own) == of_a_class
        assert [t.shape for t in tables] == [(3, *v.shape) for v in network.non_trainable_variables]
    assert not model.discriminator_a.non_trainable_variables


def test_at_first_classes_differ_by_codes_around_the_weights_that_were_given():
    given = values(four()[0])
    model, again, other = (ConditionalCycleGAN(*four(), n_classes=5) for _ in range(3))
    other.spread(seed=1)
    codes = []
    for index in range(5):
        model.select(index)
        for ours, theirs in zip(values(model.generator_ab), given, strict=True):
            if ours.ndim > 1:
                np.testing.assert_array_equal(ours, theirs)
            else:
                codes.append(ours - theirs)
    codes = np.concatenate(codes)
    assert abs(codes.mean()) < 0.03
    assert codes.std() == pytest.approx(0.2, rel=0.1)
    for first, equal, different in zip(*(m._tables["generator_ab"] for m in (model, again, other))):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (first, equal)))
        assert (keras.ops.convert_to_numpy(first) != keras.ops.convert_to_numpy(different)).all()


def test_a_selected_class_is_the_ordinary_cyclegan_with_its_weights(model):
    rng = np.random.default_rng(1)
    a, b = rng.uniform(-1, 1, (2, 4, *model.sample_shape)).astype("float32")
    seen = []
    for index in range(3):
        x = a, b, np.full(4, index, "int32")
        outputs = model(x)
        losses = keras.ops.convert_to_numpy(model.compute_loss(x=x, y_pred=outputs))
        model.select(index)
        networks_of_class = [
            model.generator_ab, model.generator_ba, model.discriminator_a, model.discriminator_b
        ]  # fmt: skip
        plain = CycleGAN(*networks_of_class)
        expected = plain((a, b))
        for name, value in outputs.items():
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(value),
                keras.ops.convert_to_numpy(expected[name]),
                atol=1e-6,
            )
        np.testing.assert_allclose(
            losses,
            keras.ops.convert_to_numpy(plain.compute_loss(x=(a, b), y_pred=expected)),
            rtol=1e-5,
        )
        seen.append(keras.ops.convert_to_numpy(outputs["fake_b"]))
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    assert np.abs(seen[1] - seen[2]).max() > 1e-3


def test_a_step_changes_the_weights_of_its_class_and_the_shared_ones():
    model = ConditionalCycleGAN(*four(), n_classes=3)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)).astype("float32")
    tables = [t for name in model._tables for t in model._tables[name]]
    before = [keras.ops.convert_to_numpy(t).copy() for t in tables]
    kernels = values(model.generator_ab)
    model.fit(_Once((*x, np.full(2, 1, "int32"))), verbose=0)
    after = [keras.ops.convert_to_numpy(t) for t in tables]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old[[0, 2]], new[[0, 2]])
    assert any((old[1] != new[1]).any() for old, new in zip(before, after))
    assert any((old != new).any() for old, new in zip(kernels, values(model.generator_ab)))


class _Once(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self._batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self._batch,)
