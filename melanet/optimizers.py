"""Adam with one operation for each weight, where the backend has it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("melanet")
class Adam(keras.optimizers.Adam):
    """Keras' Adam, with one fused operation for each weight on TensorFlow.

    Keras writes the update as a dozen operations, each of which reads and writes a whole weight;
    TensorFlow has one kernel for all of it. The arithmetic is the same. On other backends, under
    a ``tf.distribute`` strategy and with ``amsgrad`` it is Keras' Adam unchanged.

    Parameters
    ----------
    **kwargs
        As in ``keras.optimizers.Adam``.

    Examples
    --------
    >>> from melanet.optimizers import Adam
    >>> Adam(2e-4, beta_1=0.5).beta_1
    0.5
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._power_1 = self._power_2 = None

    def apply(self, grads, trainable_variables=None):
        """Update the weights once."""
        step = ops.cast(self.iterations + 1, "float32")
        self._power_1 = ops.power(ops.cast(self.beta_1, "float32"), step)
        self._power_2 = ops.power(ops.cast(self.beta_2, "float32"), step)
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._power_1 = self._power_2 = None

    def update_step(self, gradient, variable, learning_rate):
        """Update one weight."""
        if not self._fused(gradient, variable):
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self._power_1,
            beta2_power=self._power_2,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )

    def _fused(self, gradient, variable):
        if keras.backend.backend() != "tensorflow" or self.amsgrad or self._power_1 is None:
            return False
        import tensorflow as tf

        plain = isinstance(gradient, tf.Tensor) and variable.dtype == tf.float32
        return plain and hasattr(variable, "handle") and not tf.distribute.has_strategy()
