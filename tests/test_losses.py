"""The focal loss against an independent NumPy implementation."""

import math

import keras
import numpy as np
import pytest

from melanet.losses import focal_loss


def _data(n_classes, n=64, seed=0):
    rng = np.random.RandomState(seed)
    scores = rng.normal(scale=2.0, size=(n, n_classes))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.arange(n) % n_classes
    return labels, np.eye(n_classes)[labels], p


def _released(y_true, p, gamma, alpha):
    """Focal loss of every entry, alpha for target 1 and 1 - alpha for target 0, averaged."""
    total = 0.0
    for targets, row in zip(y_true, p, strict=True):
        for target, q in zip(targets, row, strict=True):
            if target == 1:
                total -= alpha * (1 - q) ** gamma * math.log(q)
            else:
                total -= (1 - alpha) * q**gamma * math.log(1 - q)
    return total / y_true.size


def _own_column(labels, p, gamma):
    p_t = p[np.arange(len(labels)), labels]
    return (1 - p_t) ** gamma * -np.log(p_t)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_alpha_cancels_for_two_softmax_columns(alpha):
    labels, y_true, p = _data(2)
    expected = 0.5 * _own_column(labels, p, 2.0).mean()

    assert _released(y_true, p, 2.0, alpha) == pytest.approx(expected, rel=1e-9)
    assert float(focal_loss(alpha=alpha)(y_true, p)) == pytest.approx(expected, rel=1e-5)


def test_alpha_does_not_cancel_for_columns_that_are_not_a_softmax():
    # Guards the test above: in general, the released form depends on alpha.
    _, y_true, p = _data(2)
    p[:, 1] = p[::-1, 0]
    values = [_released(y_true, p, 2.0, alpha) for alpha in (0.25, 0.9)]

    assert abs(values[0] - values[1]) > 0.05
    for value, alpha in zip(values, (0.25, 0.9), strict=True):
        assert float(focal_loss(alpha=alpha)(y_true, p)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (3.5, 0.8)])
def test_float_alpha_is_the_released_form(n_classes, gamma, alpha):
    _, y_true, p = _data(n_classes)
    loss = focal_loss(gamma=gamma, alpha=alpha)(y_true, p)

    assert float(loss) == pytest.approx(_released(y_true, p, gamma, alpha), rel=1e-5)


def test_defaults_are_the_papers():
    _, y_true, p = _data(3)
    expected = _released(y_true, p, 2.0, 0.25)

    assert float(focal_loss()(y_true, p)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("alpha", [[0.2, 1.4], [0.5, 1.0, 3.0], (2, 1), np.array([0.3, 2.0, 1.0])])
def test_a_sequence_alpha_weights_each_class(alpha):
    labels, y_true, p = _data(len(alpha))
    expected = (np.asarray(alpha)[labels] * _own_column(labels, p, 2.0)).mean()
    value = float(focal_loss(alpha=alpha)(y_true, p))

    assert value == pytest.approx(expected, rel=1e-5)
    assert abs(value - float(focal_loss(alpha=[1.0] * len(alpha))(y_true, p))) > 1e-3


def test_two_halves_equal_any_float():
    _, y_true, p = _data(2)

    assert float(focal_loss(alpha=[0.5, 0.5])(y_true, p)) == pytest.approx(
        float(focal_loss(alpha=0.25)(y_true, p)), rel=1e-5
    )


def test_class_weights_act_like_a_sequence():
    labels, y_true, p = _data(2)
    weights = np.array([0.6, 3.0])
    weighted = focal_loss()(y_true, p, sample_weight=weights[labels])

    assert float(weighted) == pytest.approx(
        float(focal_loss(alpha=weights / 2)(y_true, p)), rel=1e-5
    )


@pytest.mark.parametrize("run_eagerly", [True, False])
@pytest.mark.parametrize("alpha", [0.25, [0.5, 2.0, 1.0]])
def test_the_loss_uses_the_probabilities_of_a_softmax_layer(alpha, run_eagerly):
    """On TensorFlow, Keras' own binary loss uses the sigmoid of the layer's logits instead."""
    labels, y_true, p = _data(3, n=8)
    # softmax(log p) is p.
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("softmax")])
    model.compile(loss=focal_loss(alpha=alpha), run_eagerly=run_eagerly)
    value = model.evaluate(np.log(p) + 3.0, y_true, verbose=0)

    if np.ndim(alpha):
        expected = (np.asarray(alpha)[labels] * _own_column(labels, p, 2.0)).mean()
    else:
        expected = _released(y_true, p, 2.0, alpha)
    assert value == pytest.approx(expected, rel=1e-4)
    assert float(model.loss(y_true, model(np.log(p) + 3.0))) == pytest.approx(expected, rel=1e-4)


def test_only_a_sequence_shifts_training_towards_the_rare_class():
    """The bias of a two-column softmax shifts with a sequence, but not with a float."""

    def bias_after_training(**parameters):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros"),
            ]
        )
        model.compile(optimizer=keras.optimizers.SGD(1.0), loss=focal_loss(**parameters))
        x = np.zeros((16, 1), "float32")
        y = np.eye(2, dtype="float32")[[0] * 12 + [1] * 4]
        for _ in range(3):
            model.train_on_batch(x, y)
        return keras.ops.convert_to_numpy(model.layers[0].bias)

    low, high = bias_after_training(alpha=0.1), bias_after_training(alpha=0.9)
    np.testing.assert_allclose(low, high, atol=1e-6)
    assert low[0] - low[1] > 0.05  # biased towards the common class
    balanced = bias_after_training(alpha=[0.25, 0.75])
    np.testing.assert_allclose(balanced, 0.0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.25, [0.5, 2.0], np.array([0.5, 2.0], "float32")])
def test_the_loss_can_be_serialized(alpha):
    _, y_true, p = _data(2)
    loss = focal_loss(gamma=1.5, alpha=alpha)
    again = keras.losses.deserialize(keras.losses.serialize(loss))

    assert float(again(y_true, p)) == pytest.approx(float(loss(y_true, p)))


def test_the_loss_is_finite_for_probabilities_of_zero_and_one():
    y_true = np.eye(2)
    for alpha in (0.25, [0.5, 2.0]):
        assert float(focal_loss(alpha=alpha)(y_true, y_true)) == pytest.approx(0.0, abs=1e-6)
        worst = float(focal_loss(alpha=alpha)(y_true, 1 - y_true))
        assert 5 < worst < 50


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"gamma": -1}, ValueError, r"`gamma` must be a finite number of at least 0\..*: -1"),
        ({"gamma": math.nan}, ValueError, "Received: nan"),
        ({"gamma": "2"}, TypeError, "`gamma` must be a finite number"),
        ({"alpha": 1.5}, ValueError, r"`alpha` must be a number in \[0, 1\].*Received: 1.5"),
        ({"alpha": True}, TypeError, "`alpha` must be a number in .* or a sequence"),
        ({"alpha": None}, TypeError, "Received: None"),
        ({"alpha": "balanced"}, TypeError, "Received: 'balanced'"),
        ({"alpha": [1.0]}, ValueError, "at least two classes"),
        ({"alpha": [[1.0, 2.0]]}, ValueError, "at least two classes"),
        ({"alpha": [1.0, -0.5]}, ValueError, "finite weights >= 0"),
        ({"alpha": [1.0, math.inf]}, ValueError, "Received: inf"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        focal_loss(**parameters)
