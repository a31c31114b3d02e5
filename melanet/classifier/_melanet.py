"""MelaNet: a scikit-learn classifier of images, as in the paper or with another network."""

import os
from numbers import Integral, Real
from pathlib import Path

import keras
import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight

from melanet.callbacks._monitoring import StopOnNonFinite
from melanet.classifier import _backbones, _validation
from melanet.classifier._base import FittedNetwork
from melanet.classifier._dataset import LabelledImages, hold_out, network_input
from melanet.images._augmentation import Augmentation
from melanet.losses import focal_loss
from melanet.preprocessing._forms import read_form
from melanet.utils import _keras
from melanet.utils._keras import untuned

_POSITIVE_INT = Interval(Integral, 1, None, closed="left")


class MelaNet(FittedNetwork):
    """Classify images by a convolutional network, global average pooling and a softmax.

    The defaults are the paper's [1]_: VGG16 with ImageNet weights, all of it trained, on images
    scaled to [0, 1], with focal loss. Unlike there, the part that decides when to stop comes out
    of the training data, not out of the test set.

    **Not for diagnosis.** What it says about a picture of skin is no medical finding.

    Parameters
    ----------
    backbone : str, default="vgg16"
        "vgg16", "densenet121", "efficientnetb0", "efficientnetv2b0", "mobilenetv2",
        "mobilenetv3small" or "resnet50v2" of ``keras.applications``, each with the scaling that
        it was made for (VGG16 as in the paper, without subtraction of a mean); or "small", a few
        convolutions for small images and for computers without a GPU.
    backbone_weights : {"imagenet"}, path or None, default="imagenet"
        Where the backbone starts from: ImageNet weights, which Keras downloads, a weights file
        without the top, or random. There are no ImageNet weights of "small": it starts at random.
    input_size : int or (int, int), default=256
        Side, or height and width, that images are resized to; at least 32 but for "small".
    image_shape : tuple of int or None, default=None
        (H, W) or (H, W, C), if the rows of a two-dimensional X are images. One of the numbers
        may be -1 and is then reckoned from the length of the rows.
    value_range : (float, float) or None, default=None
        Limits that pixels can take, the same for every X. By default integers of 8 or 16 bits
        take their dtype's range, and floats the first of [0, 1], [-1, 1] and [0, 255] that holds
        those given to `fit`.
    gamma : float, default=2.0
        The focal loss's; see `melanet.losses.focal_loss`.
    alpha : float or sequence of n_classes floats, default=0.25
        The focal loss's. With two classes a float does nothing; a sequence weights the classes.
    class_weight : dict, "balanced" or None, default=None
        ``{label: weight}`` of the samples' losses, in training and in validation; "balanced"
        weights classes by the inverse of their size in the y that `fit` gets.
    augment : bool or callable, default=False
        Whether training images are changed a little, anew in every epoch: by
        `melanet.images.Augmentation`, without flips if True, or by
        ``augment(images, rng)`` on (n, height, width, channels) in [-1, 1]. Do use it.
    validation_fraction : float, default=0.2
        Part of each class of the training data that is held out to decide on the learning rate
        and on when to stop.
    optimizer : {"adadelta", "adam"} or None, default=None
        None takes the paper's Adadelta (rho 0.95) where the backbone starts from weights, and
        Adam where it starts at random: from there Adadelta does not get anywhere.
    learning_rate : float, default=1e-3
        The optimiser's first rate.
    batch_size : int, default=16
        Images in a step, and in a step of prediction.
    epochs : int, default=300
        At most so many passes over the training data.
    patience : int, default=8
        Epochs without a better validation loss after which training ends; the best weights are
        restored.
    lr_patience : int, default=5
        Epochs without a better validation loss after which the rate is divided by 10, down to
        1e-8.
    dtype_policy : {"float32", "mixed_bfloat16", "mixed_float16"} or None, default=None
        Keras' dtype policy of the network; None takes the global one.
    callbacks : list of keras.callbacks.Callback or None, default=None
        Further callbacks of the training.
    random_state : int, RandomState instance or None, default=None
        Seed of validation part, weights, order and augmentation. For the same bits, fit in
        `melanet.utils.reproducible`. No global generator is touched but NumPy's, if
        None.
    verbose : int, default=0
        As in Keras: 1 shows a bar for each epoch, 2 a line.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, in the order of the columns of ``predict_proba``.
    model_ : keras.Model
        From (n, height, width, channels) in [0, 1] to probabilities.
    history_ : dict
        name -> list of values by epoch: "loss", "val_loss", "learning_rate".
    value_range_ : (float, float) or None
        Limits that pixels can take; None reads them off each X.
    dtype_ : numpy.dtype or None
        Of the X that `fit` got.
    n_features_in_ : int
        Size of X's second axis.

    See Also
    --------
    melanet.GANOversampler : Fills up rare classes before the training.

    Notes
    -----
    **Synthetic samples must stay out of validation.** If X was over-sampled, a part held out of
    it holds translations of training images, and a validation loss that is measured on them says
    when the network knows the GAN, not when it knows the classes. Hold images out first and
    over-sample the rest::

        X_res, y_res = GANOversampler().fit_resample(X_train, y_train)
        MelaNet().fit(X_res, y_res, validation_data=(X_val, y_val))

    or, in a pipeline, ``pipeline.fit(X_train, y_train, melanet__validation_data=(X_val, y_val))``.
    Where that cannot be, put every synthetic sample in its source's group, so that no image is
    on both sides::

        groups = np.concatenate([patients, patients[sampler.source_indices_]])
        MelaNet().fit(X_res, y_res, groups=groups)

    The test set takes part in none of this.

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
        backbone="vgg16",
        backbone_weights="imagenet",
        input_size=256,
        image_shape=None,
        value_range=None,
        gamma=2.0,
        alpha=0.25,
        class_weight=None,
        augment=False,
        validation_fraction=0.2,
        optimizer=None,
        learning_rate=1e-3,
        batch_size=16,
        epochs=300,
        patience=8,
        lr_patience=5,
        dtype_policy=None,
        callbacks=None,
        random_state=None,
        verbose=0,
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
    def fit(self, X, y, *, groups=None, validation_data=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_features)
            Images of one size, 8 or 16 bit integers, booleans or floats; or rows of images, see
            `image_shape`. One channel is repeated where the backbone takes three.
        y : array-like of shape (n,)
            Labels of two or more classes, each with two samples or more.
        groups : array-like of shape (n,) or None, default=None
            Patients or lesions: a group is wholly held out for validation, or wholly trained on.
        validation_data : (X, y) or None, default=None
            What to validate on, in place of a part of X; a set that is not the test set. Its
            classes count as much as in y, so that real data can validate an over-sampled y.

        Returns
        -------
        MelaNet

        Raises
        ------
        ValueError
            If a parameter is out of range, X or y cannot be learned from, or a class is missing
            in validation.
        OSError
            If the ImageNet weights cannot be fetched; the message says what to do.
        melanet.exceptions.TrainingDiverged
            If the loss becomes infinite or not a number.
        """
        X, y = self._check_X(X, y)
        form = read_form(X, self._image_shape(X), self.value_range)
        classes, codes = _validation.check_labels(y)
        loss = focal_loss(self.gamma, _validation.check_alpha(self.alpha, len(classes)))
        class_weights = compute_class_weight(self.class_weight, classes=classes, y=y)
        input_size = _validation.check_input_size(self.input_size)
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=3).tolist()
        if validation_data is None:
            groups = _validation.check_groups(groups, len(codes))
            rows, held = hold_out(codes, self.validation_fraction, seeds[0], groups)
            learn, check = (form, X[rows], codes[rows]), (form, X[held], codes[held])
        else:
            _validation.refuse_groups(groups)
            learn = form, X, codes
            X_val, y_val = _validation.check_validation_data(validation_data)
            X_val = self._check_X(X_val)
            val_form = read_form(X_val, self._image_shape(X_val), form.value_range)
            check = val_form, X_val, _validation.encode_labels(y_val, classes, len(X_val))
        # Where classes were filled up, validation counts them as training does.
        shares = [np.bincount(part[2]) / len(part[2]) for part in (learn, check)]
        check_weights = class_weights * shares[0] / shares[1]

        with _keras.keras_scope(seeds[1], self.dtype_policy):
            model = _backbones.build(
                self.backbone, input_size, form.image_shape[-1], len(classes), self.backbone_weights
            )
            model.compile(optimizer=self._optimizer(), loss=loss)

        def batches(part, weights, **options):
            form, X, codes = part

            def read(rows):
                return network_input(form.encode(X[rows]), model.input_shape[1:])

            read(_extremes(X))  # before the training starts, whatever is outside the range
            return LabelledImages(read, codes, weights, self.batch_size, **options)

        augment = Augmentation() if self.augment is True else self.augment or None
        loaders = (
            batches(learn, class_weights, seed=seeds[2], augment=augment),
            batches(check, check_weights),
        )
        try:
            (served, first), (validation, _) = (untuned(loader) for loader in loaders)
            history = model.fit(
                served,
                validation_data=validation,
                epochs=self.epochs,
                shuffle=False,
                verbose=min(int(self.verbose), 2),
                callbacks=[
                    *first,
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
            for loader in loaders:
                loader.read = None  # TensorFlow keeps the loader; the images must not stay
        self.classes_ = classes
        self.value_range_, self.dtype_ = form.value_range, form.dtype
        self.history_ = {k: [float(v) for v in values] for k, values in history.history.items()}
        # Without the optimiser, which is twice the network's size and has done its work.
        self.model_ = keras.Model(model.input, model.output, name=model.name)
        return self

    def _optimizer(self):
        pretrained = _backbones.starts_pretrained(self.backbone, self.backbone_weights)
        name = self.optimizer or ("adadelta" if pretrained else "adam")
        if name == "adam":
            return keras.optimizers.Adam(self.learning_rate)
        return keras.optimizers.Adadelta(self.learning_rate, rho=0.95, epsilon=1e-7)


def _extremes(X):
    """Return the rows of the smallest and of the largest value."""
    samples = X.reshape(len(X), -1)
    return [samples.min(axis=1).argmin(), samples.max(axis=1).argmax()]


def get_model():
    """Fetch the paper's trained network, by the one call of the released package.

    Returns
    -------
    MelaNet
        Fitted: ``MelaNet.from_pretrained("isic2016")``. Not for diagnosis.

    Raises
    ------
    ConnectionError
        If it cannot be fetched; the message says what to do.

    Examples
    --------
    >>> from melanet import get_model
    >>> model = get_model()  # doctest: +SKIP
    """
    return MelaNet.from_pretrained("isic2016")


def load_classifier(source):
    """Read a classifier, executing nothing that the file holds.

    Parameters
    ----------
    source : str or path-like
        "isic2016", a file that `melanet.MelaNet.save` wrote, or a Keras file of a classifier.

    Returns
    -------
    MelaNet
        Fitted.
    """
    if str(source) == "isic2016" or Path(source).suffix in (".keras", ".h5", ".hdf5"):
        return MelaNet.from_pretrained(source)
    return MelaNet.load(source)
