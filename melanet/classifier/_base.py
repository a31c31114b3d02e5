"""What a trained image classifier does: predict, embed, explain, be saved and be loaded."""

import keras
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from melanet.classifier import _grad_cam
from melanet.classifier._dataset import network_input
from melanet.images import _transform
from melanet.images._transform import resize
from melanet.preprocessing._forms import read_form
from melanet.preprocessing._validation import as_numbers
from melanet.utils import _archive
from melanet.utils._keras import keras_scope
from melanet.weights import _published, _reader

_NO_FIT = object()


class FittedNetwork(ClassifierMixin, BaseEstimator):
    """The part of `melanet.MelaNet` that needs a trained network only.

    It relies on the attributes `model_`, `classes_`, `value_range_`, `dtype_` and `history_`,
    and on the parameters `image_shape`, `value_range` and `batch_size`.
    """

    def predict_proba(self, X):
        """Predict the probability of each class. Not for diagnosis.

        Parameters
        ----------
        X : array-like of shape (n, H, W), (n, H, W, C) or (n, n_features)
            Images, as in `fit`; height and width may differ from there, the range of their
            values must not.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            If X has another form or range.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        return self._run(self._model(), X)

    def predict(self, X):
        """Predict the most probable class. Not for diagnosis.

        Parameters
        ----------
        X : array-like
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def embed(self, X):
        """Compute the pooled features, what the softmax decides by.

        Parameters
        ----------
        X : array-like
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            512 features for VGG16.
        """
        model = self._model()
        return self._run(keras.Model(model.inputs[0], model.layers[-1].input), X)

    def explain(self, X, *, label=None, return_overlay=False):
        """Show by Grad-CAM where the network finds what speaks for a class.

        A map tells where the network looked, not where a lesion is, and not whether it is right:
        it is no basis for a diagnosis.

        Parameters
        ----------
        X : array-like
            As in `predict_proba`.
        label : int, str, ... or None, default=None
            The class to explain, one of `classes_`; by default each image's predicted one.
        return_overlay : bool, default=False
            Whether to return pictures, too.

        Returns
        -------
        heatmaps : ndarray of shape (n, H, W), float32
            In [0, 1] at the images' own size. The most important place of an image is 1; a map
            is 0 throughout if nothing speaks for the class.
        overlays : ndarray of shape (n, H, W, 3), uint8
            The images with their maps over them, if `return_overlay`;
            ``PIL.Image.fromarray(overlays[0])`` is a picture.

        Raises
        ------
        ValueError
            If there is no class `label`, or X has another form or range.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        See Also
        --------
        melanet.classifier.grad_cam : The method and its source.
        """
        model = self._model()
        if label is not None and label not in self.classes_.tolist():
            raise ValueError(
                f"label must be one of {self.classes_.tolist()}. Received: label={label!r}"
            )
        form, X = self._read(X)
        heatmaps, overlays = [], []
        for start in range(0, len(X), self.batch_size):
            samples = form.encode(X[start : start + self.batch_size])
            images = network_input(samples, model.input_shape[1:])
            if label is None:
                columns = model.predict_on_batch(images).argmax(axis=1)
            else:
                columns = np.full(len(images), self.classes_.tolist().index(label))
            heat = _grad_cam.grad_cam(model, images, columns)[..., None]
            heat = resize(heat, samples.shape[1:3])[..., 0]
            peak = heat.max(axis=(1, 2), keepdims=True)
            heat = np.divide(heat, peak, out=np.zeros_like(heat), where=peak > 0)
            heatmaps.append(heat)
            if return_overlay:
                overlays.append(_grad_cam.overlay(_transform.to_rgb(samples), heat))
        heatmaps = np.concatenate(heatmaps)
        return (heatmaps, np.concatenate(overlays)) if return_overlay else heatmaps

    def save(self, path):
        """Write the fitted classifier to one file, without pickle.

        The file holds the network without its optimiser, the labels, the range, the history and
        the parameters; no images. Parameters that cannot be written (callbacks, a callable, a
        RandomState) are left out with a warning. The file is whole or not there.

        Parameters
        ----------
        path : str or path-like
            Name of the file, by custom ending in ``.melanet``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        self._model()
        _save_state(self, path)

    @classmethod
    def load(cls, path):
        """Read a classifier that `save` wrote, executing nothing that the file holds.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Returns
        -------
        MelaNet
            Fitted.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not a saved classifier.
        """
        return _load_state(cls, path)

    @classmethod
    def from_pretrained(cls, source, *, classes=None, value_range=None):
        """Make a fitted classifier of published weights or of a Keras model's file.

        Not for diagnosis. Nothing that the file holds is executed; see
        `melanet.weights.read_model`.

        Parameters
        ----------
        source : str or path-like
            "isic2016", the paper's network, which is fetched; or the path of a file that Keras
            wrote, of a network from images in [0, 1] to a softmax.
        classes : sequence or None, default=None
            Labels of the file's columns, in their order. By default 0, 1, ...: of "isic2016" 0
            is benign and 1 malignant.
        value_range : (float, float) or None, default=None
            Limits that pixels can take. None reads them off each X by `MelaNet`'s rule: uint8 is
            divided by 255.

        Returns
        -------
        MelaNet
            With the file's input size. `fit` would train anew.

        Raises
        ------
        ValueError
            If the file is no such network, or `classes` does not fit it.
        FileNotFoundError
            If there is no such file.
        ConnectionError
            If it cannot be fetched; the message says what to do.
        """
        with keras_scope(0):
            model = _reader.read_model(_published.locate(source, "classifier"))
        _grad_cam.check_classifier(model, source)
        n_classes = model.output_shape[-1]
        labels = np.arange(n_classes) if classes is None else np.asarray(classes)
        if labels.shape != (n_classes,) or len(set(labels.tolist())) < n_classes:
            raise ValueError(
                f"classes must name the {n_classes} columns of the file's softmax, each once. "
                f"Received: classes={classes!r}"
            )
        height, width = model.input_shape[1:3]
        classifier = cls(
            input_size=height if height == width else (height, width), value_range=value_range
        )
        classifier.model_, classifier.classes_, classifier.history_ = model, labels, {}
        classifier.value_range_, classifier.dtype_ = value_range, None
        return classifier

    def _model(self):
        check_is_fitted(self, "model_")
        return self.model_

    def _run(self, model, X):
        form, X = self._read(X)
        n, size = len(X), min(len(X), self.batch_size)
        parts = []
        for start in range(0, n, size):
            # The last batch is filled up: batches of another size are compiled anew.
            rows = np.arange(start, start + size).clip(max=n - 1)
            images = network_input(form.encode(X[rows]), model.input_shape[1:])
            parts.append(model.predict_on_batch(images))
        return np.concatenate(parts)[:n].astype("float32")

    def _read(self, X):
        """Return the form of images to predict on, and the images as an array."""
        X = self._check_X(X)
        self._check_scale(X)
        return read_form(X, self._image_shape(X), self.value_range_), X

    def _check_scale(self, X):
        """Refuse floats of a smaller scale than the integers of `fit`: X / 255 for one."""
        if self.value_range is not None or self.dtype_ is None or self.dtype_.kind not in "iu":
            return
        if X.dtype.kind == "f" and X.min() >= -1 and X.max() <= 1:
            raise ValueError(
                f"X has the dtype {X.dtype} and values from {X.min():g} to {X.max():g}, but the "
                f"network was fitted on {self.dtype_} in {self.value_range_}. Scale X as in fit; "
                f"if it is, convert it: X.astype({self.dtype_.name!r})"
            )

    def _check_X(self, X, y=_NO_FIT):
        """Return X as a dense array of numbers; in `fit`, which passes y, the two."""
        X = as_numbers(X)
        options = {"allow_nd": True, "accept_sparse": ["csr", "csc"]}
        if y is not _NO_FIT:
            X, y = validate_data(self, X, y, **options)
        elif np.ndim(X) <= 2 and hasattr(self, "n_features_in_"):
            X = validate_data(self, X, reset=False, **options)
        else:
            X = check_array(X, input_name="X", estimator=self, **options)
        X = X.toarray() if sparse.issparse(X) else X
        return X if y is _NO_FIT else (X, y)

    def _image_shape(self, X):
        """Return the image shape of rows, None for images."""
        if X.ndim != 2:
            return None
        if self.image_shape is None:
            raise ValueError(
                f"X holds rows of {X.shape[1]} values. If they are images, give image_shape, "
                "(height, width) or (height, width, channels); if they are a table, take another "
                "classifier. "
                f"Received: X of shape {X.shape}"
            )
        shape = list(self.image_shape)
        if shape.count(-1) == 1:
            rest = -int(np.prod(shape))
            if rest > 0 and X.shape[1] % rest == 0:
                shape[shape.index(-1)] = X.shape[1] // rest
        return tuple(shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = self.image_shape is not None
        return tags


_KIND = "melanet.MelaNet"


def _save_state(classifier, path):
    """Write a fitted classifier; see `MelaNet.save`."""
    instead = {}
    if isinstance(classifier.class_weight, dict):  # JSON would make strings of the labels
        instead["class_weight"] = {"pairs": list(classifier.class_weight.items())}
    card = {
        "params": _archive.json_params(classifier, **instead),
        "classes": _archive.labels_to_json(classifier.classes_),
        "value_range": classifier.value_range_,
        "dtype": None if classifier.dtype_ is None else classifier.dtype_.str,
        "history": classifier.history_,
    }
    if hasattr(classifier, "n_features_in_"):
        card["n_features_in"] = classifier.n_features_in_
    if hasattr(classifier, "feature_names_in_"):
        card["feature_names_in"] = classifier.feature_names_in_
    _archive.write_archive(path, _KIND, card, [classifier.model_])


def _load_state(cls, path):
    """Read a classifier; see `MelaNet.load`."""
    with keras_scope(0):
        card, (model,) = _archive.read_archive(path, _KIND, _reader.read_model)
    params = card["params"]
    if isinstance(params.get("class_weight"), dict):
        params["class_weight"] = dict(params["class_weight"]["pairs"])
    classifier = cls(**params)
    classifier.classes_ = _archive.labels_from_json(card["classes"])
    classifier.value_range_ = None if card["value_range"] is None else tuple(card["value_range"])
    classifier.dtype_ = None if card["dtype"] is None else np.dtype(card["dtype"])
    classifier.history_ = card["history"]
    classifier.model_ = model
    if "n_features_in" in card:
        classifier.n_features_in_ = card["n_features_in"]
    if "feature_names_in" in card:
        classifier.feature_names_in_ = np.array(card["feature_names_in"], object)
    return classifier
