"""The served models as batch functions, with conversions to and from samples and JSON."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from melanet.classifier._pictures import (
    check_picture_channels,
    convert_channels,
    n_picture_channels,
    picture_samples,
)
from melanet.serving._batcher import BatchFunction, batch_sizes
from melanet.utils._labels import label_text, match_keys
from melanet.weights._published import SERVED_LABELS

if TYPE_CHECKING:
    from melanet.classifier import MelaNet
    from melanet.gan import CycleGAN

_MAX_BATCH = 16  # images in a batch of predictions
_MAX_HEAVY_BATCH = 4  # heat maps and translations need several times the memory of a prediction


class ModelService:
    """A classifier and an optional translator, behind one interface for the endpoint.

    Parameters
    ----------
    model : MelaNet
        Fitted classifier of images with 1 or 3 channels.
    translator : CycleGAN or None, default=None
        CycleGAN of images with 1 or 3 channels; translations go from A to B.
    labels : dict, sequence of str or None, default=None
        Names of the classes, class -> name, or in the order of ``model.classes_``. None uses the
        classes themselves; for published weights, the released endpoint's names.

    Attributes
    ----------
    input_size : (int, int)
        Height and width of the classifier's input.
    labels : list of str
        Names of the classes.

    Raises
    ------
    ValueError
        If these do not fit.
    """

    def __init__(
        self,
        model: "MelaNet",
        translator: "CycleGAN | None" = None,
        labels: Mapping[Any, str] | Sequence[str] | None = None,
    ):
        self.model, self.translator = model, translator
        self.input_size: tuple[int, int] = model.model_.input_shape[1:3]
        if labels is None:
            labels = SERVED_LABELS.get(model.published_)  # whose classes are 0 and 1
        self.labels = _check_labels(model.classes_.tolist(), labels)
        n_picture_channels(model)  # raises for others than 1 and 3
        if translator is not None:
            if len(translator.sample_shape) != 3:
                raise ValueError(
                    "translator must translate images. "
                    f"Received: a CycleGAN of samples of shape {translator.sample_shape}"
                )
            check_picture_channels("translator", translator.sample_shape[-1])

    @property
    def functions(self) -> dict[str, BatchFunction]:
        """Batch functions by name, for `melanet.serving._batcher.Batcher`."""
        functions: dict[str, BatchFunction] = {
            "predict": (self.model.predict_proba, _MAX_BATCH),
            "explain": (self.model.explain, _MAX_HEAVY_BATCH),
        }
        if self.translator is not None:
            functions["translate"] = (self.translator.translate, _MAX_HEAVY_BATCH)
        return functions

    def warm_up(self) -> None:
        """Compile every function for every batch size."""
        blank = self.classifier_sample(np.zeros((*self.input_size, 3), "uint8"))
        samples = {"predict": blank, "explain": blank}
        if self.translator is not None:
            height, width, _ = self.translator.sample_shape
            samples["translate"] = self.translator_sample(np.zeros((height, width, 3), "uint8"))
        for name, (function, largest) in self.functions.items():
            for n in batch_sizes(largest):
                function(np.stack([samples[name]] * n))

    def classifier_sample(self, image: ArrayLike) -> NDArray[Any]:
        """Convert an RGB image of the classifier's input size to a sample for `predict`.

        Parameters
        ----------
        image : PIL.Image.Image or ndarray of shape (height, width, 3), uint8
            RGB image.

        Returns
        -------
        ndarray of shape (height, width, channels)
            Sample in the value range of the training data, and in its dtype if that is an integer.
        """
        return picture_samples(self.model, image)

    def translator_sample(self, image: ArrayLike) -> NDArray[np.float32]:
        """Convert an RGB image of the translator's size to its sample, float32 in [-1, 1]."""
        assert self.translator is not None
        pixels = convert_channels(image, self.translator.sample_shape[-1])
        return np.asarray(pixels, np.float32) / np.float32(127.5) - 1

    def format_predictions(self, probabilities: Sequence[float]) -> list[dict[str, Any]]:
        """Return label and probability of each class, as the released endpoint does."""
        return [
            {"label": label, "probability": float(p)}
            for label, p in zip(self.labels, probabilities, strict=True)
        ]


def _check_labels(classes, labels):
    """Return one name per class."""
    if isinstance(labels, Mapping):
        named = match_keys("labels", labels, "the model's classes", classes)
        labels = [named.get(label, label) for label in classes]
    elif labels is not None:
        _check_order(classes, labels)
    if labels is None:
        return list(map(str, classes))
    labels = [str(label) for label in labels]
    if len(labels) != len(classes) or len(set(labels)) < len(labels):
        raise ValueError(
            f"labels must name the {len(classes)} classes {classes}, each once. "
            f"Received: labels={labels}"
        )
    return labels


def _check_order(classes, labels):
    """Raise ValueError if a name is that of another class than the one at its position."""
    positions = {label_text(label): i for i, label in enumerate(classes)}
    moved = [name for i, name in enumerate(labels) if positions.get(label_text(name), i) != i]
    if moved:
        raise ValueError(
            f"labels must be in the order of the model's classes, {classes}. Received: "
            f"labels={list(labels)}. Give a name for each class: labels={{class: name}}"
        )
