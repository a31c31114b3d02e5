"""What a CycleGAN minimises, sample by sample, and by which optimizer."""

import keras
from keras import ops


def adam(learning_rate=2e-4, decay_steps=None):
    """Return the paper's optimizer, Adam with beta_1 = .5.

    Parameters
    ----------
    learning_rate : float, default=2e-4
        The paper's rate.
    decay_steps : int or None, default=None
        Steps over which the rate falls linearly to zero; None keeps it constant, as the paper.

    Returns
    -------
    keras.optimizers.Adam

    Examples
    --------
    >>> from melanet.gan.losses import adam
    >>> float(adam(decay_steps=100).learning_rate)
    0.00019999999494757503
    """
    if decay_steps is not None:
        learning_rate = keras.optimizers.schedules.PolynomialDecay(
            learning_rate, decay_steps, end_learning_rate=0.0, power=1.0
        )
    return keras.optimizers.Adam(learning_rate, beta_1=0.5)


class PrecomputedLoss(keras.losses.Loss):
    """The mean of the per-sample totals; Keras scales it where a batch is spread over devices."""

    def call(self, y_true, y_pred):
        """Return the totals as they are."""
        return y_pred


def sample_mean(x):
    """Return the mean of each sample, in float32."""
    return ops.mean(ops.cast(x, "float32"), axis=tuple(range(1, len(x.shape))))


def squared_error(scores, target):
    """Return each sample's mean squared difference from a number."""
    return sample_mean(ops.square(ops.cast(scores, "float32") - target))


def absolute_error(x, y):
    """Return each sample's mean absolute difference."""
    return sample_mean(ops.abs(ops.cast(x, "float32") - ops.cast(y, "float32")))


def discriminator_losses(discriminator, sample, translated, training):
    """Let a discriminator judge real samples and translations.

    Parameters
    ----------
    discriminator : keras.Model
        Scores samples, near 1 for real ones.
    sample, translated : tensor of shape (n, ...)
        Real samples and translations of one set.
    training : bool
        As in Keras.

    Returns
    -------
    adversarial : tensor of shape (n,)
        What the generators learn from: gradients reach the translation, not the weights.
    loss : tensor of shape (n,)
        What the discriminator learns from: gradients reach its weights alone.
    accuracy : tensor of shape (n,)
        Share of the scores, real and translated, on the right side of one half.
    """
    score, _ = discriminator.stateless_call(
        [ops.stop_gradient(v) for v in discriminator.trainable_variables],
        [ops.stop_gradient(v) for v in discriminator.non_trainable_variables],
        translated,
        training=training,
    )
    fixed = ops.cast(ops.stop_gradient(translated), sample.dtype)
    scores = discriminator(ops.concatenate([sample, fixed]), training=training)
    real, fake = ops.split(scores, 2)
    accuracy = (sample_mean(real > 0.5) + sample_mean(fake <= 0.5)) / 2
    return squared_error(score, 1.0), squared_error(real, 1.0) + squared_error(fake, 0.0), accuracy
