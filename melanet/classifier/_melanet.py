"""MelaNet: a scikit-learn classifier of images, by the paper's recipe or with another network."""

import contextlib
import os
import zipfile
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight

from melanet.callbacks._monitoring import StopOnNonFinite
from melanet.classifier import _backbones, _validation
from melanet.classifier._base import FittedNetwork
from melanet.classifier._dataset import ImageSubset, LabelledImages, hold_out
from melanet.images import Augmentation
from melanet.losses import focal_loss
from melanet.utils._adam import FusedAdam
from melanet.utils._groups import check_groups
from melanet.utils._keras import keras_scope, untuned
from melanet.utils._labels import match_keys
from melanet.utils._memory import check_memory
from melanet.utils._model_store import STORE, copy_variables, reset_optimizer
from melanet.utils._typing import Augment, PathLike
from melanet.weights import _published

_POSITIVE_INT = Interval(Integral, 1, None, closed="left")
_HDF5 = b"\x89HDF\r\n\x1a\n"


class MelaNet(FittedNetwork):
    """Image classifier: a convolutional network, global average pooling and a softmax.

    The defaults are the paper's [1]_: VGG16 with ImageNet weights, all layers trained, on images
    scaled to [0, 1], with focal loss. Unlike there, the samples that decide when to stop come from
    the training data, not from the test set.

    **Not for diagnosis.** Predictions on images of skin are no medical findings.

    Parameters
    ----------
    backbone : str, default="vgg16"
        "vgg16", "densenet121", "efficientnetb0", "efficientnetv2b0", "mobilenetv2",
        "mobilenetv3small" or "resnet50v2" of ``keras.applications``, each with the scaling that
        it was trained with (VGG16 as in the paper, without subtracting a mean); or "small", a few
        convolutions for small images and for computers without a GPU.
    backbone_weights : {"imagenet"}, path or None, default="imagenet"
        Initial weights of the backbone: ImageNet weights, which Keras downloads; a file of weights
        without the top, or a ``.keras`` file of the backbone, under any name; or random. "small"
        has no ImageNet weights and starts at random.
    input_size : int or (int, int), default=256
        Side, or height and width, that images are resized to: at least 8 for "small", 32 for the
        others.
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C), if the rows of a two-dimensional X are images. One number may be -1
        and is then computed from the length of the rows.
    value_range : (float, float) or None, default=None
        Limits that pixels can take, the same for every X. None infers them from the X of `fit`,
        see `melanet.preprocessing.infer_value_range`. Floats may leave [0, 1] by a quarter, as
        after cubic interpolation, and are clipped.
    gamma : float, default=2.0
        Gamma of the focal loss; see `melanet.losses.focal_loss`.
    alpha : float or sequence of n_classes floats, default=0.25
        Alpha of the focal loss. With two classes a float has no effect; a sequence weights the
        classes.
    class_weight : dict, "balanced" or None, default=None
        ``{label: weight}`` of the samples' losses, in training and in validation; "balanced"
        weights classes by the inverse of their size in the y of `fit`.
    augment : bool or callable, default=False
        Whether training images are augmented, anew in every epoch: True applies
        `melanet.images.Augmentation` without flips; a callable is used as
        ``augment(images, rng)`` on (n, height, width, channels) in [-1, 1]. Recommended.
    validation_fraction : float, default=0.2
        Share of each class of the training data that is held out to control the learning rate and
        early stopping.
    optimizer : {"adadelta", "adam"} or None, default=None
        Optimizer. None uses the paper's Adadelta (rho 0.95) if the backbone starts from weights,
        and Adam if it starts at random, where Adadelta makes no progress.
    learning_rate : float, default=1e-3
        Initial learning rate.
    batch_size : int, default=16
        Images per step, in training and in prediction.
    epochs : int, default=300
        Maximum number of passes over the training data.
    patience : int, default=8
        Epochs without a better validation loss before training stops; the best weights are
        restored.
    lr_patience : int, default=5
        Epochs without a better validation loss before the learning rate is divided by 10, down to
        1e-8.
    dtype_policy : {"float32", "mixed_bfloat16", "mixed_float16"} or None, default=None
        Keras dtype policy of the network; None uses the global one.
    callbacks : list of keras.callbacks.Callback or None, default=None
        Further callbacks of the training.
    random_state : int, RandomState instance or None, default=None
        Seed of the validation split, weights, order and augmentation. For identical bits, fit
        inside `melanet.utils.reproducible`. Global generators are left alone, except that None
        draws from NumPy's.
    verbose : int, default=0
        As in Keras: 1 shows a progress bar per epoch, 2 a line.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in the order of the columns of ``predict_proba``.
    model_ : keras.Model
        Network from (n, height, width, channels) in [0, 1] to probabilities.
    history_ : dict
        Values by epoch of "loss", "val_loss" and "learning_rate".
    form_ : ImageForm or None
        Shape, dtype and scale of the X of `fit`; None after `from_pretrained`.
    value_range_ : (float, float) or None
        Limits that pixels can take; None infers them from each X.
    dtype_ : numpy.dtype or None
        Dtype of the X of `fit`; None after `from_pretrained`.
    published_ : str or None
        Name of the published weights that `from_pretrained` loaded, if their classes were not
        named.
    n_features_in_ : int
        Size of X's second axis.

    See Also
    --------
    melanet.GANOversampler : Fills up rare classes before training.

    Notes
    -----
    **Keep synthetic samples out of validation.** If X was over-sampled, a part held out of it
    contains translations of training images. The validation loss then measures how well the
    network knows the GAN, not the classes. Hold images out first and over-sample the rest::

        X_res, y_res = GANOversampler().fit_resample(X_train, y_train)
        MelaNet().fit(X_res, y_res, validation_data=(X_val, y_val))

    or, in a pipeline, ``pipeline.fit(X_train, y_train, melanet__validation_data=(X_val, y_val))``.
    If that is not possible, put every synthetic sample in its source's group, so that no image is
    on both sides::

        groups = np.concatenate([patients, patients[sampler.source_indices_]])
        MelaNet().fit(X_res, y_res, groups=groups)

    The test set plays no part in any of this.

    References
    ----------
    .. [1] Zunair, H., & Ben Hamza, A. (2020). Melanoma detection using adversarial training and
       deep transfer learning. Physics in Medicine & Biology, 65(13), 135005.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from melanet import MelaNet
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> model = MelaNet(backbone="small", input_size=8, image_shape=(8, 8), value_range=(0, 16),
    ...                 epochs=5, random_state=0)
    >>> model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "backbone": [StrOptions(set(_backbones.NAMES))],
        "backbone_weights": [str, os.PathLike, None],
        "input_size": [_POSITIVE_INT, "array-like"],
        "image_shape": ["array-like", None],
        "value_range": ["array-like", None],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "augment": ["boolean", callable],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "optimizer": [StrOptions({"adadelta", "adam"}), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [_POSITIVE_INT],
        "epochs": [_POSITIVE_INT],
        "patience": [_POSITIVE_INT],
        "lr_patience": [_POSITIVE_INT],
        "dtype_policy": [StrOptions({"float32", "mixed_bfloat16", "mixed_float16"}), None],
        "callbacks": [list, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        backbone: str = "vgg16",
        backbone_weights: PathLike | None = "imagenet",
        input_size: int | tuple[int, int] = 256,
        image_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] | None = None,
        gamma: float = 2.0,
        alpha: float | Sequence[float] = 0.25,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        augment: bool | Augment = False,
        validation_fraction: float = 0.2,
        optimizer: Literal["adadelta", "adam"] | None = None,
        learning_rate: float = 1e-3,
        batch_size: int = 16,
        epochs: int = 300,
        patience: int = 8,
        lr_patience: int = 5,
        dtype_policy: str | None = None,
        callbacks: list[keras.callbacks.Callback] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.input_size = input_size
        self.image_shape = image_shape
        self.value_range = value_range
        self.gamma = gamma
        self.alpha = alpha
        self.class_weight = class_weight
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.lr_patience = lr_patience
        self.dtype_policy = dtype_policy
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_features)
            Images of one size, integers of 8 or 16 bits, booleans or floats; or images as rows,
            see `image_shape`. One channel is repeated if the backbone takes three.
        y : array-like of shape (n,)
            Labels of two or more classes, each with two samples or more. Labels given elsewhere
            are matched by their text: 9 is "9", and 1 is 1.0, "1.0" and True.
        groups : array-like of shape (n,) or None, default=None
            Patients or lesions. All samples of a group are held out for validation, or none.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each sample in the loss, such as `melanet.GANOversampler`'s
            `sample_weight_`; multiplied by the class weights. Samples of weight 0 are left out.
        validation_data : (X, y) or None, default=None
            Validation set to use in place of a part of X; not the test set. Its classes are
            weighted to the shares that they have in y, so that real data can validate an
            over-sampled y.

        Returns
        -------
        MelaNet
            The fitted classifier itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, X or y is invalid, or a class is missing in validation.
        OSError
            If the ImageNet weights cannot be downloaded; the message says what to do.
        melanet.exceptions.TrainingDiverged
            If the loss becomes infinite or NaN.
        """
        images, labels = self._check_X(X, y)
        weights = _validation.check_weights(sample_weight, len(labels))
        if weights is not None and not weights.all():  # they neither train nor validate
            rows, checked = np.flatnonzero(weights), check_groups(groups, len(labels))
            images, labels, weights = images[rows], labels[rows], weights[rows]
            groups = None if checked is None else checked[rows]
        form = self._image_form(images, self.value_range)
        self._check_image_shape(images, form)
        classes, codes = _validation.check_labels(labels)
        class_weight = self.class_weight
        if isinstance(class_weight, dict):
            class_weight = match_keys("class_weight", class_weight, "classes of y", classes)
        class_weights = compute_class_weight(class_weight, classes=classes, y=labels)
        split_seed, network_seed, batch_seed = (
            check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()
        )
        check_memory(
            4 * len(codes) * len(classes),
            f"The targets of {len(codes)} samples of {len(classes)} classes",
            "Check that y holds classes, not numbers or identifiers of samples",
        )
        samples = ImageSubset(form, images, codes, weights)
        if validation_data is None:
            training, validation = self._split(samples, groups, split_seed)
        else:
            _validation.refuse_groups(groups)
            training = samples
            validation = self._read_validation_data(validation_data, form, classes)
        network = self._build_network(form.image_shape[-1], len(classes), network_seed)
        shape = network.input_shape[1:]
        batches = self._batches(training, validation, shape, class_weights, batch_seed)
        structure = self._structure_of(network)
        with self._lease(network, structure) as model:
            reset_optimizer(model.optimizer, learning_rate=self.learning_rate)
            history = self._train(model, *batches)
            copy_variables(model, network)
        self._structure = structure
        self.history_, self.classes_, self.model_ = history, classes, network
        self.form_, self.value_range_, self.dtype_ = form, form.value_range, form.dtype
        self.published_ = None
        return self

    def _check_image_shape(self, images, form):
        """Raise ValueError if X holds images of another shape than `image_shape`."""
        if images.ndim == 2 or self.image_shape is None:
            return
        shape = tuple(self.image_shape)
        shape = (*shape, 1) if len(shape) == 2 else shape
        fits = len(shape) == 3 and all(a in (-1, b) for a, b in zip(shape, form.image_shape))
        if not fits:
            raise ValueError(
                f"image_shape={self.image_shape!r} does not fit X, whose images have the shape "
                f"{form.image_shape}. Leave image_shape out: it is only for rows of pixels"
            )

    def _split(self, samples, groups, seed):
        """Split samples into a training and a validation part."""
        groups = check_groups(groups, len(samples.codes))
        rows = hold_out(samples.codes, self.validation_fraction, seed, groups)
        return tuple(map(samples.take, rows))

    def _read_validation_data(self, validation_data, form, classes):
        """Return an explicit validation set on the scale of the training data."""
        X, y = _validation.check_validation_data(validation_data)
        X = self._check_X(X)
        try:
            val_form = self._form_like(form, X)
        except ValueError as error:
            raise ValueError(f"validation_data: {error}") from error
        return ImageSubset(val_form, X, _validation.encode_labels(y, classes, len(X)))

    def _build_network(self, n_channels, n_classes, seed):
        """Return the network with its initial weights, not compiled."""
        input_size = _validation.check_input_size(self.input_size)
        _validation.check_alpha(self.alpha, n_classes)
        check_memory(
            4 * self.batch_size * np.prod(input_size, dtype=object) * n_channels,
            f"A batch of {self.batch_size} images of input_size={input_size}",
            "Choose a smaller input_size or batch_size",
        )
        with keras_scope(seed, self.dtype_policy):
            return _backbones.build(
                self.backbone, input_size, n_channels, n_classes, self.backbone_weights
            )

    def _structure_of(self, network):
        """Return what the compiled functions of a network depend on, None to compile anew."""
        if self.callbacks:  # the user's callbacks may keep the model that they see
            return None
        return (
            "MelaNet",
            self.backbone,
            network.input_shape,
            network.output_shape,
            float(self.gamma),
            tuple(np.ravel(self.alpha).tolist()),
            type(self._optimizer()).__name__,
            self.dtype_policy,
        )

    @contextlib.contextmanager
    def _lease(self, network, structure):
        """Lease a compiled model with the weights of a network."""

        def build():
            alpha = _validation.check_alpha(self.alpha, network.output_shape[-1])
            with keras_scope(0, self.dtype_policy):  # cloning draws from Python's `random`
                model = keras.models.clone_model(network)
            model.compile(optimizer=self._optimizer(), loss=focal_loss(self.gamma, alpha))
            model.optimizer.build(model.trainable_variables)
            return model

        with STORE.lease(structure, build) as model:
            copy_variables(network, model)
            yield model

    def _compiled(self, model):
        structure = getattr(self, "_structure", None)
        if structure is None or model is not self.model_:
            return super()._compiled(model)
        return self._lease(model, structure)

    def _optimizer(self):
        pretrained = _backbones.starts_pretrained(self.backbone, self.backbone_weights)
        name = self.optimizer or ("adadelta" if pretrained else "adam")
        if name == "adam":
            return FusedAdam(self.learning_rate)
        return keras.optimizers.Adadelta(self.learning_rate, rho=0.95, epsilon=1e-7)

    def _batches(self, training, validation, shape, class_weights, seed):
        """Return training and validation batches in which the classes have the same shares."""
        validation_weights = class_weights * training.class_shares() / validation.class_shares()
        return (
            LabelledImages(
                training.reader(shape),
                training.codes,
                class_weights,
                self.batch_size,
                sample_weight=training.weights,
                seed=seed,
                augment=Augmentation() if self.augment is True else self.augment or None,
            ),
            LabelledImages(
                validation.reader(shape),
                validation.codes,
                validation_weights,
                self.batch_size,
                sample_weight=validation.weights,
            ),
        )

    def _train(self, model, training, validation):
        """Fit the network on batches, and return the history as lists of floats."""
        try:
            (training_data, epoch_callbacks), (validation_data, _) = map(
                untuned, (training, validation)
            )
            history = model.fit(
                training_data,
                validation_data=validation_data,
                epochs=self.epochs,
                shuffle=False,
                verbose=min(int(self.verbose), 2),
                callbacks=[
                    *epoch_callbacks,
                    StopOnNonFinite("MelaNet"),
                    keras.callbacks.ReduceLROnPlateau(
                        factor=0.1, patience=self.lr_patience, min_lr=1e-8
                    ),
                    keras.callbacks.EarlyStopping(
                        patience=self.patience, restore_best_weights=True
                    ),
                    *(self.callbacks or ()),
                ],
            )
        finally:
            training.release()
            validation.release()
        return {name: [float(v) for v in values] for name, values in history.history.items()}


def get_model() -> MelaNet:
    """Fetch the paper's trained network, under the name of the released package's one call.

    Returns
    -------
    MelaNet
        Fitted classifier: ``MelaNet.from_pretrained("isic2016")``. Not for diagnosis.

    Raises
    ------
    ConnectionError
        If the weights cannot be downloaded; the message says what to do.

    Examples
    --------
    >>> from melanet import get_model
    >>> model = get_model()  # doctest: +SKIP
    """
    return MelaNet.from_pretrained("isic2016")


def load_classifier(source: PathLike) -> MelaNet:
    """Read a classifier of any supported file format, executing nothing in the file.

    The format is told from the file's content; its name does not matter.

    Parameters
    ----------
    source : str or path-like
        "isic2016"; a file that `melanet.MelaNet.save` wrote; or a Keras file (``.keras`` or HDF5)
        of a classifier.

    Returns
    -------
    MelaNet
        Fitted classifier. Not for diagnosis.

    Raises
    ------
    ValueError
        If the file holds no classifier.
    FileNotFoundError
        If the file does not exist.
    ConnectionError
        If "isic2016" cannot be downloaded; the message says what to do.

    Examples
    --------
    >>> from melanet.classifier import load_classifier
    >>> model = load_classifier("classifier.melanet")  # doctest: +SKIP
    """
    if _published.published_name(source):
        return MelaNet.from_pretrained(source)
    path = _published.locate(source, "classifier")
    with path.open("rb") as file:
        start = file.read(len(_HDF5))
    if start == _HDF5:
        return MelaNet.from_pretrained(path)
    received = f"a file that starts with {start!r}" if start else "an empty file"
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "card.json" in names:
            return MelaNet.load(path)
        if "config.json" in names:
            return MelaNet.from_pretrained(path)
        received = "a zip without card.json or config.json"
    raise ValueError(
        "source must be 'isic2016', a file that MelaNet.save wrote, or a Keras file of a "
        f"classifier. Received: {str(source)!r}, {received}"
    )
