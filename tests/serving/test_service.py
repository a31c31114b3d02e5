"""Samples, names and batches of the models that are served."""

import numpy as np
import pytest
from brightness import brightness_classifier

from melanet import CycleGAN, MelaNet
from melanet.classifier import load_classifier
from melanet.datasets import make_lesions
from melanet.serving._service import ModelService
from melanet.weights import _published

LUMA = 0.299, 0.587, 0.114  # of ITU-R BT.601


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return brightness_classifier(tmp_path_factory.mktemp("model"), ["benign", "malignant"])


def translator(channels):
    return CycleGAN.from_shape((8, 8, channels), filters=2, discriminator_filters=2)


def test_samples_have_the_dtype_of_fit():
    X, y = make_lesions(20, image_size=8, random_state=0)
    wide = MelaNet(backbone="small", input_size=8, epochs=1, random_state=0)
    wide.fit(X.astype("uint16") * 257, y)
    sample = ModelService(wide).classifier_sample(X[0])
    assert sample.dtype == np.uint16
    np.testing.assert_array_equal(sample, X[0].astype(int) * 257)


@pytest.mark.parametrize(
    ("classes", "shown"),
    [([0, 1], ["0", "1"]), (["cat", "dog"], ["cat", "dog"]), ([False, True], ["False", "True"])],
)
def test_only_published_weights_are_called_as_the_released_endpoint_calls_them(
    tmp_path, monkeypatch, classes, shown
):
    model = brightness_classifier(tmp_path, classes)
    assert ModelService(model).labels == shown
    monkeypatch.setattr(_published, "fetch", lambda *_: tmp_path / "brightness.keras")
    released = load_classifier("isic2016")
    released.save(tmp_path / "saved")
    for same in (released, load_classifier(tmp_path / "saved")):
        assert ModelService(same).labels == ["Non-melanoma", "Melanoma"]
        assert ModelService(same, labels={0: "no", 1: "yes"}).labels == ["no", "yes"]
    assert ModelService(load_classifier(tmp_path / "brightness.keras")).labels == ["0", "1"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (None, ["benign", "malignant"]),
        (["no", "yes"], ["no", "yes"]),
        ({"malignant": "yes", "benign ": "no"}, ["no", "yes"]),
        ({"malignant": "yes"}, ["benign", "yes"]),
    ],
)
def test_classes_are_named_in_the_order_of_the_model(classifier, labels, names):
    service = ModelService(classifier, labels=labels)
    assert service.labels == names
    assert service.format_predictions(np.array([0.25, 0.75], "float32")) == [
        {"label": names[0], "probability": 0.25},
        {"label": names[1], "probability": 0.75},
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["one"], "labels must name the 2 classes"),
        (["same", "same"], "labels must name the 2 classes"),
        ({"benign": "malignant"}, "labels must name the 2 classes"),
        (["malignant", "benign"], "in the order"),
        ({"2": "x"}, "the model's classes"),
    ],
)
def test_labels_that_do_not_fit_are_rejected(classifier, labels, message):
    with pytest.raises(ValueError, match=message):
        ModelService(classifier, labels=labels)


def test_translators_of_anything_but_pictures_are_rejected(classifier):
    with pytest.raises(ValueError, match="translator must translate images"):
        ModelService(classifier, CycleGAN.from_shape((5,)))
    with pytest.raises(ValueError, match="translator must take images of 1 or 3 .*Received: 4"):
        ModelService(classifier, translator(4))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_translator_gets_its_channels_in_its_range(classifier, channels):
    service = ModelService(classifier, translator(channels))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype="uint8")
    sample = service.translator_sample(pixels)
    assert (sample.shape, sample.dtype) == ((8, 8, channels), np.float32)
    expected = pixels if channels == 3 else np.rint((pixels * LUMA).sum(axis=2))[..., None]
    np.testing.assert_allclose((sample + 1) * 127.5, expected, atol=1e-4)


def test_every_function_is_compiled_for_every_size_of_batch(classifier):
    class Counted(ModelService):
        """Service whose models are not run."""

        @property
        def functions(self):
            def count(name, largest):
                return lambda samples: seen.append((name, samples.shape)), largest

            return {name: count(name, most) for name, (_, most) in super().functions.items()}

    seen = []
    Counted(classifier, translator(1)).warm_up()
    sizes = {"predict": (1, 2, 4, 8, 16), "explain": (1, 2, 4), "translate": (1, 2, 4)}
    channels = {"predict": 3, "explain": 3, "translate": 1}
    expected = [
        (name, (n, 8, 8, channels[name])) for name, several in sizes.items() for n in several
    ]
    assert seen == expected
    seen.clear()
    Counted(classifier).warm_up()
    assert seen == expected[:-3]
