"""Everything that MelaNet does once trained: predict, embed, explain, save and load."""

import contextlib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from melanet.classifier import _grad_cam
from melanet.classifier._dataset import network_input
from melanet.exceptions import ScaleWarning
from melanet.images import resize, to_rgb
from melanet.preprocessing import ImageForm, form_from_config, read_form
from melanet.preprocessing._validation import as_numbers
from melanet.utils import _archive
from melanet.utils._keras import keras_scope
from melanet.utils._labels import label_text, label_texts, match_labels
from melanet.utils._typing import PathLike
from melanet.utils._validation import check_unmasked
from melanet.weights import _published, _reader

_KIND = "melanet.MelaNet"
_NO_Y = object()


class FittedNetwork(ClassifierMixin, BaseEstimator):
    """The part of `melanet.MelaNet` that needs only a trained network.

    Subclasses set the attributes `model_`, `classes_`, `form_`, `value_range_`, `dtype_` and
    `history_`, and have the parameters `image_shape`, `value_range`, `class_weight` and
    `batch_size`.
    """

    model_: keras.Model
    classes_: NDArray[Any]
    form_: ImageForm | None
    value_range_: tuple[float, float] | None
    dtype_: np.dtype | None
    history_: dict[str, list[float]]
    published_: str | None = None  # name of the published weights, if it has them

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Predict the probability of each class. Not for diagnosis.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_features)
            Images as in `fit`. Height and width may differ from there; channels and scale may
            not, except that grey images may follow colour images.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            If X has another layout, or is on another scale.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Warns
        -----
        melanet.exceptions.ScaleWarning
            If X is likely to be on another scale; see `melanet.preprocessing.Scale`.
        """
        return self._run(self._model(), X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the most probable class. Not for diagnosis.

        Parameters
        ----------
        X : array-like
            Images as in `predict_proba`.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of right predictions. Not for diagnosis.

        Parameters
        ----------
        X : array-like
            Images as in `predict_proba`.
        y : array-like of shape (n,)
            True labels, matched with `classes_` by their text; others count as wrong predictions.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the samples.

        Returns
        -------
        float
            Accuracy in [0, 1].

        Raises
        ------
        ValueError
            If no label of y is among `classes_`, or labels are missing.
        """
        check_is_fitted(self, "model_")
        texts = label_texts("y", np.ravel(y))
        codes = {label_text(label): code for code, label in enumerate(self.classes_)}
        true = np.array([codes.get(text, -1) for text in texts])
        if len(true) and (true < 0).all():
            match_labels("y", np.ravel(y), "classes_", self.classes_)  # raises
        predicted = self.predict_proba(X).argmax(axis=1)
        return float(accuracy_score(true, predicted, sample_weight=sample_weight))

    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the pooled features, which are the input of the softmax layer.

        Parameters
        ----------
        X : array-like
            Images as in `predict_proba`.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            Features, 512 for VGG16.
        """
        model = self._model()
        return self._run(keras.Model(model.inputs[0], model.layers[-1].input), X)

    def explain(
        self, X: ArrayLike, *, label: Any = None, return_overlay: bool = False
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Compute Grad-CAM heat maps of the regions that support a class.

        A map shows where the network looked, not where a lesion is, and not whether the
        prediction is right. It is no basis for a diagnosis.

        Parameters
        ----------
        X : array-like
            Images as in `predict_proba`.
        label : int, str, ... or None, default=None
            Class to explain, one of `classes_`; None explains the predicted class of each image.
        return_overlay : bool, default=False
            Whether to return the images with their maps blended over them as well.

        Returns
        -------
        heatmaps : ndarray of shape (n, H, W), float32
            Maps in [0, 1] at the images' own size. The maximum of each map is 1, unless nothing
            supports the class; then the map is 0 throughout.
        overlays : ndarray of shape (n, H, W, 3), uint8
            RGB images, if `return_overlay`; ``PIL.Image.fromarray(overlays[0])`` converts one.

        Raises
        ------
        ValueError
            If `label` is not a class, or X has another layout or scale.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        See Also
        --------
        melanet.classifier.grad_cam : The method and its source.
        """
        model = self._model()
        if label is not None:
            (code,) = match_labels("label", [label], "classes_", self.classes_)
        form, images = self._read(X)
        heatmaps, overlays = [], []
        for start in range(0, len(images), self.batch_size):
            samples = form.encode(images[start : start + self.batch_size])
            inputs = network_input(samples, model.input_shape[1:])
            if label is None:
                columns = model.predict_on_batch(inputs).argmax(axis=1)
            else:
                columns = np.full(len(inputs), code)
            heat = _grad_cam.grad_cam(model, inputs, columns)[..., None]
            heat = _scale_to_peak(resize(heat, samples.shape[1:3])[..., 0])
            heatmaps.append(heat)
            if return_overlay:
                overlays.append(_grad_cam.overlay(to_rgb(samples), heat))
        if return_overlay:
            return np.concatenate(heatmaps), np.concatenate(overlays)
        return np.concatenate(heatmaps)

    def save(self, path: PathLike) -> None:
        """Write the fitted classifier to one file atomically, without pickle.

        The file holds the network without its optimizer, the labels, the value range, the history
        and the parameters; no images. Parameters that JSON cannot hold (callbacks, a callable, a
        RandomState) are left out with a warning.

        Parameters
        ----------
        path : str or path-like
            File to write, by convention ending in ``.melanet``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        model = self._model()
        overrides = {}
        if isinstance(self.class_weight, dict):  # JSON would turn the labels into strings
            overrides["class_weight"] = {"pairs": list(self.class_weight.items())}
        card = {
            "params": _archive.json_params(self, **overrides),
            "classes": _archive.labels_to_json(self.classes_),
            "value_range": self.value_range_,
            "dtype": None if self.dtype_ is None else self.dtype_.str,
            "form": self.form_ and self.form_.to_config(),
            "history": self.history_,
            "published": self.published_,
        }
        if hasattr(self, "n_features_in_"):
            card["n_features_in"] = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            card["feature_names_in"] = self.feature_names_in_
        _archive.write_archive(path, _KIND, card, [model])

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a classifier that `save` wrote, executing nothing in the file.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        MelaNet
            Fitted classifier.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is not a saved classifier.
        """
        with keras_scope(0):
            card, (model,) = _archive.read_archive(path, _KIND, _reader.read_model)
        params = card["params"]
        if isinstance(params.get("class_weight"), dict):
            params["class_weight"] = dict(params["class_weight"]["pairs"])
        value_range, dtype = card["value_range"], card["dtype"]
        classifier = cls(**params)
        classifier.model_ = model
        classifier.classes_ = _archive.labels_from_json(card["classes"])
        classifier.value_range_ = None if value_range is None else tuple(value_range)
        classifier.dtype_ = None if dtype is None else np.dtype(dtype)
        classifier.form_ = None
        if card.get("form"):
            form = form_from_config(card["form"])
            classifier.form_ = form  # type: ignore[assignment]  # of images
        elif dtype is not None:  # a file of before 0.2, which has no form
            shape = model.input_shape[1:]
            declared = classifier.value_range is not None
            classifier.form_ = ImageForm(shape, shape, dtype, value_range, declared=declared)
        classifier.history_ = card["history"]
        classifier.published_ = card.get("published")
        if "n_features_in" in card:
            classifier.n_features_in_ = card["n_features_in"]
        if "feature_names_in" in card:
            classifier.feature_names_in_ = np.array(card["feature_names_in"], object)
        return classifier

    @classmethod
    def from_pretrained(
        cls,
        source: PathLike,
        *,
        classes: Sequence[Any] | NDArray[Any] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> Self:
        """Create a fitted classifier from published weights or a Keras model file.

        Not for diagnosis. Nothing in the file is executed; see `melanet.weights.read_model`.

        Parameters
        ----------
        source : str or path-like
            "isic2016", the paper's network, which is downloaded; or a Keras file of a network from
            images in [0, 1] to a softmax.
        classes : sequence or None, default=None
            Labels of the softmax columns, in their order. None numbers them 0, 1, ...; for
            "isic2016" 0 is benign and 1 malignant.
        value_range : (float, float) or None, default=None
            Limits that pixels can take. None infers them from each X by `MelaNet`'s rule: uint8 is
            divided by 255.

        Returns
        -------
        MelaNet
            Fitted classifier with the network's input size. `fit` would train from scratch.

        Raises
        ------
        ValueError
            If the file holds no such network, or `classes` does not fit it.
        FileNotFoundError
            If the file does not exist.
        ConnectionError
            If the file cannot be downloaded; the message says what to do.
        """
        with keras_scope(0):
            model = _reader.read_model(_published.locate(source, "classifier"))
        _grad_cam.check_classifier(model, source)
        n_classes = model.output_shape[-1]
        labels = np.arange(n_classes) if classes is None else np.asarray(classes)
        if labels.shape != (n_classes,) or len(set(map(label_text, labels))) < n_classes:
            raise ValueError(
                f"classes must name the {n_classes} columns of the file's softmax, each once. "
                f"Received: classes={classes!r}"
            )
        height, width = model.input_shape[1:3]
        classifier = cls(
            input_size=height if height == width else (height, width), value_range=value_range
        )
        classifier.model_, classifier.classes_, classifier.history_ = model, labels, {}
        classifier.value_range_, classifier.dtype_, classifier.form_ = value_range, None, None
        # Classes that the user names are shown as they are.
        classifier.published_ = _published.published_name(source) if classes is None else None
        return classifier

    def _model(self):
        check_is_fitted(self, "model_")
        return self.model_

    def _run(self, model, X):
        """Return the outputs of a model for X, in batches of one size."""
        form, X = self._read(X)
        n, size = len(X), min(len(X), self.batch_size)
        outputs = []
        with self._compiled(model) as compiled:
            for start in range(0, n, size):
                # The last row fills up the last batch: another batch size would be compiled anew.
                rows = np.arange(start, start + size).clip(max=n - 1)
                inputs = network_input(form.encode(X[rows]), model.input_shape[1:])
                outputs.append(compiled.predict_on_batch(inputs))
        return np.concatenate(outputs)[:n].astype("float32")

    def _compiled(self, model):
        """Return a context with a model of the same structure and weights."""
        return contextlib.nullcontext(model)

    def _read(self, X):
        """Return the form of images to predict on, and the images as an array."""
        X = self._check_X(X)
        return self._form_like(self.form_, X), X

    def _form_like(self, fitted, X):
        """Return the form of X, which must have the scale and channels of the images of fit."""
        if fitted is None:
            return self._image_form(X, self.value_range_)
        scale = fitted.scale
        if self.value_range is not None:
            scale = replace(scale, declared=True)
        form = self._image_form(X, scale)
        expected, channels = fitted.image_shape[-1], form.image_shape[-1]
        if channels != expected:
            message = (
                f"X must hold images of {expected} channels, as in fit. "
                f"Received: {channels} channels"
            )
            if channels != 1:
                raise ValueError(message)
            warnings.warn(f"{message}, which is repeated", ScaleWarning, stacklevel=4)
        return form

    def _image_form(self, X, value_range):
        """Return the form of X, which holds images or rows of images."""
        return read_form(X, self._image_shape(X), value_range)

    def _check_X(self, X, y=_NO_Y):
        """Return X as a dense array of numbers; `fit` passes y and gets (X, y)."""
        X = as_numbers(X)
        options = {"allow_nd": True, "accept_sparse": ["csr", "csc"]}
        if y is not _NO_Y:
            check_unmasked("y", y)
            X, y = validate_data(self, X, y, **options)
        elif np.ndim(X) <= 2 and hasattr(self, "n_features_in_"):
            X = validate_data(self, X, reset=False, **options)
        else:
            X = check_array(X, input_name="X", estimator=self, **options)
        X = X.toarray() if sparse.issparse(X) else X
        return X if y is _NO_Y else (X, y)

    def _image_shape(self, X):
        """Return the image shape if X holds rows; None if it holds images."""
        if X.ndim != 2:
            return None
        if self.image_shape is None:
            raise ValueError(
                f"X holds rows of {X.shape[1]} values. If they are images, pass image_shape, "
                "(height, width) or (height, width, channels); if they are a table, use another "
                f"classifier. Received: X of shape {X.shape}"
            )
        shape = list(self.image_shape)
        if shape.count(-1) == 1:
            known = -int(np.prod(shape))
            if known > 0 and X.shape[1] % known == 0:
                shape[shape.index(-1)] = X.shape[1] // known
        return tuple(shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = self.image_shape is not None
        return tags


def _scale_to_peak(heatmaps):
    """Divide each map by its maximum; a map of zeros stays as it is."""
    peaks = heatmaps.max(axis=(1, 2), keepdims=True)
    return np.divide(heatmaps, peaks, out=np.zeros_like(heatmaps), where=peaks > 0)
