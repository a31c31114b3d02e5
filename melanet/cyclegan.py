"""The CycleGAN: four networks, one loss, trained by the stock ``fit``."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from melanet import networks, weights
from melanet.unpaired import UnpairedImages

__all__ = ["CycleGAN", "UnpairedImages", "adam"]

_NETWORKS = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
_TERMS = (
    "discriminator_loss",
    "discriminator_accuracy",
    "adversarial_loss",
    "cycle_loss",
    "identity_loss",
)


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
    >>> from melanet.cyclegan import adam
    >>> float(adam(decay_steps=100).learning_rate)
    0.00019999999494757503
    """
    if decay_steps is not None:
        learning_rate = keras.optimizers.schedules.PolynomialDecay(
            learning_rate, decay_steps, end_learning_rate=0.0, power=1.0
        )
    return keras.optimizers.Adam(learning_rate, beta_1=0.5)


class _Total(keras.losses.Loss):
    """The mean of the per-sample totals; Keras scales it where a batch is spread over devices."""

    def call(self, y_true, y_pred):
        return y_pred


def _is_generator(model):
    shape = model.input_shape
    return shape == model.output_shape and all(isinstance(n, int) for n in shape[1:])


def _per_sample(x):
    return ops.mean(ops.cast(x, "float32"), axis=tuple(range(1, len(x.shape))))


def _squares(scores, target):
    return _per_sample(ops.square(ops.cast(scores, "float32") - target))


def _distance(x, y):
    return _per_sample(ops.abs(ops.cast(x, "float32") - ops.cast(y, "float32")))


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

    The model is compiled when it is made, with `adam`; call ``compile`` to choose otherwise.

    Parameters
    ----------
    generator_ab, generator_ba : keras.Model
        Map samples of A to B, and of B to A, in [-1, 1].
    discriminator_a, discriminator_b : keras.Model
        Map samples to scores of any shape, near 1 for real samples of their set. Without
        training, they and `generator_ba` can be None: A -> B is still translated.
    adversarial_weight, cycle_weight, identity_weight : float, default=1.0, 10.0, 1.0
        Weights of the generators' terms.
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
        self._total = _Total(name="total")
        self._terms = [keras.metrics.Mean(name=name) for name in _TERMS]
        self.built = True  # the four networks are
        self.compile(optimizer=adam())

    @classmethod
    def from_shape(
        cls,
        shape,
        *,
        generator="unet",
        filters=32,
        discriminator_filters=64,
        seed=0,
        **kwargs,
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
            Passed to the constructor: the weights of the losses, ``name``, ``dtype``.

        Returns
        -------
        CycleGAN

        Raises
        ------
        ValueError
            If `shape` or `generator` is none of those above.
        """
        shape = tuple(int(n) for n in shape)
        if len(shape) == 1:
            build, judge = networks.dense_generator, networks.dense_discriminator
        elif generator in networks.GENERATORS:
            build = getattr(networks, f"{generator}_generator")
            judge = networks.patch_discriminator
        else:
            raise ValueError(
                f"generator must be one of {networks.GENERATORS}. Received: generator={generator!r}"
            )
        seeds = [4 * seed + i for i in range(4)]
        return cls(
            build(shape, filters=filters, seed=seeds[0], name="generator_ab"),
            build(shape, filters=filters, seed=seeds[1], name="generator_ba"),
            judge(shape, filters=discriminator_filters, seed=seeds[2], name="discriminator_a"),
            judge(shape, filters=discriminator_filters, seed=seeds[3], name="discriminator_b"),
            **kwargs,
        )

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
        path = weights.locate(source, "generator")
        model = weights.read_model(path)
        if isinstance(model, cls):
            return model
        if not _is_generator(model):
            raise ValueError(
                "The file must hold a CycleGAN or a generator, whose output has its input's "
                f"shape. Received: {str(path)!r}, which holds a {type(model).__name__} from "
                f"{model.input_shape} to {model.output_shape}"
            )
        return cls(model, None, None, None)

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
            The files: of a CycleGAN with one generator, ``b2m.keras`` alone.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, generator in (("b2m", self.generator_ab), ("m2b", self.generator_ba)):
            if generator is not None:
                paths.append(folder / f"{name}.keras")
                partial = folder / f".{name}.partial.keras"
                try:
                    generator.save(partial)
                    partial.replace(paths[-1])
                finally:
                    partial.unlink(missing_ok=True)
        return paths

    @property
    def sample_shape(self):
        """tuple of int: shape of one sample, such as (height, width, channels)."""
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
            ``fake_b``, ``fake_a`` (translations), ``same_a``, ``same_b`` (each generator on its
            own target set), ``cycled_a``, ``cycled_b`` (there and back).
        """
        self._check_complete()
        a, b = inputs
        n = ops.shape(a)[0]
        # Statistics are per sample: one call on both batches equals two calls.
        to_b = self.generator_ab(ops.concatenate([a, b]), training=training)
        to_a = self.generator_ba(ops.concatenate([b, a]), training=training)
        return {
            "fake_b": to_b[:n],
            "same_b": to_b[n:],
            "fake_a": to_a[:n],
            "same_a": to_a[n:],
            "cycled_a": self.generator_ba(to_b[:n], training=training),
            "cycled_b": self.generator_ab(to_a[:n], training=training),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of the generators' and the discriminators' losses, and log its terms."""
        a, b = x
        adversarial, real, fake = 0.0, [], []
        for discriminator, sample, translated in (
            (self.discriminator_a, a, y_pred["fake_a"]),
            (self.discriminator_b, b, y_pred["fake_b"]),
        ):
            # What the generators learn from: gradients reach the translation, not the weights.
            score, _ = discriminator.stateless_call(
                [ops.stop_gradient(v) for v in discriminator.trainable_variables],
                [ops.stop_gradient(v) for v in discriminator.non_trainable_variables],
                translated,
                training=training,
            )
            adversarial = adversarial + _squares(score, 1.0)
            # What the discriminators learn from: gradients reach the weights alone.
            n = ops.shape(sample)[0]
            translated = ops.cast(ops.stop_gradient(translated), sample.dtype)
            scores = discriminator(ops.concatenate([sample, translated]), training=training)
            real.append(scores[:n])
            fake.append(scores[n:])
        cycle = _distance(y_pred["cycled_a"], a) + _distance(y_pred["cycled_b"], b)
        identity = _distance(y_pred["same_a"], a) + _distance(y_pred["same_b"], b)
        discriminator = sum(_squares(s, 1.0) for s in real) + sum(_squares(s, 0.0) for s in fake)
        accuracy = sum(_per_sample(s > 0.5) for s in real) + sum(
            _per_sample(s <= 0.5) for s in fake
        )
        terms = (discriminator, accuracy / 4, adversarial, cycle, identity)
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

    def fit(self, x=None, *args, shuffle=False, **kwargs):
        """Train by Keras' own ``fit``, on batches in the order that the data set gives.

        Parameters
        ----------
        x : UnpairedImages
            Or any data set that yields ``((a, b),)``.
        *args, **kwargs
            As in ``keras.Model.fit``: epochs, callbacks, verbose.
        shuffle : bool, default=False
            Keras would reorder the batches by Python's global generator, which the data set's
            seed does not reach.

        Returns
        -------
        keras.callbacks.History
            With the total ``loss``, ``discriminator_loss``, ``discriminator_accuracy`` (the
            share of real and translated patches told right), ``adversarial_loss``,
            ``cycle_loss`` and ``identity_loss``, unweighted sums over both directions.
        """
        self._check_complete()
        return super().fit(x, *args, shuffle=shuffle, **kwargs)

    def _check_complete(self):
        missing = [name for name in _NETWORKS if getattr(self, name) is None]
        if missing:
            raise ValueError(
                "Training takes all four networks of a CycleGAN; this one was read from a file "
                f"of one generator and lacks {', '.join(missing)}. Build them, by "
                "CycleGAN.from_shape, and pass the generator on as its generator_ab"
            )

    def translate(self, x, to="B", batch_size=32):
        """Translate samples to the other set.

        Parameters
        ----------
        x : array-like of shape (n, *sample_shape)
            Samples in [-1, 1].
        to : {"B", "A"}, default="B"
            Where to: "B" turns samples of A into samples of B.
        batch_size : int, default=32
            Samples translated at a time.

        Returns
        -------
        ndarray of shape (n, *sample_shape), float32
            Translations in [-1, 1], in the order of `x`.

        Raises
        ------
        ValueError
            If `to` is neither "A" nor "B", or a generator that is missing, or `x` has another
            shape or values outside [-1, 1].
        """
        if to not in ("A", "B"):
            raise ValueError(f'to must be "A" or "B". Received: to={to!r}')
        generator = self.generator_ab if to == "B" else self.generator_ba
        if generator is None:
            raise ValueError(
                'This CycleGAN was read from a file of one generator, A -> B: it translates to "B" '
                f'only. Received: to="{to}"'
            )
        x = np.asarray(x, "float32")
        if x.shape[1:] != self.sample_shape:
            raise ValueError(
                f"x must have the shape (n, {', '.join(map(str, self.sample_shape))}) that this "
                f"CycleGAN was built for. Received: {x.shape}"
            )
        # Written so that NaN fails, too.
        if x.size and not (x.min() >= -1.001 and x.max() <= 1.001):
            raise ValueError(
                "x must lie in [-1, 1]; scale it first (for 8-bit images: x / 127.5 - 1). "
                f"Received values from {x.min()} to {x.max()}"
            )
        if not len(x):
            return x
        return generator.predict(x, batch_size=batch_size, verbose=0)

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
