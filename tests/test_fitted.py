"""What a trained MelaNet answers, whatever form the images come in."""

import numpy as np
import pytest
from striped_pictures import pictures, small


@pytest.fixture(scope="module")
def fitted():
    X, y = pictures()
    return small(epochs=8).fit(X, y)


def test_learns_and_answers(fitted):
    X, y = pictures(seed=1)
    assert fitted.score(X, y) > 0.9
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (48, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert fitted.classes_.tolist() == [0, 1]
    assert set(fitted.history_) == {"loss", "val_loss", "learning_rate"}
    assert fitted.value_range_ == (0, 255)


def test_embedding_is_what_the_softmax_takes(fitted):
    X, _ = pictures(seed=1)
    features = fitted.embed(X)
    kernel, bias = fitted.model_.layers[-1].get_weights()
    assert features.shape == (len(X), kernel.shape[0])
    scores = np.exp(features @ kernel + bias)
    expected = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize(
    "labels", [["no", "perhaps", "yes"], [False, True], [-3, 7], np.array(["a", "b"], object)]
)
def test_any_labels_come_back(labels):
    X, codes = pictures(30, n_classes=len(labels), channels=1)
    y = np.asarray(labels)[codes]
    model = small(epochs=1).fit(X[..., 0], y)
    assert model.classes_.tolist() == sorted(labels)
    prediction = model.predict(X[..., 0])
    assert prediction.dtype == y.dtype
    assert set(prediction.tolist()) <= set(labels)


def test_every_form_of_the_same_images_gives_the_same_answer(fitted):
    X, _ = pictures(seed=1)
    expected = fitted.predict_proba(X)
    for same in (X.astype("float64"), X.tolist()):
        np.testing.assert_allclose(fitted.predict_proba(same), expected, atol=1e-6)
    larger = X.repeat(2, axis=1).repeat(2, axis=2)
    assert (fitted.predict(larger) == fitted.predict(X)).all()
    grey = X.mean(axis=-1).astype("uint8")
    repeated = grey[..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(fitted.predict_proba(grey), fitted.predict_proba(repeated))


def test_rows_and_images_are_one(fitted):
    X, y = pictures()
    rows = X.reshape(len(X), -1)
    for shape in ((16, 16, 3), (16, -1, 3)):
        model = small(epochs=1, image_shape=shape).fit(rows, y)
        by_images = small(epochs=1).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(rows), by_images.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="image_shape"):
        small().fit(rows, y)


def test_the_range_of_fit_is_kept(fitted):
    X, y = pictures()
    with pytest.raises(ValueError, match=r"float64.*fitted on uint8.*astype\('uint8'\)"):
        fitted.predict(X / 255)
    model = small(epochs=1).fit(X / 255, y)
    assert model.value_range_ == (0, 1)
    with pytest.raises(ValueError, match="outside value_range"):
        model.predict(X)


def test_predict_names_what_is_wrong(fitted):
    X, _ = pictures(4)
    with pytest.raises(ValueError, match="3 channels"):
        fitted.predict(X[..., :2])
    with pytest.raises(ValueError, match=r"one of \[0, 1\]. Received: label=2"):
        fitted.explain(X, label=2)
