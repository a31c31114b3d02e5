"""MelaNet: training, validation, class weights, errors, scikit-learn's checks; load_classifier."""

import copy
import pickle
import random
import shutil
import sys
import zipfile

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from striped_pictures import pictures, small

from melanet import GANOversampler, MelaNet, get_model
from melanet.classifier import _backbones, load_classifier
from melanet.datasets import make_lesions
from melanet.exceptions import TrainingDiverged
from melanet.losses import focal_loss
from melanet.utils import _memory, reproducible


@pytest.fixture(scope="module")
def fitted():
    X, y = pictures()
    return small(epochs=8).fit(X, y)


@pytest.fixture(autouse=True)
def eager(request):
    """Skip graph compilation, which dominates the some 200 trainings of a few steps here."""
    compiled = ("test_same_seed", "check_classifiers_train")
    if keras.backend.backend() != "tensorflow" or any(x in request.node.name for x in compiled):
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@parametrize_with_checks(
    # The checks generate tables of any width; as images, these are one pixel high.
    [small(input_size=8, image_shape=(1, -1), value_range=(-150, 150), epochs=1, batch_size=256)],
)
def test_scikit_learn_checks(estimator, check):
    estimator = clone(estimator)  # all checks receive the same object
    name = getattr(check, "func", check).__name__
    if name.startswith("check_sample_weight_equivalence"):
        pytest.skip("equal weights and repetition need equal batches, which are drawn at random")
    if name == "check_classifiers_train":  # it requires an accuracy, on values of +-3
        estimator.set_params(epochs=8, batch_size=64, learning_rate=1e-2, value_range=(-5, 5))
    if name == "check_class_weight_classifiers":
        estimator.set_params(epochs=20, learning_rate=1e-2)
    check(estimator)


def test_same_seed_same_bits_and_global_generators_are_left_alone():
    X, y = pictures(24)
    keras.random.normal((1,))  # creates Keras' global generator
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    seeds = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
    before = keras.ops.convert_to_numpy(seeds.state)
    with reproducible():
        first, second = (small(augment=True).fit(X, y) for _ in range(2))
        other = small(augment=True, random_state=1).fit(X, y)
    for a, b in zip(first.model_.get_weights(), second.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.history_ == second.history_
    assert other.history_ != first.history_
    first.predict(X)
    first.explain(X)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(seeds.state), before)


class Recorder(keras.callbacks.Callback):
    """Records the weights before training."""

    def on_train_begin(self, logs=None):
        self.weights = self.model.get_weights()


@pytest.mark.parametrize("class_weight", [{"a": 0.5, "b": 3.0}, "balanced"])
def test_class_weights_multiply_the_loss_in_training_and_validation(class_weight):
    X, codes = pictures(20)
    keep = np.r_[np.flatnonzero(codes == 0), np.flatnonzero(codes == 1)[:4]]
    X, y = X[keep], np.array(["a", "b"])[codes[keep]]
    recorder = Recorder()
    # One step over all samples without moving: the loss is that of the initial weights.
    model = small(
        class_weight=class_weight, epochs=1, batch_size=64, learning_rate=1e-12,
        callbacks=[recorder],
    ).fit(X, y, validation_data=(X, y))  # fmt: skip
    weight = {"a": 0.5, "b": 3.0} if class_weight != "balanced" else {"a": 14 / 20, "b": 14 / 8}
    p_t = model.predict_proba(X)[np.arange(14), (y == "b").astype(int)]
    losses = 0.5 * (1 - p_t) ** 2 * -np.log(p_t)
    expected = np.mean([weight[label] for label in y] * losses)
    # Batch normalisation is in inference mode in validation, as in prediction.
    assert model.history_["val_loss"][0] == pytest.approx(expected, rel=1e-4)
    network = keras.models.clone_model(model.model_)
    network.set_weights(recorder.weights)
    p = keras.ops.convert_to_numpy(network(X.astype("float32") / 255, training=True))
    p_t = p[np.arange(14), (y == "b").astype(int)]
    expected = np.mean([weight[label] for label in y] * (0.5 * (1 - p_t) ** 2 * -np.log(p_t)))
    assert model.history_["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_sample_weights_multiply_the_loss_and_the_shares_of_the_classes():
    X, y = pictures(20)
    recorder = Recorder()
    weights = np.where(np.arange(20) % 4 < 2, 0.5, 2.0)
    weights[y == 1] *= 3
    model = small(epochs=1, batch_size=64, learning_rate=1e-12, callbacks=[recorder]).fit(
        X, y, sample_weight=weights, validation_data=(X, y)
    )
    p_t = model.predict_proba(X)[np.arange(20), y]
    losses = 0.5 * (1 - p_t) ** 2 * -np.log(p_t)
    totals = np.bincount(y, weights)
    shares = totals / totals.sum() / (np.bincount(y) / 20)
    assert model.history_["val_loss"][0] == pytest.approx(np.mean(shares[y] * losses), rel=1e-4)
    network = keras.models.clone_model(model.model_)
    network.set_weights(recorder.weights)
    p = keras.ops.convert_to_numpy(network(X.astype("float32") / 255, training=True))
    p_t = p[np.arange(20), y]
    expected = np.mean(weights * (0.5 * (1 - p_t) ** 2 * -np.log(p_t)))
    assert model.history_["loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("wrong", [np.ones(3), ["a"] * 20, np.zeros(20), np.full(20, np.nan)])
def test_wrong_sample_weights_are_refused(wrong):
    X, y = pictures(20)
    with pytest.raises(ValueError, match=r"sample_weight must hold .* Received"):
        small(epochs=10**6).fit(X, y, sample_weight=wrong)


def test_samples_of_weight_zero_are_left_out():
    X, y = pictures(20)
    groups, kept = np.arange(20) // 2, np.arange(20) >= 4
    options = {"epochs": 1, "random_state": 0}
    first = small(**options).fit(X, y, groups=groups, sample_weight=kept.astype(int))
    second = small(**options).fit(X[kept], y[kept], groups=groups[kept])
    assert first.history_ == second.history_


def test_validation_weights_classes_to_their_shares_in_training():
    X, y = pictures(40)
    filled = np.r_[np.flatnonzero(y == 0), np.tile(np.flatnonzero(y == 1)[:5], 4)]  # 20 and 20
    held = np.r_[np.flatnonzero(y == 0)[:8], np.flatnonzero(y == 1)[-2:]]  # 8 and 2
    model = small(epochs=1).fit(X[filled], y[filled], validation_data=(X[held], y[held]))
    p_t = model.predict_proba(X[held])[np.arange(10), y[held]]
    losses = 0.5 * (1 - p_t) ** 2 * -np.log(p_t)
    expected = (losses[:8].mean() + losses[8:].mean()) / 2
    assert model.history_["val_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_class_weights_change_the_predictions():
    X, y = pictures(40)
    X = np.random.default_rng(0).integers(0, 255, X.shape, dtype="uint8")  # nothing to learn
    shares = [
        (
            small(class_weight={0: w, 1: 1 / w}, epochs=5, learning_rate=1e-2).fit(X, y).predict(X)
            == 0
        ).mean()
        for w in (50, 1 / 50)
    ]
    assert shares[0] > 0.9
    assert shares[1] < 0.1


def test_sequence_alpha_weights_classes():
    X, y = pictures(20)
    runs = [
        small(alpha=alpha, epochs=1).fit(X, y).history_["val_loss"][0]
        for alpha in (0.25, [0.5, 0.5], [5.0, 5.0])
    ]
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)
    assert runs[2] > 5 * runs[1]


class Watcher(keras.callbacks.Callback):
    """Records the optimizer and the loss of the training."""

    def on_train_begin(self, logs=None):
        self.optimizer, self.loss = self.model.optimizer, self.model.loss


@pytest.mark.parametrize(
    ("params", "kind"),
    [({}, keras.optimizers.Adam), ({"optimizer": "adadelta"}, keras.optimizers.Adadelta)],
)
def test_optimizer_and_loss(params, kind):
    X, y = pictures(12)
    watcher = Watcher()
    small(epochs=1, callbacks=[watcher], **params).fit(X, y)
    assert isinstance(watcher.optimizer, kind)
    assert float(watcher.optimizer.learning_rate) == pytest.approx(1e-3)
    if params:
        config = watcher.optimizer.get_config()
        assert (config["rho"], config["epsilon"]) == (0.95, 1e-7)
    assert watcher.loss.get_config() == focal_loss(2.0, 0.25).get_config()


def test_the_papers_values_are_the_defaults():
    params = MelaNet().get_params()
    expected = {
        "backbone": "vgg16", "backbone_weights": "imagenet", "input_size": 256, "gamma": 2.0,
        "alpha": 0.25, "batch_size": 16, "epochs": 300, "patience": 8, "lr_patience": 5,
        "learning_rate": 1e-3,
    }  # fmt: skip
    assert {name: params[name] for name in expected} == expected
    assert isinstance(MelaNet()._optimizer(), keras.optimizers.Adadelta)
    assert isinstance(MelaNet(backbone_weights=None)._optimizer(), keras.optimizers.Adam)


def test_it_stops_early_and_restores_the_best_weights():
    X, y = pictures(32)
    noise = np.random.default_rng(1).permutation(y)
    model = small(epochs=60, patience=2, lr_patience=1, learning_rate=1e-2)
    model.fit(X, y, validation_data=(X, noise))
    losses = model.history_["val_loss"]
    assert len(losses) < 60
    assert np.argmin(losses) == len(losses) - 3
    assert model.history_["learning_rate"][-1] < 1e-2
    p_t = model.predict_proba(X)[np.arange(32), noise]
    assert np.mean(0.5 * (1 - p_t) ** 2 * -np.log(p_t)) == pytest.approx(min(losses), rel=1e-3)


def test_it_can_be_pickled_copied_and_cloned(fitted):
    X, _ = pictures(seed=1)
    expected = fitted.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_allclose(twin.predict_proba(X), expected, atol=1e-6)
    twin = clone(fitted)
    assert not hasattr(twin, "model_")
    assert twin.get_params() == fitted.get_params()


def test_it_works_in_a_pipeline_and_in_cross_validation():
    from imblearn.pipeline import Pipeline

    X, y = pictures(48)
    X, y = X[(y == 0) | (np.arange(48) < 24)], y[(y == 0) | (np.arange(48) < 24)]
    pipeline = Pipeline(
        [
            ("gan", GANOversampler(steps=2, reject=False, random_state=0)),
            ("melanet", small(epochs=3)),
        ]
    )
    X_val, y_val = pictures(12, seed=3)
    pipeline.fit(X, y, melanet__validation_data=(X_val, y_val))
    assert pipeline.predict(X_val).shape == (12,)
    scores = cross_val_score(small(epochs=6), X, y, cv=2, error_score="raise")
    assert scores.shape == (2,)
    assert scores.mean() > 0.6


def test_mixed_precision_leaves_the_global_policy():
    X, y = pictures(24)
    before = keras.config.dtype_policy()
    model = small(dtype_policy="mixed_bfloat16").fit(X, y)
    assert keras.config.dtype_policy() == before
    assert model.model_.layers[3].compute_dtype == "bfloat16"
    assert model.predict_proba(X).dtype == np.float32
    assert model.explain(X[:2]).dtype == np.float32


def test_augmentation_sees_training_images_only():
    X, y = pictures(20)
    seen = []

    def augment(images, rng):
        seen.append((images.shape, images.min() >= -1, images.max() <= 1, rng.random()))
        return images

    small(augment=augment, epochs=2, batch_size=8).fit(X, y)
    assert all(low and high for _, low, high, _ in seen)
    assert {shape[0] for shape, *_ in seen} == {8}  # 16 of 20 train
    assert len({draw for *_, draw in seen}) >= 4  # two batches in each of two epochs


def test_it_is_silent_unless_verbose(capfd):
    X, y = pictures(12)
    capfd.readouterr()
    small(epochs=1).fit(X, y)
    assert capfd.readouterr().out == ""
    small(epochs=1, verbose=2).fit(X, y)
    assert "val_loss" in capfd.readouterr().out


X, Y = pictures(12)
HOLED = X.astype("float32")
HOLED[3, 2, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("params", "data", "options", "message"),
    [
        ({}, (X, np.zeros(12)), {}, "two classes or more"),
        ({}, (X, np.r_[0, np.ones(11)]), {}, "2 samples or more.*Received: 1 sample of 0"),
        ({}, (HOLED, Y), {}, "NaN"),
        ({}, (X[0, 0, :, 0], Y), {}, "1D array"),
        ({}, (X[..., None], Y), {}, "5 dimensions"),
        ({}, (X, Y[:-1]), {}, "inconsistent numbers of samples"),
        ({}, ([X[0], X[1][:8]], Y[:2]), {}, "one size"),
        ({}, (np.moveaxis(X, -1, 1), Y), {}, "channels-first"),
        ({}, (X, Y / 3), {}, "continuous"),
        ({}, (X * -300.0, Y), {}, "value_range"),
        ({"value_range": (0, 100)}, (X, Y), {}, "outside value_range"),
        ({"backbone": "lenet"}, (X, Y), {}, "'backbone' parameter.*'vgg16'"),
        ({"backbone": "vgg16", "input_size": 31}, (X, Y), {}, "input_size must be at least 32"),
        ({"backbone": "vgg16", "input_size": 32}, (X[..., :2], Y), {}, "1 or 3 channels"),
        ({"input_size": (16, 16, 3)}, (X, Y), {}, r"input_size must.*\(16, 16, 3\)"),
        ({"alpha": [1, 2, 3]}, (X, Y), {}, "alpha as a sequence.*2 classes"),
        ({"alpha": -1.0}, (X, Y), {}, "'alpha' parameter"),
        ({"epochs": 0}, (X, Y), {}, "'epochs' parameter"),
        ({"optimizer": "sgd"}, (X, Y), {}, "'optimizer' parameter"),
        ({}, (X, Y), {"groups": np.arange(11)}, r"groups must have one entry.*\(11,\)"),
        ({}, (X, Y), {"groups": Y}, "groups cannot be split"),
        ({}, (X, Y), {"groups": Y, "validation_data": (X, Y)}, "Leave one out"),
        ({}, (X, Y), {"validation_data": X}, "must be a pair"),
        ({}, (X, Y), {"validation_data": (X, Y[:-1])}, "one length"),
        ({}, (X, Y), {"validation_data": (X, np.zeros(12, int))}, r"Received: \[0\] for \[0, 1\]"),
        ({}, (X, Y), {"validation_data": (X, Y + 1)}, r"\[0, 1\]. Received: \[2\]"),
        ({}, (X, Y), {"validation_data": (X[..., :2], Y)}, "3 channels"),
        ({}, (X, Y), {"validation_data": (X.astype(int) * 2, Y)}, "outside value_range"),
    ],
)
def test_invalid_input_raises_before_training(params, data, options, message):
    class Fail(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            pytest.fail("training started")

    with pytest.raises(ValueError, match=message):
        small(callbacks=[Fail()], **params).fit(*data, **options)


def test_diverging_training_raises_and_leaves_no_model():
    X, y = pictures(12)
    model = small(learning_rate=1e38, epochs=5)
    with pytest.raises(TrainingDiverged, match="MelaNet"):
        model.fit(X, y)
    assert not hasattr(model, "model_")


def test_get_model_is_the_published_network(monkeypatch):
    asked = []
    monkeypatch.setattr(
        MelaNet, "from_pretrained", classmethod(lambda cls, name: asked.append(name))
    )
    get_model()
    assert asked == ["isic2016"]


def test_load_classifier_goes_by_content_not_by_name(fitted, tmp_path):
    X, _ = pictures(6, seed=1)
    fitted.save(tmp_path / "x.bin")
    shutil.copy(tmp_path / "x.bin", tmp_path / "x.keras")
    network = _backbones.build("small", (16, 16), 3, 2)
    network.save(tmp_path / "network.keras")
    shutil.copy(tmp_path / "network.keras", tmp_path / "y")
    shutil.copy(tmp_path / "network.keras", tmp_path / "y.melanet")
    expected = {
        "x": fitted.predict_proba(X),
        "y": network.predict(X / np.float32(255), verbose=0),
    }
    for name in ("x.bin", "x.keras", "y", "y.melanet"):
        model = load_classifier(str(tmp_path / name))
        np.testing.assert_allclose(model.predict_proba(X), expected[name[0]], atol=1e-6)
        assert (model.dtype_ is None) == (name[0] == "y")


def test_load_classifier_reads_hdf5_under_any_name(tmp_path, monkeypatch):
    (tmp_path / "z.melanet").write_bytes(b"\x89HDF\r\n\x1a\nrest")
    monkeypatch.setattr(MelaNet, "from_pretrained", classmethod(lambda cls, path: path))
    assert load_classifier(tmp_path / "z.melanet") == tmp_path / "z.melanet"


def test_load_classifier_rejects_other_files(tmp_path):
    path = tmp_path / "file.melanet"
    with pytest.raises(FileNotFoundError, match=r"file\.melanet"):
        load_classifier(path)
    with pytest.raises(ValueError, match="Received: 3"):
        load_classifier(3)
    for content, received in (
        (b"", "an empty file"),
        (b"\x80\x04\x8c\x05posix", r"starts with b'\\x80\\x04"),
        (b"PK\x03\x04 truncated", r"starts with b'PK"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"MelaNet\.save wrote.*file\.melanet.*{received}"):
            load_classifier(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no model")
    with pytest.raises(ValueError, match="a zip"):
        load_classifier(path)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow is the backend")
def test_tensorflow_is_not_imported_by_other_backends(fitted):
    X, _ = pictures(2)
    fitted.explain(X)
    assert "tensorflow" not in sys.modules


def test_channels_first_in_kerass_settings_changes_nothing(tmp_path):
    X, y = pictures(24)
    answers = []
    before = keras.config.image_data_format()
    for data_format in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(data_format)
        try:
            model = small(epochs=1).fit(X, y)
            model.save(tmp_path / "model")
            again = load_classifier(tmp_path / "model")
            assert keras.config.image_data_format() == data_format
            answers.append((again.predict_proba(X), again.embed(X), again.explain(X[:2])))
        finally:
            keras.config.set_image_data_format(before)
    for first, second in zip(*answers, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_sizes_and_classes_beyond_the_memory_are_refused(monkeypatch):
    X, y = pictures(24)
    with pytest.raises(ValueError, match=r"16 images of input_size=\(10000000, 10000000\)"):
        small(input_size=10**7, batch_size=16).fit(X, y)
    monkeypatch.setattr(_memory, "total_memory", lambda: 4 * 24 * 2 - 1)
    with pytest.raises(ValueError, match="targets of 24 samples of 2 classes"):
        small().fit(X, y)


@pytest.mark.parametrize("image_shape", [(8, 8), (8, 8, 3), (16, 16), (16, 16, 1), (16,)])
def test_an_image_shape_that_images_do_not_have_is_refused(image_shape):
    X, y = make_lesions(20, image_size=16, random_state=0)
    model = MelaNet(backbone="small", input_size=8, epochs=1, image_shape=image_shape)
    with pytest.raises(ValueError, match=r"image_shape=.* does not fit X, .* \(16, 16, 3\)"):
        model.fit(X, y)
