"""The focal loss of the paper, out of the parts that Keras ships."""

import math
from collections.abc import Sequence
from numbers import Real

import keras
import numpy as np

__all__ = ["focal_loss"]


def focal_loss(gamma=2.0, alpha=0.25):
    r"""Focal loss for softmax probabilities and one-hot targets.

    The easier a sample is already classified, the less it counts: the cross-entropy of a sample
    whose own class has probability :math:`p_t` is multiplied by :math:`(1 - p_t)^\gamma` [1]_.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly easy samples are played down, at least 0. With 0 it is plain cross-entropy.
    alpha : float in [0, 1] or sequence of K floats >= 0, default=0.25
        - A float is the paper's form [2]_: each softmax column is taken as a yes/no question of its
          own, the columns' focal losses, weighted by `alpha` where the target is 1 and by
          `1 - alpha` where it is 0, are averaged (`keras.losses.BinaryFocalCrossentropy` with
          class balancing, made safe behind a softmax).
        - A sequence holds one weight for each class, in the order of the columns: a sample of
          class `k` costs ``alpha[k] * (1 - p_t) ** gamma * -log(p_t)``
          (`keras.losses.CategoricalFocalCrossentropy`).

    Returns
    -------
    loss : keras.losses.Loss
        Called with ``(y_true, y_pred)``, both of shape (n_samples, K) with K at least 2: one-hot
        targets, and probabilities that sum to 1 in each row. Gives the mean over the samples.
        Serialisable as any Keras loss.

    Raises
    ------
    TypeError
        If `gamma` is not a number, or `alpha` neither a number nor a sequence of numbers.
    ValueError
        If one of them is outside its range.

    Notes
    -----
    **With two columns a float** `alpha` **does nothing.** A sample's own column contributes
    :math:`\alpha (1 - p_t)^\gamma (-\log p_t)`. The other column holds :math:`1 - p_t` with target
    0, is hence right with the same probability :math:`p_t`, and contributes
    :math:`(1 - \alpha) (1 - p_t)^\gamma (-\log p_t)`. Their mean is

    .. math:: \tfrac{1}{2} (1 - p_t)^\gamma (-\log p_t)

    whatever `alpha` and whatever the class. The default is kept because it is the paper's. To make
    a rare class count for more, pass `alpha` as a sequence, give ``class_weight=`` to `fit`, or
    balance the training set (:class:`melanet.GANOversampler`). The sequence ``[0.5, 0.5]`` equals
    every float.

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
    >>> print(f"{float(focal_loss(alpha=[0.5, 2.0])(y_true, y_pred)):.4f}")  # four times as much
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
    # A list of floats, since Keras writes it to JSON when the model is saved.
    weights = [_number("alpha", w, math.inf, "a sequence of finite weights >= 0") for w in alpha]
    return keras.losses.CategoricalFocalCrossentropy(alpha=weights, gamma=gamma, name="focal_loss")


@keras.saving.register_keras_serializable(package="melanet")
class ColumnFocalLoss(keras.losses.BinaryFocalCrossentropy):
    """Keras' binary focal loss over the columns of a softmax; see :func:`focal_loss`."""

    def call(self, y_true, y_pred):
        """Give the loss of each sample, of shape (n_samples,)."""
        # A copy: on TensorFlow a softmax output carries its logits with it, and Keras' binary
        # losses would take the sigmoid of those in place of the probabilities.
        return super().call(y_true, keras.ops.copy(y_pred))


def _number(name, value, high, expected):
    """Return `value` as a float, or raise unless it is a finite number in [0, high]."""
    message = f"`{name}` must be {expected}. Received: {value!r}."
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message)
    if not (math.isfinite(value) and 0 <= value <= high):
        raise ValueError(message)
    return float(value)
