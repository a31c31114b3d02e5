"""What is served: a classifier, and if there is one a translator, as functions of batches."""

import numpy as np

from melanet.serving._batcher import batch_sizes

RELEASED = ("Non-melanoma", "Melanoma")  # the released endpoint's words
_LESIONS = ([0, 1], ["benign", "malignant"])
_LARGEST = 16  # pictures in a batch of predictions
_LARGEST_HEAVY = 4  # of heat maps and translations, which take the memory of many predictions


class Served:
    """A classifier and a translator, and what they take and give.

    Parameters
    ----------
    model : MelaNet
        Fitted, on images of 1 or 3 channels.
    translator : CycleGAN or None, default=None
        Of images of 1 or 3 channels; its A -> B is shown.
    labels : sequence of str or None, default=None
        Names of the classes, in the order of ``model.classes_``. By default their own, but those
        of the released endpoint for 0 and 1, and for benign and malignant.

    Raises
    ------
    ValueError
        If these do not fit.
    """

    def __init__(self, model, translator=None, labels=None):
        self.model, self.translator = model, translator
        *self.size, self.channels = model.model_.input_shape[1:]
        self.labels = _labels(model.classes_.tolist(), labels)
        self._check_channels("model", self.channels)
        if translator is not None:
            if len(translator.sample_shape) != 3:
                raise ValueError(
                    "translator must translate images. "
                    f"Received: a CycleGAN of samples of shape {translator.sample_shape}"
                )
            self._check_channels("translator", translator.sample_shape[-1])

    @staticmethod
    def _check_channels(name, channels):
        if channels not in (1, 3):
            raise ValueError(
                f"{name} must take pictures of 1 or 3 channels. Received: one of {channels}"
            )

    @property
    def functions(self):
        """Name -> (function of a batch, largest batch), for `melanet.serving._batcher.Batcher`."""
        functions = {
            "predict": (self.model.predict_proba, _LARGEST),
            "explain": (self.model.explain, _LARGEST_HEAVY),
        }
        if self.translator is not None:
            functions["translate"] = (self.translator.translate, _LARGEST_HEAVY)
        return functions

    def warm_up(self):
        """Compile every function for every size of batch."""
        blank = np.zeros((*self.size, 3), "uint8")
        samples = {"predict": self.sample(blank), "explain": self.sample(blank)}
        if self.translator is not None:
            height, width, _ = self.translator.sample_shape
            samples["translate"] = self.translated_sample(np.zeros((height, width, 3), "uint8"))
        for name, (function, largest) in self.functions.items():
            for n in batch_sizes(largest):
                function(np.stack([samples[name]] * n))

    def sample(self, picture):
        """Turn an RGB picture of the classifier's size into a sample as `fit` got them.

        Parameters
        ----------
        picture : PIL.Image.Image or ndarray of shape (height, width, 3), uint8

        Returns
        -------
        ndarray of shape (height, width, channels)
            In the range and, if that was of integers, the dtype of the training data.
        """
        pixels = _channels(picture, self.channels)
        low, high = self.model.value_range_ or (0, 255)
        if (low, high) == (0, 255):
            return pixels
        scaled = low + (high - low) * (pixels.astype("float32") / 255)
        dtype = self.model.dtype_
        whole = dtype is not None and dtype.kind in "iu"
        return np.rint(scaled).astype(dtype) if whole else scaled

    def translated_sample(self, picture):
        """Turn an RGB picture of the translator's size into its sample, float32 in [-1, 1]."""
        pixels = _channels(picture, self.translator.sample_shape[-1])
        return pixels.astype("float32") / 127.5 - 1

    def predictions(self, probabilities):
        """Return the released endpoint's list: label and probability of each class."""
        return [
            {"label": label, "probability": float(p)}
            for label, p in zip(self.labels, probabilities, strict=True)
        ]


def _labels(classes, labels):
    if labels is None:
        return list(RELEASED) if classes in _LESIONS else [str(name) for name in classes]
    labels = [str(label) for label in labels]
    if len(labels) != len(classes) or len(set(labels)) < len(labels):
        raise ValueError(
            f"labels must name the {len(classes)} classes {classes}, each once. "
            f"Received: labels={labels}"
        )
    return labels


def _channels(picture, channels):
    pixels = np.asarray(picture)
    if channels == 3:
        return pixels
    grey = pixels @ np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601, as Pillow's
    return np.rint(grey).astype("uint8")[..., None]
