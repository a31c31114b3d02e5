"""The paper's focal loss, built from Keras' losses."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

__all__ = ["focal_loss"]


def focal_loss(
    gamma: float = 2.0, alpha: float | Sequence[float] | NDArray[np.floating] = 0.25
) -> keras.losses.Loss:
    r"""Return a focal loss for softmax probabilities and one-hot targets.

    Samples that are already classified well count less: the cross-entropy of a sample whose own
    class has probability :math:`p_t` is multiplied by :math:`(1 - p_t)^\gamma` [1]_.

    Parameters
    ----------
    gamma : float, default=2.0
        Exponent that reduces the weight of easy samples, at least 0; 0 is plain cross-entropy.
    alpha : float in [0, 1] or sequence of K floats >= 0, default=0.25
        - A float is the paper's form [2]_: each softmax column is treated as a binary problem, and
          the columns' focal losses, weighted by `alpha` where the target is 1 and by `1 - alpha`
          where it is 0, are averaged (`keras.losses.BinaryFocalCrossentropy` with class balancing,
          made safe after a softmax).
        - A sequence holds one weight per class, in the order of the columns: the loss of a sample
          of class `k` is ``alpha[k] * (1 - p_t) ** gamma * -log(p_t)``
          (`keras.losses.CategoricalFocalCrossentropy`).

    Returns
    -------
    loss : keras.losses.Loss
        Loss of ``(y_true, y_pred)``, both of shape (n_samples, K) with K at least 2: one-hot
        targets, and probabilities that sum to 1 in each row. Returns the mean over the samples.
        Serializable like any Keras loss.

    Raises
    ------
    TypeError
        If `gamma` is not a number, or `alpha` is neither a number nor a sequence of numbers.
    ValueError
        If `gamma` or `alpha` is outside its range.

    Notes
    -----
    **With two columns a float** `alpha` **has no effect.** A sample's own column contributes
    :math:`\alpha (1 - p_t)^\gamma (-\log p_t)`. The other column holds :math:`1 - p_t` with target
    0, so it is right with the same probability :math:`p_t` and contributes
    :math:`(1 - \alpha) (1 - p_t)^\gamma (-\log p_t)`. Their mean is

    .. math:: \tfrac{1}{2} (1 - p_t)^\gamma (-\log p_t)

    for every `alpha` and class. The default is kept because it is the paper's. To give a rare
    class more weight, pass `alpha` as a sequence, pass ``class_weight=`` to `fit`, or balance the
    training set (:class:`melanet.GANOversampler`). The sequence ``[0.5, 0.5]`` equals every float.

    References
    ----------
    .. [1] Lin, T.-Y., Goyal, P., Girshick, R., He, K., & Dollár, P. (2017). Focal loss for dense
       object detection. ICCV, 2980-2988.
    .. [2] Zunair, H., & Ben Hamza, A. (2020). Melanoma detection using adversarial training and
       deep transfer learning. Physics in Medicine & Biology, 65(13), 135005.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.losses import focal_loss
    >>> y_true = np.array([[0.0, 1.0]])
    >>> y_pred = np.array([[0.4, 0.6]])
    >>> print(f"{float(focal_loss(alpha=0.25)(y_true, y_pred)):.4f}")
    0.0409
    >>> print(f"{float(focal_loss(alpha=0.99)(y_true, y_pred)):.4f}")  # no effect
    0.0409
    >>> print(f"{float(focal_loss(alpha=[0.5, 2.0])(y_true, y_pred)):.4f}")  # four times the loss
    0.1635
    """
    gamma = _number("gamma", gamma, math.inf, "a finite number of at least 0")
    if not isinstance(alpha, Sequence | np.ndarray) or isinstance(alpha, str):
        alpha = _number("alpha", alpha, 1.0, "a number in [0, 1] or a sequence of weights")
        return ColumnFocalLoss(
            apply_class_balancing=True, alpha=alpha, gamma=gamma, name="focal_loss"
        )
    if np.ndim(alpha) != 1 or len(alpha) < 2:
        raise ValueError(
            "`alpha` as a sequence must hold one weight for each of at least two classes. "
            f"Received: alpha={alpha!r}."
        )
    # A list of floats, because Keras writes it to JSON when the model is saved.
    weights = [_number("alpha", w, math.inf, "a sequence of finite weights >= 0") for w in alpha]
    return keras.losses.CategoricalFocalCrossentropy(alpha=weights, gamma=gamma, name="focal_loss")


@keras.saving.register_keras_serializable(package="melanet")
class ColumnFocalLoss(keras.losses.BinaryFocalCrossentropy):
    """Keras' binary focal loss over the columns of a softmax; see :func:`focal_loss`."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, of shape (n_samples,)."""
        # A copy: on TensorFlow a softmax output carries its logits, and Keras' binary losses
        # would use the sigmoid of those instead of the probabilities.
        return super().call(y_true, keras.ops.copy(y_pred))


def _number(name, value, high, expected):
    """Return a finite number in [0, high] as a float; raise for anything else."""
    message = f"`{name}` must be {expected}. Received: {value!r}."
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message)
    number = float(value)
    if not (math.isfinite(number) and 0 <= number <= high):
        raise ValueError(message)
    return number
