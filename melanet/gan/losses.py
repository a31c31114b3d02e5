"""Losses of a CycleGAN, one value per sample, and its optimizer."""

from typing import Any

import keras
from keras import ops

from melanet.utils._adam import FusedAdam


@keras.saving.register_keras_serializable("melanet")
class LinearDecayAdam(FusedAdam):
    """Adam whose learning rate may fall linearly to zero.

    Rate and number of steps are variables, unlike those of a Keras schedule: a compiled training
    step serves any of them.

    Parameters
    ----------
    learning_rate : float, default=2e-4
        Initial learning rate.
    decay_steps : int, default=0
        Steps over which the rate falls to zero; 0 keeps it constant.
    **kwargs
        Passed to ``keras.optimizers.Adam``.
    """

    def __init__(self, learning_rate: float = 2e-4, decay_steps: int = 0, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self._decay_steps = keras.Variable(
            float(decay_steps), trainable=False, dtype="float32", name="decay_steps"
        )
        self._track_variable(self._decay_steps)

    def _get_current_learning_rate(self):
        rate = ops.convert_to_tensor(self._learning_rate)
        total = ops.convert_to_tensor(self._decay_steps)
        step = ops.cast(ops.convert_to_tensor(self._iterations), "float32")
        step = ops.minimum(step, total)
        share = ops.divide(step, ops.maximum(total, 1.0))
        return ops.where(total > 0, rate * (1.0 - share), rate)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "learning_rate": float(ops.convert_to_numpy(self._learning_rate)),
            "decay_steps": int(ops.convert_to_numpy(self._decay_steps)),
        }


def adam(learning_rate: float = 2e-4, decay_steps: int | None = None) -> LinearDecayAdam:
    """Return the paper's optimizer, Adam with beta_1 = 0.5.

    Parameters
    ----------
    learning_rate : float, default=2e-4
        Initial learning rate; the default is the paper's.
    decay_steps : int or None, default=None
        Steps over which the rate falls linearly to zero; None keeps it constant, as in the paper.

    Returns
    -------
    LinearDecayAdam

    Examples
    --------
    >>> from melanet.gan.losses import adam
    >>> float(adam(decay_steps=100).learning_rate)
    0.00019999999494757503
    """
    return LinearDecayAdam(learning_rate, decay_steps or 0, beta_1=0.5)


class PrecomputedLoss(keras.losses.Loss):
    """Mean of losses that are already computed per sample.

    Being a Keras loss, it is scaled correctly where a batch is distributed over devices.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the losses unchanged."""
        return y_pred


def sample_mean(x: Any) -> Any:
    """Return the mean of each sample, in float32."""
    return ops.mean(ops.cast(x, "float32"), axis=tuple(range(1, len(x.shape))))


def squared_error(scores: Any, target: float) -> Any:
    """Return the mean squared difference of each sample's scores from a number."""
    return sample_mean(ops.square(ops.cast(scores, "float32") - target))


def absolute_error(x: Any, y: Any) -> Any:
    """Return the mean absolute difference of each pair of samples."""
    return sample_mean(ops.abs(ops.cast(x, "float32") - ops.cast(y, "float32")))


def scores_by_fixed_weights(discriminator: keras.Model, inputs: Any, training: bool) -> Any:
    """Return a discriminator's scores, whose gradients reach the inputs but not its weights."""
    scores, _ = discriminator.stateless_call(
        [ops.stop_gradient(v) for v in discriminator.trainable_variables],
        [ops.stop_gradient(v) for v in discriminator.non_trainable_variables],
        inputs,
        training=training,
    )
    return scores


def discriminator_losses(
    discriminator: keras.Model, sample: Any, translated: Any, training: bool
) -> tuple[Any, Any, Any]:
    """Score real samples and translations; return both players' losses.

    Parameters
    ----------
    discriminator : keras.Model
        Model whose scores are near 1 for real samples.
    sample, translated : tensor of shape (n, ...)
        Real samples and translations of one set.
    training : bool
        As in Keras.

    Returns
    -------
    adversarial : tensor of shape (n,)
        Loss of the generator; gradients reach the translation, not the discriminator's weights.
    loss : tensor of shape (n,)
        Loss of the discriminator; gradients reach its weights alone.
    accuracy : tensor of shape (n,)
        Share of the scores, real and translated, on the right side of 0.5.
    """
    score = scores_by_fixed_weights(discriminator, translated, training)
    fixed = ops.cast(ops.stop_gradient(translated), sample.dtype)
    scores = discriminator(ops.concatenate([sample, fixed]), training=training)
    real, fake = ops.split(scores, 2)
    accuracy = (sample_mean(real > 0.5) + sample_mean(fake <= 0.5)) / 2
    return squared_error(score, 1.0), squared_error(real, 1.0) + squared_error(fake, 0.0), accuracy
