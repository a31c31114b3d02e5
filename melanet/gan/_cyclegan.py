"""The CycleGAN: four networks and one loss, trained by Keras' own ``fit``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from melanet.gan import networks
from melanet.gan._unpaired_dataset import UnpairedDataset
from melanet.gan.losses import PrecomputedLoss, absolute_error, adam, discriminator_losses
from melanet.utils import untuned
from melanet.utils._chunks import default_batch_size, samples_that_fit
from melanet.utils._files import atomic_path
from melanet.utils._keras import short_traces
from melanet.utils._typing import PathLike
from melanet.utils._validation import as_symmetric, check_positive_integer
from melanet.weights import locate, read_model

NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
_PREDICT_BYTES = 32 << 20  # samples passed to one call of ``predict`` on several devices


@keras.saving.register_keras_serializable("melanet")
class CycleGAN(keras.Model):
    """Translate between two unpaired sets, A and B.

    The losses are the paper's: least-squares adversarial terms, ``cycle_weight`` times the mean
    absolute error of A -> B -> A and B -> A -> B, ``identity_weight`` times that of the
    generators on samples of their target set, and for the discriminators the squared errors on
    real samples (target 1) and translations (target 0). One forward pass gives all of them:
    gradients of the generators' loss stop at the discriminators' weights, and gradients of the
    discriminators' loss stop at the translations. One optimizer updates all four networks at
    once.

    The constructor compiles the model with the paper's Adam; call ``compile`` to change it.

    Parameters
    ----------
    generator_ab, generator_ba : keras.Model
        Models from A to B, and from B to A, in [-1, 1].
    discriminator_a, discriminator_b : keras.Model
        Models from samples to scores of any shape, near 1 for real samples of their set. To
        translate from A to B alone, they and `generator_ba` can be None.
    adversarial_weight, cycle_weight, identity_weight : float, default=1.0, 10.0, 1.0
        Weights of the generators' losses. An `identity_weight` of 0 saves a third of the
        translations of a step.
    **kwargs
        Passed to ``keras.Model``.

    See Also
    --------
    CycleGAN.from_shape : Build the networks for a shape.

    References
    ----------
    .. [1] J.-Y. Zhu, T. Park, P. Isola, A. A. Efros, "Unpaired image-to-image translation using
       cycle-consistent adversarial networks", ICCV 2017.
    .. [2] H. Zunair, A. Ben Hamza, "Melanoma detection using adversarial training and deep
       transfer learning", Physics in Medicine & Biology, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from melanet import CycleGAN, UnpairedImages
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.uniform(-1, 0, (6, 8, 8, 1)), rng.uniform(0, 1, (4, 8, 8, 1))
    >>> model = CycleGAN.from_shape((8, 8, 1), filters=4, discriminator_filters=4)
    >>> history = model.fit(UnpairedImages(A, B, batch_size=2), epochs=1, verbose=0)
    >>> sorted(history.history)[:2]
    ['adversarial_loss', 'cycle_loss']
    >>> model.translate(A, to="B").shape
    (6, 8, 8, 1)
    """

    _term_names: tuple[str, ...] = (
        "discriminator_loss",
        "discriminator_accuracy",
        "adversarial_loss",
        "cycle_loss",
        "identity_loss",
    )

    def __init__(
        self,
        generator_ab: keras.Model,
        generator_ba: keras.Model | None,
        discriminator_a: keras.Model | None,
        discriminator_b: keras.Model | None,
        adversarial_weight: float = 1.0,
        cycle_weight: float = 10.0,
        identity_weight: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.generator_ab: Any = generator_ab
        self.generator_ba: Any = generator_ba
        self.discriminator_a = discriminator_a
        self.discriminator_b = discriminator_b
        self.adversarial_weight = adversarial_weight
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self._total = PrecomputedLoss(name="total")
        self._terms = [keras.metrics.Mean(name=name) for name in self._term_names]
        self.built = True  # its four networks are built
        self.compile()

    def compile(
        self, optimizer: keras.optimizers.Optimizer | str | None = None, **kwargs: Any
    ) -> None:
        """Configure the training; see ``keras.Model.compile``.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer, str or None, default=None
            Optimizer; None takes the paper's, `melanet.gan.losses.adam`.
        **kwargs
            Passed to Keras; losses cannot be chosen.
        """
        super().compile(optimizer=adam() if optimizer is None else optimizer, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """Return the settings of ``compile``, and whether the optimizer has a state."""
        return {**super().get_compile_config(), "built": self.optimizer.built}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the settings of a saved model."""
        settings = dict(config)
        with_state = settings.pop("built", True)  # files of 0.2.0 do not say
        self.compile(**keras.saving.deserialize_keras_object(settings))
        if with_state:  # else Keras would warn that the file holds none
            self._build_optimizer()

    @classmethod
    def from_shape(
        cls,
        shape: Sequence[int],
        *,
        generator: str | None = "unet",
        filters: int = 32,
        discriminator_filters: int = 64,
        seed: int = 0,
        **kwargs: Any,
    ) -> CycleGAN:
        """Build a CycleGAN for samples of a shape.

        Parameters
        ----------
        shape : tuple of int
            (height, width, channels) of images, or (n_features,) of rows, which get dense
            networks.
        generator : {"unet", "resnet"}, default="unet"
            Architecture of the generators for images; "unet" is the paper's.
        filters, discriminator_filters : int, default=32, 64
            Widths of the first levels; the defaults are the paper's.
        seed : int, default=0
            Seed of the initial weights.
        **kwargs
            Passed to the constructor: the weights of the losses, ``name``.

        Returns
        -------
        CycleGAN
            Untrained and compiled.

        Raises
        ------
        ValueError
            If `shape` or `generator` is invalid.
        """
        built = networks.build_four(shape, generator, filters, discriminator_filters, seed)
        return cls(*built, **kwargs)

    @classmethod
    def from_pretrained(cls, source: PathLike | CycleGAN) -> CycleGAN:
        """Load a CycleGAN, or a generator of one.

        Parameters
        ----------
        source : str, path-like or CycleGAN
            "isic2016" for the paper's published generator (A benign, B malignant lesions,
            256x256x3), downloaded once; or the path of a ``.keras`` file with a CycleGAN or a
            generator A -> B, or of a generator's HDF5 file by Keras 2. Files are read by
            `melanet.weights.read_model`. A CycleGAN is returned unchanged.

        Returns
        -------
        CycleGAN
            From a file with one generator it translates to "B" only; its other networks are
            None.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ConnectionError
            If a published file cannot be downloaded.
        ValueError
            If the file holds neither a CycleGAN nor a generator.
        """
        if isinstance(source, cls):
            return source
        path = locate(source, "generator")
        model = read_model(path)
        if isinstance(model, cls):
            model.compile()  # with a new optimizer
            return model
        shape = model.input_shape
        if shape != model.output_shape or not all(isinstance(n, int) for n in shape[1:]):
            raise ValueError(
                "The file must hold a CycleGAN, or a generator whose output has the shape of its "
                f"input. Received: {str(path)!r}, which holds a {type(model).__name__} from "
                f"{shape} to {model.output_shape}"
            )
        return cls(model, None, None, None)

    def export_generators(self, folder: PathLike) -> list[Path]:
        """Write the generators as plain Keras models, ``b2m.keras`` and ``m2b.keras``.

        The names are the released project's: benign (A) to malignant (B), and back. Each file is
        written atomically. ``keras.models.load_model`` reads them after
        ``import melanet.layers``.

        Parameters
        ----------
        folder : str or path-like
            Folder to write to, created if missing.

        Returns
        -------
        list of Path
            The files.
        """
        paths = []
        for name, model in (("b2m", self.generator_ab), ("m2b", self.generator_ba)):
            if model is not None:
                paths.append(Path(folder) / f"{name}.keras")
                with atomic_path(paths[-1]) as partial:
                    model.save(partial)
        return paths

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, such as (height, width, channels)."""
        return tuple(self.generator_ab.input_shape[1:])

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Translate a pair of batches both ways and back.

        Parameters
        ----------
        inputs : (tensor, tensor)
            Batches of A and B, of equal size, in [-1, 1].
        training : bool
            As in Keras.

        Returns
        -------
        dict of tensors
            ``fake_b``, ``fake_a`` (translations), ``cycled_a``, ``cycled_b`` (reconstructions)
            and, unless `identity_weight` is 0, ``same_a``, ``same_b`` (each generator on its own
            target set).
        """
        self._check_complete()
        a, b = inputs[:2]
        generator_ab, generator_ba, *_ = self._networks_for(inputs)
        # Normalisation is per sample: one call on both batches equals two calls.
        both = ops.concatenate if self.identity_weight else (lambda pair: pair[0])
        to_b = generator_ab(both([a, b]), training=training)
        to_a = generator_ba(both([b, a]), training=training)
        outputs = {"fake_b": to_b, "fake_a": to_a}
        if self.identity_weight:
            outputs["fake_b"], outputs["same_b"] = ops.split(to_b, 2)
            outputs["fake_a"], outputs["same_a"] = ops.split(to_a, 2)
        outputs["cycled_a"] = generator_ba(outputs["fake_b"], training=training)
        outputs["cycled_b"] = generator_ab(outputs["fake_a"], training=training)
        return outputs

    def _networks_for(self, inputs):
        """Return the four networks that a pair of batches is for."""
        return [getattr(self, name) for name in NETWORKS]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of the generators' and discriminators' losses, and log its terms."""
        a, b = x[:2]
        *_, discriminator_a, discriminator_b = self._networks_for(x)
        both_sides = [
            discriminator_losses(discriminator_a, a, y_pred["fake_a"], training),
            discriminator_losses(discriminator_b, b, y_pred["fake_b"], training),
        ]
        adversarial, discriminator, accuracy = (sum(values) for values in zip(*both_sides))
        cycle = absolute_error(y_pred["cycled_a"], a) + absolute_error(y_pred["cycled_b"], b)
        identity = ops.zeros_like(cycle)
        if self.identity_weight:
            identity = absolute_error(y_pred["same_a"], a) + absolute_error(y_pred["same_b"], b)
        terms = (discriminator, accuracy / 2, adversarial, cycle, identity)
        for tracker, value in zip(self._terms, terms, strict=True):
            tracker.update_state(value)
        total = (
            discriminator
            + self.adversarial_weight * adversarial
            + self.cycle_weight * cycle
            + self.identity_weight * identity
        )
        for penalty in self.losses:  # regularizers of the user's own networks
            total = total + penalty
        return self._total(total, total)

    def fit(
        self,
        x: Any = None,
        *args: Any,
        shuffle: bool = False,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train with Keras' ``fit``, on batches in the data set's order.

        Parameters
        ----------
        x : UnpairedImages
            Data set that yields ``((a, b),)``.
        *args, **kwargs
            As in ``keras.Model.fit``: epochs, verbose.
        shuffle : bool, default=False
            True lets Keras reorder the batches with Python's global random generator.
        callbacks : list of keras.callbacks.Callback or None, default=None
            As in ``keras.Model.fit``.

        Returns
        -------
        keras.callbacks.History
            The total ``loss``, ``discriminator_loss``, ``discriminator_accuracy`` (share of real
            and translated patches classified correctly), ``adversarial_loss``, ``cycle_loss``
            and ``identity_loss``, unweighted sums over both directions.
        """
        self._check_complete()
        self._build_optimizer()
        if not shuffle and not isinstance(callbacks, keras.callbacks.CallbackList):
            x, first = untuned(x, static=isinstance(x, UnpairedDataset))
            callbacks = [*first, *keras.tree.flatten(callbacks or [])]
        with short_traces():
            return super().fit(x, *args, shuffle=shuffle, callbacks=callbacks, **kwargs)

    def _build_optimizer(self):
        # Built before the first step, which TensorFlow otherwise traces twice.
        if not self._missing_networks() and not self.optimizer.built:
            with _distribution_scope(self):
                self.optimizer.build(self.trainable_variables)

    def _missing_networks(self):
        return [name for name in NETWORKS if getattr(self, name) is None]

    def _check_complete(self):
        if missing := self._missing_networks():
            raise ValueError(
                "Training needs all four networks. This CycleGAN was read from a file with one "
                f"generator and lacks {', '.join(missing)}. Build them by CycleGAN.from_shape"
            )

    def translate(self, x: ArrayLike, to: str = "B", batch_size: int | None = None) -> np.ndarray:
        """Translate samples to the other set.

        Parameters
        ----------
        x : array-like of shape (n, ...)
            Samples of `sample_shape` in [-1, 1].
        to : {"B", "A"}, default="B"
            Target set: "B" turns samples of A into samples of B.
        batch_size : int or None, default=None
            Samples per batch. None takes 8 for large samples (256x256x3) and up to 128 for small
            ones.

        Returns
        -------
        ndarray of shape (n, ...), float32
            Translations in [-1, 1], in the order of `x`.

        Raises
        ------
        ValueError
            If `to` is neither "A" nor "B" or its generator is missing, if `x` has another shape
            or values outside [-1, 1], or holds integers, or if `batch_size` is less than 1.
        """
        if to not in ("A", "B"):
            raise ValueError(f'to must be "A" or "B". Received: to={to!r}')
        generator = self.generator_ab if to == "B" else self.generator_ba
        if generator is None:
            raise ValueError(
                "This CycleGAN was read from a file with one generator, A -> B, and translates to "
                f'"B" only. Received: to="{to}"'
            )
        x = as_symmetric("x", x)
        if x.shape[1:] != self.sample_shape:
            raise ValueError(
                f"x must have the shape (n, {', '.join(map(str, self.sample_shape))}) that this "
                f"CycleGAN was built for. Received: {x.shape}"
            )
        check_positive_integer("batch_size", batch_size, optional=True)
        return predict_in_batches(
            generator, x, int(batch_size or default_batch_size(self.sample_shape))
        )

    def get_config(self) -> dict[str, Any]:
        """Return the configurations of the four networks and the weights of the losses."""
        return {
            **super().get_config(),
            **{k: keras.saving.serialize_keras_object(getattr(self, k)) for k in NETWORKS},
            "adversarial_weight": self.adversarial_weight,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CycleGAN:
        """Create a CycleGAN from the result of ``get_config``."""
        config = dict(config)
        for name in NETWORKS:
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def predict_in_batches(model: keras.Model, x: np.ndarray, batch_size: int) -> np.ndarray:
    """Run a shape-preserving model in batches, using little more memory than its output.

    Keras' ``predict`` copies its input into a data set and holds its result twice. Only where
    the model is distributed over devices is it needed, to divide batches among them; it is then
    called on many batches at a time.

    Parameters
    ----------
    model : keras.Model
        Model whose output has the shape of its input.
    x : ndarray of shape (n, ...), float32
        Samples.
    batch_size : int
        Samples per batch.

    Returns
    -------
    ndarray of the same shape, float32
        Also under mixed precision.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from melanet.gan._cyclegan import predict_in_batches
    >>> inputs = keras.Input((2,))
    >>> model = keras.Model(inputs, keras.layers.Rescaling(-1.0)(inputs))
    >>> predict_in_batches(model, np.ones((3, 2), "float32"), 2).tolist()
    [[-1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]]
    """
    outputs = np.empty_like(x)
    if not len(x):
        return outputs
    distributed = _is_distributed(model)
    step = batch_size
    if distributed:
        step *= max(1, samples_that_fit(x.shape[1:], _PREDICT_BYTES) // batch_size)
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        if distributed:
            outputs[part] = model.predict(x[part], batch_size=batch_size, verbose=0)
        else:
            outputs[part] = model.predict_on_batch(x[part])
    return outputs


def _distribution_scope(model):
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def _is_distributed(model):
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        return True
    return keras.distribution.distribution() is not None
