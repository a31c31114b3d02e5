"""The CycleGAN: four networks, one loss, trained by the stock ``fit``."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from melanet.gan import networks
from melanet.gan.losses import PrecomputedLoss, absolute_error, adam, discriminator_losses
from melanet.utils._chunks import default_batch_size
from melanet.utils._files import atomic_path
from melanet.utils._keras import untuned
from melanet.weights._published import locate
from melanet.weights._reader import read_model

_NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
_TERMS = ("discriminator_loss", "discriminator_accuracy", "adversarial_loss", "cycle_loss")
_TERMS += ("identity_loss",)


@keras.saving.register_keras_serializable("melanet")
class CycleGAN(keras.Model):
    """Two translators between unpaired sets A and B, trained against two discriminators.

    The losses are the paper's: least-squares adversarial terms, ``cycle_weight`` times the mean
    absolute error of A -> B -> A and B -> A -> B, ``identity_weight`` times that of the
    generators on images that are of their target set already, and for the discriminators the
    squared errors on real samples (target 1) and translations (target 0). All of them come out
    of one forward pass: the generators see the discriminators through weights, and the
    discriminators see translations through values, that gradients do not enter. One optimizer
    steps all four networks at once.

    The model is compiled when it is made, with the paper's Adam; call ``compile`` to choose
    otherwise.

    Parameters
    ----------
    generator_ab, generator_ba : keras.Model
        Map samples of A to B, and of B to A, in [-1, 1].
    discriminator_a, discriminator_b : keras.Model
        Map samples to scores of any shape, near 1 for real samples of their set. Without
        training, they and `generator_ba` can be None: A -> B is still translated.
    adversarial_weight, cycle_weight, identity_weight : float, default=1.0, 10.0, 1.0
        Weights of the generators' terms. Without the identity term (0) a step makes a third
        fewer translations.
    **kwargs
        Passed to ``keras.Model``.

    See Also
    --------
    CycleGAN.from_shape : Builds the networks for a shape.

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

    def __init__(
        self,
        generator_ab,
        generator_ba,
        discriminator_a,
        discriminator_b,
        adversarial_weight=1.0,
        cycle_weight=10.0,
        identity_weight=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.generator_ab = generator_ab
        self.generator_ba = generator_ba
        self.discriminator_a = discriminator_a
        self.discriminator_b = discriminator_b
        self.adversarial_weight = adversarial_weight
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self._total = PrecomputedLoss(name="total")
        self._terms = [keras.metrics.Mean(name=name) for name in _TERMS]
        self.built = True  # the four networks are
        self.compile()

    def compile(self, optimizer=None, **kwargs):
        """Configure the training; see ``keras.Model.compile``.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer or None, default=None
            None takes `melanet.gan.losses.adam`, the paper's.
        **kwargs
            As in Keras; the losses are the model's own.
        """
        super().compile(optimizer=adam() if optimizer is None else optimizer, **kwargs)
        if None not in [getattr(self, name) for name in _NETWORKS]:
            # Built beforehand, TensorFlow traces the step once instead of twice.
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config):
        """Compile as a saved model was."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @classmethod
    def from_shape(
        cls, shape, *, generator="unet", filters=32, discriminator_filters=64, seed=0, **kwargs
    ):
        """Build a CycleGAN for samples of a shape.

        Parameters
        ----------
        shape : tuple of int
            (height, width, channels) of images, or (n_features,) of rows, which get dense
            networks whatever `generator` says.
        generator : {"unet", "resnet"}, default="unet"
            Kind of the generators; "unet" is the paper's.
        filters, discriminator_filters : int, default=32, 64
            Widths of the first levels; the paper's by default.
        seed : int, default=0
            Seed of the initial weights.
        **kwargs
            Passed to the constructor: the weights of the losses, ``name``.

        Raises
        ------
        ValueError
            If `shape` or `generator` is none of those above.
        """
        built = networks.build_four(shape, generator, filters, discriminator_filters, seed)
        return cls(*built, **kwargs)

    @classmethod
    def from_pretrained(cls, source):
        """Read a CycleGAN, or a generator that was trained in one.

        Parameters
        ----------
        source : str, path-like or CycleGAN
            "isic2016" for the paper's published generator (A benign, B malignant lesions,
            256x256x3), which is fetched once; or the path of a ``.keras`` file with a CycleGAN
            or a generator A -> B, or of a generator's HDF5 file by Keras 2. Files are read as
            `melanet.weights.read_model` says. A CycleGAN is returned as it is.

        Returns
        -------
        CycleGAN
            Of a file with one generator it translates to "B" only: its other networks are None.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ConnectionError
            If a published file cannot be fetched.
        ValueError
            If the file holds neither a CycleGAN nor a generator.
        """
        if isinstance(source, cls):
            return source
        model = read_generator(source, cls)
        if not isinstance(model, cls):
            return cls(model, None, None, None)
        model.compile()  # an optimizer that has not begun, whatever the file's had done
        return model

    def export_generators(self, folder):
        """Write the generators as plain Keras models, ``b2m.keras`` and ``m2b.keras``.

        The names are the released project's: benign (A) to malignant (B), and back. Each file
        is whole or not there. ``keras.models.load_model`` reads them after
        ``import melanet.layers``.

        Parameters
        ----------
        folder : str or path-like
            Where to write; made if missing.

        Returns
        -------
        list of Path
        """
        pairs = (("b2m", self.generator_ab), ("m2b", self.generator_ba))
        return write_models(folder, {k: model for k, model in pairs if model is not None})

    @property
    def sample_shape(self):
        """Shape of one sample, a tuple of int such as (height, width, channels)."""
        return tuple(self.generator_ab.input_shape[1:])

    def call(self, inputs, training=False):
        """Translate a pair of batches both ways and back.

        Parameters
        ----------
        inputs : (tensor, tensor)
            Batches of A and of B, of one size, in [-1, 1].
        training : bool, default=False
            As in Keras.

        Returns
        -------
        dict of tensors
            ``fake_b``, ``fake_a`` (translations), ``cycled_a``, ``cycled_b`` (there and back) and,
            unless `identity_weight` is 0, ``same_a``, ``same_b`` (each generator on its own
            target set).
        """
        self._check_complete()
        a, b = inputs
        # Statistics are per sample: one call on both batches equals two calls.
        both = ops.concatenate if self.identity_weight else (lambda pair: pair[0])
        to_b = self.generator_ab(both([a, b]), training=training)
        to_a = self.generator_ba(both([b, a]), training=training)
        made = {"fake_b": to_b, "fake_a": to_a}
        if self.identity_weight:
            made["fake_b"], made["same_b"] = ops.split(to_b, 2)
            made["fake_a"], made["same_a"] = ops.split(to_a, 2)
        made["cycled_a"] = self.generator_ba(made["fake_b"], training=training)
        made["cycled_b"] = self.generator_ab(made["fake_a"], training=training)
        return made

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of the generators' and the discriminators' losses, and log its terms."""
        a, b = x
        judged = [
            discriminator_losses(self.discriminator_a, a, y_pred["fake_a"], training),
            discriminator_losses(self.discriminator_b, b, y_pred["fake_b"], training),
        ]
        adversarial, discriminator, accuracy = (sum(both) for both in zip(*judged))
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
        for penalty in self.losses:  # of regularisers in the user's own networks
            total = total + penalty
        return self._total(total, total)

    def fit(self, x=None, *args, shuffle=False, callbacks=None, **kwargs):
        """Train by Keras' own ``fit``, on batches in the order that the data set gives.

        Parameters
        ----------
        x : UnpairedImages
            Or any data set that yields ``((a, b),)``.
        *args, **kwargs
            As in ``keras.Model.fit``: epochs, verbose.
        shuffle : bool, default=False
            True lets Keras reorder the batches by Python's global generator.
        callbacks : list of keras.callbacks.Callback or None, default=None
            As in ``keras.Model.fit``.

        Returns
        -------
        keras.callbacks.History
            With the total ``loss``, ``discriminator_loss``, ``discriminator_accuracy`` (the
            share of real and translated patches told right), ``adversarial_loss``,
            ``cycle_loss`` and ``identity_loss``, unweighted sums over both directions.
        """
        self._check_complete()
        if not shuffle and not isinstance(callbacks, keras.callbacks.CallbackList):
            x, first = untuned(x)
            callbacks = [*first, *keras.tree.flatten(callbacks or [])]
        return super().fit(x, *args, shuffle=shuffle, callbacks=callbacks, **kwargs)

    def _check_complete(self):
        missing = [name for name in _NETWORKS if getattr(self, name) is None]
        if missing:
            raise ValueError(
                "Training takes all four networks; this CycleGAN was read from a file of one "
                f"generator and lacks {', '.join(missing)}. Build them by CycleGAN.from_shape"
            )

    def translate(self, x, to="B", batch_size=None):
        """Translate samples to the other set.

        Parameters
        ----------
        x : array-like of shape (n, ...)
            Samples of `sample_shape` in [-1, 1].
        to : {"B", "A"}, default="B"
            Where to: "B" turns samples of A into samples of B.
        batch_size : int or None, default=None
            Samples translated at a time, at least 1. None takes 8 of large samples (256x256x3)
            and up to 128 of small ones.

        Returns
        -------
        ndarray of shape (n, ...), float32
            Translations in [-1, 1], in the order of `x`.

        Raises
        ------
        ValueError
            If `to` is neither "A" nor "B", or a generator that is missing, or `x` has another
            shape or values outside [-1, 1], or `batch_size` is less than 1.
        """
        if to not in ("A", "B"):
            raise ValueError(f'to must be "A" or "B". Received: to={to!r}')
        generator = self.generator_ab if to == "B" else self.generator_ba
        if generator is None:
            raise ValueError(
                'This CycleGAN was read from a file of one generator, A -> B: it translates to "B" '
                f'only. Received: to="{to}"'
            )
        x = check_tensor(x, self.sample_shape)
        if batch_size is None:
            batch_size = default_batch_size(self.sample_shape)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, or None. Received: {batch_size}")
        return predict_in_batches(generator, x, batch_size)

    def get_config(self):
        """Return the four networks' configurations and the weights of the losses."""
        return {
            **super().get_config(),
            **{k: keras.saving.serialize_keras_object(getattr(self, k)) for k in _NETWORKS},
            "adversarial_weight": self.adversarial_weight,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
        }

    @classmethod
    def from_config(cls, config):
        """Make a CycleGAN from ``get_config``'s answer."""
        config = dict(config)
        for name in _NETWORKS:
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


_PART_BYTES = 32 << 20  # of samples that one call of Keras is given


def check_tensor(x, sample_shape):
    """Return samples as a network takes them, float32.

    Parameters
    ----------
    x : array-like of shape (n, *sample_shape)
        Samples in [-1, 1].
    sample_shape : tuple of int
        That the network was built for.

    Returns
    -------
    ndarray of shape (n, *sample_shape), float32

    Raises
    ------
    ValueError
        If `x` has another shape or values outside [-1, 1], NaN among them.

    Examples
    --------
    >>> from melanet.gan._cyclegan import check_tensor
    >>> check_tensor([[0.5, -1.0]], (2,)).dtype
    dtype('float32')
    """
    x = np.asarray(x, "float32")
    if x.shape[1:] != sample_shape:
        raise ValueError(
            f"x must have the shape (n, {', '.join(map(str, sample_shape))}) that this "
            f"CycleGAN was built for. Received: {x.shape}"
        )
    # Written so that NaN fails, too.
    if x.size and not (x.min() >= -1.001 and x.max() <= 1.001):
        raise ValueError(
            "x must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - 1). "
            f"Received values from {x.min()} to {x.max()}"
        )
    return x


def predict_in_batches(model, x, batch_size):
    """Let a network that keeps the samples' shape answer, in little more memory than the answer's.

    Keras' ``predict`` makes a data set of what it is given, and holds a copy of it and its result
    twice. Batch by batch costs less of both. Where the network is spread over devices it is
    ``predict`` that deals a batch out to them; it is then called for parts of many batches.

    Parameters
    ----------
    model : keras.Model
        Maps samples to samples of their shape.
    x : ndarray of shape (n, ...), float32
        Samples.
    batch_size : int
        Samples in a batch.

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
    made = np.empty_like(x)
    if not len(x):
        return made
    spread = _is_spread(model)
    step = batch_size * max(1, _PART_BYTES // (batch_size * x[0].nbytes)) if spread else batch_size
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        if spread:
            made[part] = model.predict(x[part], batch_size=batch_size, verbose=0)
        else:
            made[part] = model.predict_on_batch(x[part])
    return made


def _is_spread(model):
    strategy = getattr(model, "distribute_strategy", None)  # of TensorFlow
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        return True
    return keras.distribution.distribution() is not None


def read_generator(source, whole):
    """Read a generator, or the CycleGAN that holds it.

    Parameters
    ----------
    source : str or path-like
        A published name or a local path.
    whole : type
        The class of a whole CycleGAN.

    Returns
    -------
    keras.Model
        An instance of `atomic_path`, or a generator: a model whose output has its input's shape.

    Raises
    ------
    ValueError
        If the file holds neither; further as `locate` and `read_model`.
    """
    path = locate(source, "generator")
    model = read_model(path)
    if not isinstance(model, whole):
        shape = model.input_shape
        if shape != model.output_shape or not all(isinstance(n, int) for n in shape[1:]):
            raise ValueError(
                "The file must hold a CycleGAN or a generator, whose output has its input's "
                f"shape. Received: {str(path)!r}, which holds a {type(model).__name__} from "
                f"{shape} to {model.output_shape}"
            )
    return model


def write_models(folder, models):
    """Write models as ``.keras`` files, each whole or not there.

    Parameters
    ----------
    folder : str or path-like
        Where to write; made if missing.
    models : dict
        Name of a file, without its ending -> keras.Model.

    Returns
    -------
    list of Path
        The files.
    """
    folder, paths = Path(folder), []
    for name, model in models.items():
        paths.append(folder / f"{name}.keras")
        with atomic_path(paths[-1]) as partial:
            model.save(partial)
    return paths
