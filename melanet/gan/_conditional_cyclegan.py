"""The conditional CycleGAN: one set of networks that translates into several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from melanet.gan._cyclegan import NETWORKS, CycleGAN

_CONDITIONAL = ("generator_ab", "generator_ba", "discriminator_b")
_CODE = 0.2  # standard deviation of the classes' first biases, gammas and betas


class ConditionalCycleGAN(CycleGAN):
    """Translate between a set A and several classes B, by networks that share their kernels.

    Each class has biases, gammas and betas of its own in the generators and in discriminator B,
    and kernels of its own in that one's last layer: its scores are a projection of features that
    all classes share [1]_. Discriminator A has no classes, because A is the same for all. With
    the weights of one class, the networks are those of an ordinary `CycleGAN`; `select` assigns
    them.

    A training step has one class. Its batch is ``(a, b, classes)``, where `classes` holds the
    number of the class for each sample.

    Parameters
    ----------
    generator_ab, generator_ba, discriminator_a, discriminator_b : keras.Model
        As in `CycleGAN`, without state other than weights.
    n_classes : int
        Number of classes.
    **kwargs
        Passed to `CycleGAN`.

    References
    ----------
    .. [1] T. Miyato, M. Koyama, "cGANs with projection discriminator", ICLR 2018.

    Notes
    -----
    Gammas and betas alone would not tell classes apart: the paper's U-Net and PatchGAN have one
    of each in a normalisation, not one for each channel.

    It is not saved; trained classes are kept as CycleGANs.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet.gan import networks
    >>> from melanet.gan._conditional_cyclegan import ConditionalCycleGAN
    >>> four = networks.build_four((8, 8, 1), "resnet", 2, 2, seed=0)
    >>> model = ConditionalCycleGAN(*four, n_classes=3)
    >>> model.select(2)
    >>> model.translate(np.zeros((5, 8, 8, 1))).shape
    (5, 8, 8, 1)
    """

    def __init__(
        self,
        generator_ab: keras.Model,
        generator_ba: keras.Model,
        discriminator_a: keras.Model,
        discriminator_b: keras.Model,
        n_classes: int,
        **kwargs: Any,
    ):
        super().__init__(generator_ab, generator_ba, discriminator_a, discriminator_b, **kwargs)
        self.n_classes = n_classes
        # From now on, a network's own variables hold the weights of the class that is selected.
        for name in _CONDITIONAL:
            for variable in self._of_a_class(name):
                variable.trainable = False
        self._tables: Any = {
            name: [
                self.add_weight(shape=(n_classes, *v.shape), initializer="zeros")
                for v in getattr(self, name).non_trainable_variables
            ]
            for name in _CONDITIONAL
        }
        self.spread()

    def _of_a_class(self, name):
        """Return the variables of a network that each class has for itself."""
        network = getattr(self, name)
        last = network.layers[-1].weights if name == "discriminator_b" else []
        return [v for v in network.weights if len(v.shape) == 1] + last

    def spread(self, seed: int = 0) -> None:
        """Give the networks' present weights to all classes, and a code to each.

        The code is noise on its biases, gammas and betas. Shared kernels learn to read it long
        before equal classes would have grown apart.

        Parameters
        ----------
        seed : int, default=0
            Seed of the codes.
        """
        rng = np.random.default_rng(seed)
        for variable, table in self._pairs():
            rows = np.tile(ops.convert_to_numpy(variable), (self.n_classes, *[1] * variable.ndim))
            if variable.ndim == 1:
                rows = rows + rng.normal(0, _CODE, rows.shape)
            table.assign(rows.astype("float32"))

    def select(self, index: int) -> None:
        """Give the networks the weights of a class."""
        for variable, table in self._pairs():
            variable.assign(ops.convert_to_tensor(table)[index])

    def _pairs(self):
        for name, tables in self._tables.items():
            yield from zip(getattr(self, name).non_trainable_variables, tables, strict=True)

    def _networks_for(self, inputs):
        # A product, whose gradient is dense on all backends; that of a lookup is not.
        chosen = ops.one_hot(inputs[2][0], self.n_classes, dtype="float32")
        return [
            _OfClass(getattr(self, name), [_row(t, chosen) for t in self._tables[name]])
            if name in self._tables
            else getattr(self, name)
            for name in NETWORKS
        ]


def _row(table, chosen):
    chosen = ops.reshape(chosen, (-1, *[1] * (len(table.shape) - 1)))
    return ops.sum(ops.multiply(chosen, table), axis=0)


class _OfClass:
    """A network with the weights of one class, which may be symbolic.

    Parameters
    ----------
    network : keras.Model
        Network whose variables that are not trainable belong to a class.
    weights : list of tensors
        Their values.
    """

    def __init__(self, network: keras.Model, weights: Sequence[Any]):
        self.stateless_call = network.stateless_call
        self.trainable_variables = network.trainable_variables
        self.non_trainable_variables = weights

    def __call__(self, inputs: Any, training: bool) -> Any:
        outputs, _ = self.stateless_call(
            self.trainable_variables, self.non_trainable_variables, inputs, training=training
        )
        return outputs
