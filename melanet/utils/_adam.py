"""Adam in one kernel a variable, where the backend has one."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("melanet")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, which on TensorFlow updates a variable by one operation instead of dozens.

    That shortens the compilation of a training (docs/decisions/compiled-models.md). The other
    backends take Keras' own steps, and so do sparse gradients and ``amsgrad=True``.

    Parameters
    ----------
    **kwargs
        As in ``keras.optimizers.Adam``.
    """

    _scalars: dict[str, Any] | None = None  # of a step, while it is applied

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the variables; see ``keras.optimizers.Optimizer.apply``."""
        if keras.backend.backend() == "tensorflow" and not self.amsgrad:
            self._scalars = self._of_step()
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._scalars = None

    def _of_step(self):
        step = ops.cast(self.iterations, "float32") + 1.0
        beta_1, beta_2 = ops.convert_to_tensor(self.beta_1), ops.convert_to_tensor(self.beta_2)
        return {
            "beta1": beta_1,
            "beta2": beta_2,
            "beta1_power": ops.power(beta_1, step),
            "beta2_power": ops.power(beta_2, step),
            "epsilon": ops.convert_to_tensor(self.epsilon),
        }

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; see ``keras.optimizers.Optimizer.update_step``."""
        if self._scalars is None or hasattr(gradient, "indices"):  # a sparse gradient
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        scalars = {"lr": learning_rate, **self._scalars}
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            grad=ops.cast(gradient, variable.dtype),
            **{name: ops.cast(value, variable.dtype) for name, value in scalars.items()},
        )
