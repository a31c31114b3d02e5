"""The fused optimizer is Adam: Keras' own, and the formula in NumPy."""

import keras
import numpy as np
import pytest

from melanet.utils._adam import FusedAdam


def trained(optimizer, policy="float32", lookup=False):
    """Return the weights after five steps of a small network, and the optimizer's state."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((6,))
    if lookup:  # its gradient is sparse
        x = keras.layers.Flatten()(keras.layers.Embedding(9, 3)(x))
    x = keras.layers.Dense(5, activation="softplus", dtype=policy)(x)
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))
    model.compile(optimizer, "mse")
    X, y = rng.integers(0, 9, (20, 6)), rng.normal(size=(20, 1))
    if not lookup:
        X = X / 9
    model.fit(X, y, batch_size=4, shuffle=False, verbose=0)
    return model.get_weights(), [keras.ops.convert_to_numpy(v) for v in optimizer.variables]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.5, "epsilon": 1e-3},
        {"amsgrad": True},
        {"weight_decay": 0.1, "clipnorm": 0.1},
        {"use_ema": True},
    ],
)
def test_steps_are_those_of_keras(options):
    ours, theirs = (trained(kind(0.05, **options)) for kind in (FusedAdam, keras.optimizers.Adam))
    for a, b in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("options", [{"policy": "mixed_bfloat16"}, {"lookup": True}])
def test_other_gradients_are_those_of_keras(options):
    ours, theirs = (
        trained(kind(0.05), **options)[0] for kind in (FusedAdam, keras.optimizers.Adam)
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_steps_are_those_of_the_formula():
    gradients = np.random.default_rng(0).normal(size=(6, 4))
    variable = keras.Variable(np.zeros(4, "float32"))
    optimizer = FusedAdam(0.05)
    optimizer.build([variable])
    x = m = v = np.zeros(4)
    for t, g in enumerate(gradients, 1):
        optimizer.apply([keras.ops.convert_to_tensor(g, "float32")])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - 0.05 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), x, atol=2e-6)


def test_it_takes_one_operation_a_variable():
    tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    variables = [keras.Variable(np.ones(3, "float32")) for _ in range(9)]
    optimizer = FusedAdam(0.1)
    optimizer.build(variables)

    @tf.function
    def step(gradients):
        optimizer.apply(gradients)

    graph = step.get_concrete_function([tf.ones(3)] * 9).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 9
    assert optimizer._scalars is None  # no tensor of the graph is kept
    step([tf.ones(3)] * 9)
    np.testing.assert_allclose(variables[0].numpy(), 0.9, rtol=1e-5)  # the first step's size
